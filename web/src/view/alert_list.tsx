import { formatClock, formatDayClock, formatSpan, parseTime } from '../format.ts';
import type { Alert } from '../store/alerts.ts';
import { text } from '../text.ts';
import { parseDeviceTopic } from '../topic.ts';
import { useDashboard } from './context.ts';
import { SeverityMark } from './icons.tsx';
import { StaleNote } from './stale_note.tsx';

const kRowsMax = 200;
const kDayMs = 24 * 3600 * 1000;

function stateWords(alert: Alert): string {
  if (!alert.open) return text.resolved;
  if (alert.acknowledged) return text.acknowledged;
  return alert.data.state === 'stale' ? text.alertStale : text.open;
}

function AlertRow({ alert, now }: { alert: Alert; now: number }) {
  const dashboard = useDashboard();
  const started = parseTime(alert.data.startedAt) ?? alert.changedMs;
  const ended = parseTime(alert.data.endedAt) ?? alert.changedMs;
  const clock = now - started < kDayMs / 2 ? formatClock(started) : formatDayClock(started);
  const site = parseDeviceTopic(alert.topic)?.site;
  return (
    <li
      class={alert.open ? 'alert' : 'alert over'} data-testid="alert-row" data-alert={alert.data.alertId}
      data-state={alert.data.state} data-severity={alert.data.severity} data-open={alert.open}
    >
      <SeverityMark severity={alert.data.severity} quiet={!alert.open} />
      <span class="alert-text">{alert.data.message || alert.data.ruleName}</span>
      <span class="alert-state">{stateWords(alert)}</span>
      <span class="alert-where">
        <button type="button" class="plain" onClick={() => dashboard.chooseTopic(alert.topic)}>{alert.data.deviceId}</button>
        {site && <span class="muted"> · {site}</span>}
      </span>
      <span class="alert-when num">
        {clock} {alert.open ? text.since(formatSpan(now - started)) : text.lasted(formatSpan(ended - started))}
      </span>
    </li>
  );
}

export function AlertList() {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const alerts = dashboard.alerts.list();
  const now = dashboard.serverNow();
  const load = dashboard.alertsLoad.value;
  const retry = () => { void dashboard.loadAlerts(); };
  const older = () => { void dashboard.loadOlderAlerts(); };
  return (
    <section class="card alerts" id="alerts" aria-labelledby="alerts-title" tabIndex={-1}>
      <div class="card-head">
        <h2 id="alerts-title">{text.alerts}</h2>
        <span class="muted num">{alerts.length > 0 && alerts.length}</span>
        <StaleNote />
      </div>
      {load === 'failed' && <p class="note">{text.alertsFailed} <button type="button" onClick={retry}>{text.retry}</button></p>}
      {load === 'loading' && alerts.length === 0 && <p class="note">{text.loading}</p>}
      {load === 'ready' && alerts.length === 0 && <p class="note">{text.alertsNone}</p>}
      <ul>
        {alerts.slice(0, kRowsMax).map((alert) => <AlertRow key={alert.key} alert={alert} now={now} />)}
      </ul>
      {dashboard.alertsNext.value && alerts.length < kRowsMax && (
        <p class="note"><button type="button" onClick={older}>{text.alertsMore}</button></p>
      )}
    </section>
  );
}
