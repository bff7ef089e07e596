import type { LiveStatus } from '../../sdk/index.ts';
import { formatSpan } from '../format.ts';
import { text } from '../text.ts';
import { nextTheme, themeChoice } from '../theme.ts';
import { useDashboard } from './context.ts';
import { LiveShape, Logo, SeverityShape, ThemeShape } from './icons.tsx';
import { Settings } from './settings.tsx';

const words: Record<LiveStatus['state'], string> = {
  connecting: text.connecting,
  connected: text.connected,
  reconnecting: text.reconnecting,
  signin: text.signInAgain,
  closed: text.closed,
};

// The countdown is hidden from screen readers: they should hear a change of state, not every second.
function LiveIndicator() {
  const dashboard = useDashboard();
  const live = dashboard.live.value;
  const retryAt = live.state === 'reconnecting' ? live.retryAt : null;
  const now = dashboard.nowMs.value;
  const seconds = retryAt === null || now === 0 ? 0 : Math.ceil((retryAt - Date.now()) / 1000);
  return (
    <div class={`live live-${live.state}`}>
      <span role="status" data-testid="live" data-state={live.state}>
        <LiveShape state={live.state} />
        <span>{text.live}: {words[live.state]}</span>
        {seconds > 0 && <span aria-hidden="true" class="num"> {text.reconnectingIn(formatSpan(seconds * 1000))}</span>}
      </span>
      {retryAt !== null && <button type="button" onClick={() => dashboard.client.retryNow()}>{text.retryNow}</button>}
    </div>
  );
}

function OpenAlerts() {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const counts = dashboard.alerts.openCount();
  const worst = counts.critical > 0 ? 'critical' : counts.warning > 0 ? 'warning' : 'info';
  return (
    <a class="open-alerts" href="#alerts" data-testid="open-alerts">
      {counts.all > 0 && <SeverityShape severity={worst} />}
      {text.openAlertsCount(counts.all)}
    </a>
  );
}

function ThemeToggle() {
  const choice = themeChoice.value;
  const word = text.theme[choice];
  return (
    <button type="button" class="theme" data-testid="theme" aria-label={text.themeLabel(word)} onClick={nextTheme}>
      <ThemeShape choice={choice} /><span class="wide">{word}</span>
    </button>
  );
}

function SignedIn() {
  const { session } = useDashboard();
  const who = session.who.value;
  if (session.state.value !== 'in' || !session.secured) return null;
  return (
    <span class="signed-in">
      {who && (
        <span class="cut" data-testid="who" title={text.signedInAs(who.account, who.roles.join(', ') || text.noRoles)}>
          {who.subject.replace(/^(?:user|token):(?:.*\|)?/, '')}
        </span>
      )}
      <button type="button" data-testid="sign-out" onClick={() => void session.signOut()}>
        {session.token === undefined ? text.signOut : text.forgetToken}
      </button>
    </span>
  );
}

export function Header() {
  const dashboard = useDashboard();
  return (
    <header class="top">
      <h1><Logo />{text.name}<span class="version" data-testid="version">{dashboard.version}</span></h1>
      <LiveIndicator />
      <span class="grow" />
      {dashboard.session.state.value === 'in' && <OpenAlerts />}
      {!dashboard.place.kiosk && <><SignedIn /><Settings /></>}
      <ThemeToggle />
    </header>
  );
}

// Above the sign-in page, which says the name itself.
export function FrontHeader() {
  return <header class="front-top"><ThemeToggle /></header>;
}
