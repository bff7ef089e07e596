import type { TargetedKeyboardEvent } from 'preact';
import { useSignal } from '@preact/signals';
import type { Severity } from '../../sdk/index.ts';
import { formatClock, formatDayClock, formatSpan, parseTime } from '../format.ts';
import { kAlertSpanMs } from '../store/alerts.ts';
import { endedMs, kSeverities, kStates, refOf, silencesOf, type AlertFilter, type BookedAlert, type StateFilter } from '../store/booked_alerts.ts';
import type { Silence } from '../store/silences.ts';
import { nameOf } from '../store/subject.ts';
import { text } from '../text.ts';
import { parseDeviceTopic } from '../topic.ts';
import { useDashboard } from '../view/context.ts';
import { SeverityMark } from '../view/icons.tsx';
import { PageLink } from '../view/page_link.tsx';
import { ReadingNote } from '../view/reading.tsx';
import { StaleNote } from '../view/stale_note.tsx';
import type { Book } from './alerts.tsx';
import { alertsText } from './alerts_text.ts';
import { stateWords } from './alerts_words.ts';

const kRows = 200;
const kHalfDayMs = 12 * 3600_000;

function useFilter(): AlertFilter {
  const { place } = useDashboard();
  const said = (place.get('severity') ?? '').split(',');
  const state = place.get('state');
  return {
    severities: kSeverities.filter((severity) => said.includes(severity)),
    state: kStates.find((known) => known === state),
    search: place.get('search') ?? '',
  };
}

function Row({ alert, silences, chosen, now }: { alert: BookedAlert; silences: Silence[]; chosen: boolean; now: number }) {
  const { place } = useDashboard();
  const started = parseTime(alert.startedAt) ?? now;
  const site = parseDeviceTopic(alert.topic)?.site;
  const ref = refOf(alert);
  const open = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    place.set({ alert: ref }, 'push');
  };
  const filters = { severity: place.get('severity'), state: place.get('state'), search: place.get('search') };
  return (
    <li
      class={`alert booked${alert.open ? '' : ' over'}`} data-testid="booked-row" data-alert={alert.alertId} data-open={alert.open}
      data-severity={alert.severity} data-state={alert.state} data-chosen={chosen}
    >
      <SeverityMark severity={alert.severity} quiet={!alert.open} />
      <a
        class="alert-text" href={place.href('alerts', { ...filters, alert: ref })} data-ref={ref} aria-current={chosen ? 'true' : undefined}
        onClick={open}
      >{alert.message || alert.ruleName}</a>
      <span class="alert-state">
        {stateWords(alert)}{alert.ack && alert.open && <span class="muted"> {alertsText.by(nameOf(alert.ack.by))}</span>}
        {alert.stale && alert.ack && <span class="tag">{text.alertStale}</span>}
        {silences.length > 0 && <span class="tag">{alertsText.silenced}</span>}
        {alert.flapping && alert.open && <span class="tag">{alertsText.flapping}</span>}
      </span>
      <span class="alert-where">
        <PageLink page="device" values={{ device: alert.deviceId, site }}>{alert.deviceId}</PageLink>
        {site && <span class="muted"> · {site}</span>}{alert.message && <span class="muted"> · {alert.ruleName}</span>}
      </span>
      <span class="alert-when num">
        {now - started < kHalfDayMs ? formatClock(started) : formatDayClock(started)}{' '}
        {alert.open ? text.since(formatSpan(now - started)) : text.lasted(formatSpan(endedMs(alert) - started))}
      </span>
    </li>
  );
}

function Filters({ filter, open }: { filter: AlertFilter; open: Record<Severity, number> }) {
  const { place } = useDashboard();
  const toggle = (severity: Severity) => {
    const { severities } = filter;
    const next = severities.includes(severity) ? severities.filter((other) => other !== severity) : [...severities, severity];
    place.set({ severity: next.join(',') || undefined });
  };
  return (
    <div class="alarm-filters" role="search">
      <input
        type="search" data-testid="alert-search" aria-label={alertsText.search} placeholder={alertsText.searchHint} value={filter.search}
        onInput={(event) => place.set({ search: event.currentTarget.value || undefined })}
      />
      <div class="segments" role="group" aria-label={alertsText.severities}>
        {kSeverities.map((severity) => (
          <button
            type="button" key={severity} data-testid={`severity-${severity}`} aria-pressed={filter.severities.includes(severity)}
            onClick={() => toggle(severity)}
          ><SeverityMark severity={severity} /> <span class="num muted">{open[severity]}</span></button>
        ))}
      </div>
      <select
        data-testid="alert-state" aria-label={alertsText.state} value={filter.state ?? ''}
        onChange={(event) => place.set({ state: event.currentTarget.value || undefined })}
      >
        <option value="">{alertsText.stateAll}</option>
        {kStates.map((state: StateFilter) => <option key={state} value={state}>{alertsText.states[state]}</option>)}
      </select>
    </div>
  );
}

// Up and down between the rows, as in a list of mails.
function moveBetweenRows(event: TargetedKeyboardEvent<HTMLElement>): void {
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>('a.alert-text')];
  const row = (event.target as HTMLElement).closest('li');
  const at = links.findIndex((link) => link.closest('li') === row);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
  const link = to === undefined ? undefined : links[to];
  if (!link) return;
  event.preventDefault();
  link.focus();
}

export function BookedList({ book, silences, chosen }: { book: Book; silences: Silence[]; chosen: string | undefined }) {
  const dashboard = useDashboard();
  const rows = useSignal(kRows);
  const filter = useFilter();
  const now = dashboard.serverNow();
  const alerts = book.alerts.list(filter, now - kAlertSpanMs);
  const all = book.alerts.list({ severities: [], state: undefined, search: '' }, now - kAlertSpanMs);
  const open = { critical: 0, warning: 0, info: 0 };
  for (const alert of all) if (alert.open) ++open[alert.severity];
  const ready = book.reading.answer.value !== undefined;
  const more = alerts.length > rows.value || book.older !== undefined;
  const showMore = () => {
    if (alerts.length <= rows.value) book.loadOlder();
    rows.value += kRows;
  };
  return (
    <section class="card alarm-list" aria-labelledby="alarms-title">
      <div class="card-head">
        <h2 id="alarms-title" tabIndex={-1}>{alertsText.title}</h2>
        <span class="muted num" data-testid="alert-count">{ready && text.shownOf(alerts.length, all.length)}</span>
        <StaleNote />
        <span class="grow" />
        <Filters filter={filter} open={open} />
      </div>
      <ReadingNote reading={book.reading} />
      {ready && all.length === 0 && <p class="note" data-testid="alerts-none">{alertsText.none}</p>}
      {ready && all.length > 0 && alerts.length === 0 && (
        <p class="note">
          {alertsText.noMatch}{' '}
          <button type="button" onClick={() => dashboard.place.set({ search: undefined, severity: undefined, state: undefined })}>
            {alertsText.showAll}
          </button>
        </p>
      )}
      <ul aria-label={alertsText.list} onKeyDown={moveBetweenRows}>
        {alerts.slice(0, rows.value).map((alert) => (
          <Row
            key={`${alert.topic} ${alert.alertId}`} alert={alert} silences={silencesOf(alert, silences, now)} now={now}
            chosen={chosen !== undefined && (alert.alertId === chosen || alert.firstEvent === chosen)}
          />
        ))}
      </ul>
      {ready && more && <p class="note"><button type="button" onClick={showMore}>{alertsText.more}</button></p>}
    </section>
  );
}
