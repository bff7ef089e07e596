// pages.tsx: every page but the overview, and what only some need to see, each loaded when it is first opened.

import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Page } from '../place.ts';
import { text } from '../text.ts';

type Part = Exclude<Page, 'overview'> | 'signIn' | 'kiosk';
interface Props {
  front: boolean;  // of the sign-in: it stands alone
}

const load: Record<Part, () => Promise<{ default: FunctionComponent<Props> }>> = {
  device: () => import('../pages/device.tsx'),
  alerts: () => import('../pages/alerts.tsx'),
  rules: () => import('../pages/rules.tsx'),
  events: () => import('../pages/events.tsx'),
  status: () => import('../pages/status.tsx'),
  connect: () => import('../pages/connect.tsx'),
  users: () => import('../pages/users.tsx'),
  signIn: () => import('../pages/sign_in.tsx'),
  kiosk: () => import('../pages/kiosk.tsx'),
};
const loaded = new Map<Part, FunctionComponent<Props>>();

// A new version of the server has files of other names: then the page as a whole must be loaded again.
export function LazyPage({ page, front = false }: { page: Part; front?: boolean }) {
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
  if (View) return <View front={front} />;
  return (
    <p class="note" role="status">
      {failed ? <>{text.pageFailed} <button type="button" onClick={() => location.reload()}>{text.reload}</button></> : text.loading}
    </p>
  );
}
