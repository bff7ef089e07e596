// main.tsx: the page starts here.

import { render } from 'preact';
import type { MillstreamClient } from '../sdk/index.ts';
import { Dashboard } from './dashboard.ts';
import { Place } from './place.ts';
import { text } from './text.ts';
import { startTheme } from './theme.ts';
import { effect } from '@preact/signals';
import { App } from './view/app.tsx';
import { DashboardContext } from './view/context.ts';
import './style.css';

declare global {
  interface Window {
    // For tests from outside: the ids of the events received, in order, and the client itself.
    __millstream: { readonly log: string[]; readonly client: MillstreamClient };
  }
}

startTheme();
const place = new Place(location.search, (search, how) => {
  const url = location.pathname + (search === '?' ? '' : search);
  if (how === 'push') history.pushState(null, '', url);
  else history.replaceState(null, '', url + location.hash);
});
const dashboard = new Dashboard({
  baseUrl: new URL('.', document.baseURI).href.replace(/\/$/, ''),
  place,
});
addEventListener('popstate', () => place.returned(location.search));
dashboard.start();
window.__millstream = { log: dashboard.log, get client() { return dashboard.client; } };
addEventListener('online', () => dashboard.client.retryNow());
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') void dashboard.session.lookAgain();
});

effect(() => {
  dashboard.drawn.value;
  const { unacknowledged } = dashboard.alerts.openCount();
  const title = dashboard.session.state.value === 'out' ? `${text.signIn} – ${text.name}`
    : unacknowledged > 0 ? `(${unacknowledged}) ${text.name}` : text.name;
  if (document.title !== title) document.title = title;
});

render(
  <DashboardContext.Provider value={dashboard}><App /></DashboardContext.Provider>,
  document.getElementById('app')!,
);
