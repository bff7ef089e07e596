// pages.tsx: every page but the overview, each loaded when it is first opened.

import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Page } from '../place.ts';
import { text } from '../text.ts';

const load: Record<Exclude<Page, 'overview'>, () => Promise<{ default: FunctionComponent }>> = {
  device: () => import('../pages/device.tsx'),
  alerts: () => import('../pages/alerts.tsx'),
  rules: () => import('../pages/rules.tsx'),
  events: () => import('../pages/events.tsx'),
  status: () => import('../pages/status.tsx'),
  connect: () => import('../pages/connect.tsx'),
  users: () => import('../pages/users.tsx'),
};
const loaded = new Map<Page, FunctionComponent>();

// A new version of the server has files of other names: then the page as a whole must be loaded again.
export function LazyPage({ page }: { page: Exclude<Page, 'overview'> }) {
  const [, redraw] = useState(0);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let here = true;
    setFailed(false);
    if (!loaded.has(page)) {
      load[page]().then(
        (module) => { loaded.set(page, module.default); if (here) redraw((n) => n + 1); },
        () => { if (here) setFailed(true); },
      );
    }
    return () => { here = false; };
  }, [page]);
  const View = loaded.get(page);
  if (View) return <View />;
  return (
    <p class="note" role="status">
      {failed ? <>{text.pageFailed} <button type="button" onClick={() => location.reload()}>{text.reload}</button></> : text.loading}
    </p>
  );
}
