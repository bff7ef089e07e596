import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { SeriesAnswer } from '../api.ts';
import { formatDayClock, formatNumber, formatSpan, parseTime } from '../format.ts';
import {
  chartSpan, endedMs, rankOf, silencesOf, type BookedAlert, type TimelineEntry, type WholeAlert,
} from '../store/booked_alerts.ts';
import type { Silence } from '../store/silences.ts';
import { nameOf } from '../store/subject.ts';
import { text } from '../text.ts';
import { parseDeviceTopic } from '../topic.ts';
import { useDashboard } from '../view/context.ts';
import { SeverityMark } from '../view/icons.tsx';
import { MarkedChart, rangeOf } from '../view/marked_chart.tsx';
import { PageLink } from '../view/page_link.tsx';
import { ReadingNote, useReading } from '../view/reading.tsx';
import type { Book } from './alerts.tsx';
import { AlertActions } from './alerts_actions.tsx';
import { alertsText } from './alerts_text.ts';
import { stateWords } from './alerts_words.ts';

const kChartPoints = 300;
const kChartMs = 10_000;

function happened(entry: TimelineEntry, before: TimelineEntry | undefined): string {
  const { state, severity, reason } = entry;
  const value = formatNumber(entry.value);
  const by = entry.by === undefined ? alertsText.someone : nameOf(entry.by);
  switch (state) {
    case 'firing': return reason === 'no_data' ? alertsText.firedSilent : alertsText.fired(value);
    case 'acknowledged': return alertsText.acknowledgedBy(by);
    case 'unacknowledged': return alertsText.takenBackBy(by);
    case 'stale': return alertsText.staleReason[reason ?? ''] ?? alertsText.stale;
    case 'resolved': return reason === 'closed' && entry.by ? alertsText.closedBy(by) : alertsText.resolved(reason);
    default: break;
  }
  if (reason === 'data') return alertsText.dataAgain;
  if (reason === 'gateway') return alertsText.gatewayBack;
  if (reason === 'flapping') return alertsText.flaps;
  if (reason === 'flapping_ended') return alertsText.flapsNoMore;
  if (!before || before.severity === severity) return alertsText.updated;
  const word = text.severity[severity];
  return rankOf(severity) < rankOf(before.severity) ? alertsText.roseTo(word, value) : alertsText.fellTo(word, value);
}

function Timeline({ alert }: { alert: WholeAlert }) {
  // What was left out stood in the middle.
  const middle = alert.timelineDropped > 0 ? alert.timeline.length >> 1 : -1;
  return (
    <section class="timeline" aria-labelledby="timeline-title">
      <h4 id="timeline-title">{alertsText.timeline}</h4>
      <ol data-testid="timeline">
        {alert.timeline.map((entry, i) => (
          <li key={entry.event} data-state={entry.state} class={`severity-${entry.severity}`}>
            {i === middle && <p class="muted">{alertsText.dropped(alert.timelineDropped)}</p>}
            <time class="num muted" dateTime={entry.ts}>{formatDayClock(parseTime(entry.ts) ?? 0)}</time>{' '}
            <span>{happened(entry, alert.timeline[i - 1])}</span>
            {entry.note && <q>{entry.note}</q>}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return <div><dt>{name}</dt><dd>{children}</dd></div>;
}

function Facts({ alert, now }: { alert: BookedAlert; now: number }) {
  const site = parseDeviceTopic(alert.topic)?.site;
  const started = parseTime(alert.startedAt) ?? now;
  const published = alert.ruleId.includes(':');
  const labels = Object.entries(alert.labels ?? {});
  return (
    <dl class="alert-facts">
      <Fact name={alertsText.device}>
        <PageLink page="device" values={{ device: alert.deviceId, site }} testId="alert-device">{alert.deviceId}</PageLink>
        {site && <span class="muted"> · {site}</span>}
      </Fact>
      <Fact name={alertsText.rule}>
        {published
          ? <>{alert.ruleName} <span class="muted">({alertsText.published})</span></>
          : <PageLink page="rules" values={{ rule: alert.ruleId }} testId="alert-rule">{alert.ruleName || alert.ruleId}</PageLink>}
      </Fact>
      {alert.field && (
        <Fact name={alertsText.value}>
          <span class="muted">{alert.field} </span><span class="num live-value">{formatNumber(alert.value)}</span>
          <span class="muted"> · {alertsText.threshold} </span><span class="num">{formatNumber(alert.threshold)}</span>
        </Fact>
      )}
      <Fact name={alertsText.started}>
        <span class="num">{formatDayClock(started)}</span>
        <span class="muted num"> · {alert.open ? text.since(formatSpan(now - started)) : text.lasted(formatSpan(endedMs(alert) - started))}</span>
      </Fact>
      {alert.highestSeverity !== alert.severity && <Fact name={alertsText.worst}>{text.severity[alert.highestSeverity]}</Fact>}
      {labels.length > 0 && (
        <Fact name={alertsText.labels}>{labels.map(([name, value]) => <span key={name} class="tag">{name}={value}</span>)}</Fact>
      )}
    </dl>
  );
}

function ValueChart({ alert }: { alert: BookedAlert }) {
  const dashboard = useDashboard();
  const { topic, field, deviceId, startedAt, open } = alert;
  const site = parseDeviceTopic(topic)?.site;
  const reading = useReading(async () => {
    const { startMs, endMs } = chartSpan(alert, dashboard.serverNow());
    const [start, end] = [startMs, endMs].map((ms) => new Date(ms).toISOString());
    return dashboard.api.get<SeriesAnswer>('/api/series', { deviceId, siteId: site, fields: field, start, end, points: kChartPoints });
  }, [topic, field, startedAt, open], open ? kChartMs : undefined);
  const answer = reading.answer.value;
  const buckets = answer?.series[field] ?? [];
  if (answer && buckets.length === 0) return <p class="note">{alertsText.chartNone}</p>;
  const startMs = parseTime(startedAt) ?? 0;
  return (
    <>
      <ReadingNote reading={reading} />
      {answer && (
        <MarkedChart
          data={{ buckets, stepMs: answer.stepMs, ...rangeOf(answer) }} label={alertsText.chart(field, deviceId)}
          legend={alertsText.limitLine} testId="alert-chart"
          marks={{
            lines: [{ value: alert.threshold, severity: alert.severity }],
            spans: [{ fromMs: startMs, toMs: open ? rangeOf(answer).endMs : endedMs(alert), severity: alert.highestSeverity }],
          }}
        />
      )}
    </>
  );
}

interface Props {
  id: string;
  book: Book;
  silences: Silence[];
  byHand: boolean;  // opened on this page, so the focus follows
  onSilenced: () => void;
}

export default function AlertDetail({ id, book, silences, byHand, onSilenced }: Props) {
  const dashboard = useDashboard();
  const heading = useRef<HTMLHeadingElement>(null);
  const reading = useReading(() => dashboard.api.get<WholeAlert>(`/api/alerts/${encodeURIComponent(id)}`), [id]);
  const whole = reading.answer.value;
  const known = book.alerts.find(id);
  const behind = whole !== undefined && known !== undefined && known.lastEvent !== whole.lastEvent;
  useEffect(() => { if (behind) void reading.refresh(); }, [known?.lastEvent, behind]);
  useEffect(() => { if (whole) book.put(whole); }, [whole]);
  const alert = known ?? whole;
  const there = alert !== undefined;
  useEffect(() => { if (byHand && there) heading.current?.focus(); }, [there]);
  const close = () => dashboard.place.set({ alert: undefined }, 'push');
  const now = dashboard.serverNow();
  const quiet = alert ? silencesOf(alert, silences, now) : [];
  const until = Math.max(...quiet.map((silence) => parseTime(silence.endsAt) ?? 0));
  return (
    <section
      class="card alarm-detail" aria-labelledby="detail-title" data-testid="alert-detail" data-alert={alert?.alertId}
      onKeyDown={(event) => { if (event.key === 'Escape' && !(event.target as Element).closest('dialog')) close(); }}
    >
      <div class="detail-head">
        <button type="button" class="back" data-testid="alert-back" onClick={close}>← {alertsText.back}</button>
        <button type="button" class="icon" aria-label={alertsText.close} data-testid="alert-close" onClick={close}>×</button>
      </div>
      {!alert && reading.load.value === 'failed' && (
        <p class="note" role="alert">{alertsText.gone} <span class="muted">{reading.error.value}</span></p>
      )}
      {!alert && reading.load.value === 'loading' && <p class="note">{text.loading}</p>}
      {alert && (
        <>
          <h3 id="detail-title" ref={heading} tabIndex={-1}>{alert.message || alert.ruleName}</h3>
          <p class="alert state-line" data-testid="alert-state-line" data-open={alert.open} data-acknowledged={alert.ack !== undefined}>
            <SeverityMark severity={alert.severity} quiet={!alert.open} />
            {!(alert.open && alert.ack) && <span>{stateWords(alert)}</span>}
            {alert.stale && alert.ack && <span class="tag">{text.alertStale}</span>}
            {alert.flapping && alert.open && <span class="tag">{alertsText.flapping}</span>}
            <AckLine alert={alert} />
            {quiet.length > 0 && <span class="tag" data-testid="alert-silenced">{alertsText.silencedUntil(formatDayClock(until))}</span>}
          </p>
          <AlertActions id={id} alert={alert} onWhole={(answer) => { reading.answer.value = answer; book.put(answer); }}
            onLate={() => void reading.refresh()} onSilenced={onSilenced} />
          <Facts alert={alert} now={now} />
          {alert.field ? <ValueChart alert={alert} /> : <p class="note">{alertsText.chartNoField}</p>}
          {whole ? <Timeline alert={whole} /> : <ReadingNote reading={reading} />}
        </>
      )}
    </section>
  );
}

function AckLine({ alert }: { alert: BookedAlert }) {
  const { ack } = alert;
  if (!ack || !alert.open) return null;
  return (
    <span class="acked" data-testid="alert-ack">
      {alertsText.ackBy(nameOf(ack.by), formatDayClock(parseTime(ack.at) ?? 0))}{ack.note && <q>{ack.note}</q>}
    </span>
  );
}
