// pages.tsx: every page but the overview, and what only some need to see, each loaded when it is first opened.

import type { FunctionComponent } from 'preact';
import type { Page } from '../place.ts';
import { lazy } from './lazy.tsx';

type Part = Exclude<Page, 'overview'> | 'signIn' | 'kiosk' | 'empty';
interface Props {
  front: boolean;  // of the sign-in: it stands alone
}

const parts: Record<Part, FunctionComponent<Props>> = {
  device: lazy(() => import('../pages/device.tsx')),
  alerts: lazy(() => import('../pages/alerts.tsx')),
  rules: lazy(() => import('../pages/rules.tsx')),
  events: lazy(() => import('../pages/events.tsx')),
  status: lazy(() => import('../pages/status.tsx')),
  connect: lazy(() => import('../pages/connect.tsx')),
  users: lazy(() => import('../pages/users.tsx')),
  signIn: lazy(() => import('../pages/sign_in.tsx')),
  kiosk: lazy(() => import('../pages/kiosk.tsx')),
  empty: lazy(() => import('../pages/empty.tsx')),
};

export function LazyPage({ page, front = false }: { page: Part; front?: boolean }) {
  const View = parts[page];
  return <View front={front} />;
}
