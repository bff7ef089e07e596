import { text } from '../text.ts';
import { AlertList } from './alert_list.tsx';
import { AlertStrip } from './alert_strip.tsx';
import { ChartPanel } from './chart_panel.tsx';
import { useDashboard } from './context.ts';
import { Counters } from './counters.tsx';
import { DeviceTable } from './device_table.tsx';
import { FrontHeader, Header } from './header.tsx';
import { Nav } from './nav.tsx';
import { Notices } from './notices.tsx';
import { LazyPage } from './pages.tsx';
import { ToastList } from './toast_list.tsx';

function Overview() {
  return (
    <>
      <Counters />
      <AlertStrip />
      <div class="columns">
        <DeviceTable />
        <div class="side">
          <ChartPanel />
          <AlertList />
        </div>
      </div>
    </>
  );
}

export function App() {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const { state, renewing } = dashboard.session;
  const nothing = dashboard.devices.size === 0 && dashboard.alerts.list().length === 0;
  const out = state.value === 'out';
  const { kiosk } = dashboard.place;
  const page = kiosk ? 'overview' : dashboard.place.page.value;
  const front = nothing && out;  // the sign-in page alone: there is nothing to put beside it
  const asking = state.value === 'asking';
  const empty = nothing && dashboard.devicesLoad.value === 'ready';
  return (
    <div class={`page ${kiosk ? 'kiosk' : ''} ${front ? 'front' : dashboard.stale ? 'not-live' : ''}`}>
      {front || asking ? <FrontHeader /> : <><a class="skip" href="#main">{text.skip}</a><Header />{!kiosk && <Nav />}<Notices /></>}
      <main id="main" tabIndex={-1}>
        {asking && <p class="asking">{text.connecting}</p>}
        {(out || renewing.value) && <LazyPage key="sign-in" page="signIn" front={front} />}
        {kiosk && <LazyPage page="kiosk" />}
        {!front && !asking && (page !== 'overview' ? <LazyPage page={page} /> : empty ? <LazyPage page="empty" /> : <Overview />)}
      </main>
      {!kiosk && <ToastList />}
    </div>
  );
}
