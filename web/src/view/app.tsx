import { text } from '../text.ts';
import { AlertList } from './alert_list.tsx';
import { ChartPanel } from './chart_panel.tsx';
import { useDashboard } from './context.ts';
import { Counters } from './counters.tsx';
import { DeviceTable } from './device_table.tsx';
import { Empty } from './empty.tsx';
import { Header } from './header.tsx';
import { SignIn } from './sign_in.tsx';
import { ToastList } from './toast_list.tsx';

function Overview() {
  return (
    <>
      <Counters />
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
  const live = dashboard.live.value.state;
  const signIn = dashboard.credential.value !== 'fine';
  const nothing = dashboard.devices.size === 0;
  const empty = nothing && dashboard.devicesLoad.value === 'ready' && dashboard.alerts.list().length === 0;
  const stale = live !== 'connected' && live !== 'connecting';
  return (
    <div class={stale ? 'page not-live' : 'page'}>
      <a class="skip" href="#main">{text.skip}</a>
      <Header />
      <main id="main" tabIndex={-1}>
        {signIn && <SignIn />}
        {!signIn && empty && <Empty />}
        {!(signIn && nothing) && !empty && <Overview />}
      </main>
      <ToastList />
    </div>
  );
}
