// status.tsx: how the server does: what is out of order in words, then figures of the last minutes.

import { useMemo } from 'preact/hooks';
import { formatDayClock, formatSpan, parseTime } from '../format.ts';
import { formatBytes, formatCount, formatRate } from '../store/amounts.ts';
import { drops, findings, type Finding } from '../store/conditions.ts';
import { labelled, MetricsHistory } from '../store/metrics.ts';
import { readServerStatus, type ServerStatus } from '../store/server_status.ts';
import { text } from '../text.ts';
import { useDashboard } from '../view/context.ts';
import { LiveShape, SeverityMark } from '../view/icons.tsx';
import { ReadingNote, useReading } from '../view/reading.tsx';
import { StaleNote } from '../view/stale_note.tsx';
import { Spread, Trend } from './status_charts.tsx';
import { hasFailed, NotificationLog, readNotifications } from './status_notifications.tsx';
import { words } from './status_text.ts';
import './console_parts.css';
import './status.css';

const kEveryMs = 4_000;
const kNotificationsMs = 15_000;
const kOldestMs = 60_000;

const sentences: Record<Exclude<Finding['what'], 'storage' | 'notReady'>, (counts: number[]) => string> = {
  damaged: ([files, rows]) => words.damaged(files!, rows!),
  unsealable: ([hours]) => words.unsealable(hours!),
  unsynced: () => words.unsynced,
  slow: ([count]) => words.slow(count!),
  overflows: ([count]) => words.overflows(count!),
  differences: ([count]) => words.differences(count!),
  shed: ([count]) => words.shed(count!),
  refusedDevices: ([count]) => words.refusedDevices(count!),
  failedNotifications: ([count]) => words.failedNotifications(count!),
  development: () => words.development,
  insecureCookies: () => words.insecureCookies,
  selfSigned: () => words.selfSigned,
};

function sentence({ what, counts }: Finding, status: ServerStatus): string {
  if (what === 'storage') return words.storage[status.storage ?? ''] ?? String(status.storage);
  if (what === 'notReady') return words.notReady(status.notReady ?? '');
  return sentences[what](counts);
}

function Facts({ rows }: { rows: [string, string][] }) {
  return <dl class="server-facts">{rows.map(([name, value]) => <div key={name}><dt>{name}</dt><dd class="num live-value">{value}</dd></div>)}</dl>;
}

function Condition({ status, found }: { status: ServerStatus; found: Finding[] }) {
  return (
    <ul class="findings" data-testid="findings">
      {found.every(({ severity }) => severity === 'info') && (
        <li class="finding"><span class="mark well"><LiveShape state="connected" />{words.ok}</span><span>{words.well}</span></li>
      )}
      {found.map((finding) => (
        <li key={finding.what} class="finding alert" data-testid="finding" data-what={finding.what}>
          <SeverityMark severity={finding.severity} /><span>{sentence(finding, status)}</span>
        </li>
      ))}
    </ul>
  );
}

function Flow({ history }: { history: MetricsHistory }) {
  const rate = (value: number) => words.perSecond(formatRate(value));
  return (
    <dl class="trends">
      <Trend name={words.rates.points} values={history.rates('millstream_ingest_points_total')} format={rate} />
      <Trend name={words.rates.events} values={history.rates('millstream_log_events_total')} format={rate} />
      <Trend name={words.rates.deliveries} values={history.rates('millstream_stream_events_sent_total')} format={rate} />
      <Trend name={words.rates.bytes} values={history.rates('millstream_stream_bytes_sent_total')} format={(value) => words.perSecond(formatBytes(value))} />
      <Trend name={words.rates.requests} values={history.rates('millstream_http_requests_total{status="2xx"}')} format={rate} />
      <Trend name={words.rates.viewers} values={history.values('millstream_stream_sessions')} format={formatCount} />
    </dl>
  );
}

function Connections({ status, history, roles }: { status: ServerStatus; history: MetricsHistory; roles: string }) {
  const { stats } = status;
  const value = (name: string) => formatCount(history.now.get(`millstream_${name}`) ?? 0);
  const names = words.connectionRows;
  const rows: [string, string][] = [
    ...(status.hasMetrics ? [
      [names.viewers, value('stream_sessions')], [names.http, value('http_connections')], [names.http2, value('http2_connections')],
      [names.replays, value('replays')],
    ] as [string, string][] : []),
    ...(stats ? [
      [names.streams, formatCount(stats.streams)], [names.behind, formatCount(stats.behind)], [names.slow, formatCount(stats.slow)],
      [names.groups, formatCount(stats.groups)], [names.queued, formatBytes(stats.queuedBytes)], [names.oldest, `${formatCount(stats.oldestQueueMs)} ms`],
    ] as [string, string][] : []),
  ];
  const closed = labelled(history.now, 'millstream_stream_sessions_closed_total', 'reason').filter(([, count]) => count > 0);
  return (
    <section class="card" aria-labelledby="connections-title" data-testid="connections">
      <div class="card-head"><h2 id="connections-title">{words.connections}</h2></div>
      <div class="card-body">
        <Facts rows={rows} />
        {closed.length > 0 && <p class="muted">{words.closed}: {closed.map(([why, count]) => `${formatCount(count)} ${words.closedWhy[why] ?? why}`).join(', ')}</p>}
        {!stats && <p class="muted" data-testid="stats-not">{words.accountOnly(roles)}</p>}
      </div>
    </section>
  );
}

function FanOut({ topics }: { topics: { topic: string; streams: number }[] }) {
  return (
    <section class="card" aria-labelledby="fan-out-title" data-testid="fan-out">
      <div class="card-head"><h2 id="fan-out-title">{words.fanOut}</h2></div>
      <div class="card-body">
        {topics.length === 0 ? <p class="muted">{words.fanOutNone}</p> : (
          <table class="figures">
            <thead><tr><th scope="col">{words.topic}</th><th scope="col">{words.streams}</th></tr></thead>
            <tbody>{topics.map(({ topic, streams }) => <tr key={topic}><td>{topic}</td><td class="num live-value">{formatCount(streams)}</td></tr>)}</tbody>
          </table>
        )}
      </div>
    </section>
  );
}

function Rest({ status, history }: { status: ServerStatus; history: MetricsHistory }) {
  const value = (name: string) => history.now.get(`millstream_${name}`) ?? 0;
  const count = (name: string) => formatCount(value(name));
  const left = drops(history, Object.keys(words.dropRows));
  const { storageRows: stored, engineRows: engine } = words;
  return (
    <>
      <section class="card" aria-labelledby="storage-title" data-testid="storage">
        <div class="card-head"><h2 id="storage-title">{words.storageTitle}</h2></div>
        <div class="card-body">
          <Facts rows={[
            [stored.state, words.storageStates[status.storage ?? ''] ?? text.none], [stored.sealedBytes, formatBytes(value('log_sealed_bytes_total'))],
            [stored.bytes, formatBytes(value('log_disk_bytes'))], [stored.free, formatBytes(value('log_disk_free_bytes'))],
            [stored.kept, formatSpan(value('log_retention_seconds') * 1000)],
            [stored.sealed, count('log_sealed_events_total')], [stored.unsealed, count('log_unsealed_events')], [stored.queue, count('log_queue_events')],
            [stored.hours, count('log_hours_unlinked_total')], [stored.once, count('log_once_keys')], [stored.damaged, count('log_damaged_files_total')],
            [stored.devices, count('devices')],
          ]} />
        </div>
      </section>
      <section class="card" aria-labelledby="engines-title" data-testid="engines">
        <div class="card-head"><h2 id="engines-title">{words.engines}</h2></div>
        <div class="card-body">
          <Facts rows={[
            [engine.inbox, count('engine_inbox_events')], [engine.stepped, count('engine_events_total')], [engine.conclusions, count('engine_conclusions_total')],
            [engine.overflows, count('engine_inbox_overflows_total')], [engine.retries, count('engine_retries_total')], [engine.readers, count('reader_queue_jobs')],
            [engine.series, count('series_queue_jobs')], [engine.backtests, count('backtest_queue_jobs')], [engine.workers, count('worker_queue_jobs')],
          ]} />
        </div>
      </section>
      <section class="card" aria-labelledby="drops-title" data-testid="drops">
        <div class="card-head"><h2 id="drops-title">{words.drops}</h2><span class="muted">{words.dropsSince}</span></div>
        <div class="card-body">
          {left.length === 0 ? <p class="muted">{words.dropsNone}</p>
            : <Facts rows={left.map(({ key, count: many }) => [words.dropRows[key] ?? words.rejected[key] ?? key, formatCount(many)])} />}
        </div>
      </section>
    </>
  );
}

export default function StatusPage() {
  const dashboard = useDashboard();
  const { api, session } = dashboard;
  const who = session.who.value;
  const history = useMemo(() => new MetricsHistory(), [dashboard]);
  const reading = useReading(() => readServerStatus(api, history), [dashboard], kEveryMs);
  const notifications = useReading(() => readNotifications(api), [dashboard], kNotificationsMs);
  const oldest = useReading(
    () => api.get<{ events: { id: string }[] }>('/api/events/backfill', { order: 'asc', limit: 1 }), [dashboard], kOldestMs,
  );
  const status = reading.answer.value;
  if (!status) return <ReadingNote reading={reading} />;

  const now = dashboard.serverNow();
  const told = notifications.answer.value;
  const found = findings({
    history, storage: status.storage, notReady: status.notReady !== undefined, slow: status.stats?.slow ?? 0,
    failedNotifications: typeof told === 'object' ? told.deliveries.filter(hasFailed).length : 0,
  });
  const started = parseTime(status.started);
  const first = oldest.answer.value?.events[0]?.id;
  const roles = who?.roles.join(', ') || words.noRoles;
  const span = words.lastMinutes(history.spanMs === 0 ? '' : formatSpan(history.spanMs));
  return (
    <div class={`status ${reading.load.value === 'failed' ? 'not-live' : ''}`} data-testid="status">
      <section class="card" aria-labelledby="status-title">
        <div class="card-head"><h2 id="status-title">{words.title}</h2><StaleNote /></div>
        <ReadingNote reading={reading} />
        <Condition status={status} found={found} />
        <div class="card-body">
          <dl class="server-facts wide" data-testid="facts">
            <div><dt>{words.version}</dt><dd class="num">{status.version || text.none}</dd></div>
            <div><dt>{words.up}</dt><dd class="num live-value">{started === undefined ? text.none : formatSpan(now - started)}</dd></div>
            <div><dt>{words.since}</dt><dd class="num">{started === undefined ? text.none : formatDayClock(started)}</dd></div>
            <div><dt>{words.events}</dt><dd class="num live-value">{first === undefined ? words.noEvents : formatDayClock(Number(first.split('-')[0]))}</dd></div>
            <div><dt>{words.account}</dt><dd class="cut">{who?.account ?? text.none}</dd></div>
          </dl>
        </div>
      </section>
      {!status.hasMetrics && <p class="note card" role="status">{words.unreadable}</p>}
      {status.hasMetrics && (
        <>
          <section class="card" aria-labelledby="flow-title">
            <div class="card-head"><h2 id="flow-title">{words.flow}</h2><span class="muted num">{history.spanMs === 0 ? words.measuring : span}</span></div>
            <Flow history={history} />
          </section>
          <section class="card" aria-labelledby="latency-title">
            <div class="card-head"><h2 id="latency-title">{words.latency}</h2><span class="muted num">{span}</span></div>
            <div class="spreads">
              {Object.entries(words.latencies).map(([name, [title, explained]]) => (
                <Spread key={name} name={title} explained={explained} histogram={history.histogram(name)} />
              ))}
            </div>
          </section>
        </>
      )}
      <div class="status-cards">
        <Connections status={status} history={history} roles={roles} />
        {status.stats && <FanOut topics={status.stats.fanOut} />}
        {status.hasMetrics && <Rest status={status} history={history} />}
      </div>
      <NotificationLog reading={notifications} />
    </div>
  );
}
