// device.tsx: one device: what it is, its latest values, a chart of each of its numbers, its alerts of 24 hours.

import './device.css';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { AlertData } from '../../sdk/index.ts';
import type { DeviceAnswer } from '../api.ts';
import { formatClock, formatDayClock, formatSpan, formatValue, parseTime, withUnit } from '../format.ts';
import { kAlertSpanMs } from '../store/alerts.ts';
import type { RuleAnswer } from '../store/chart_marks.ts';
import { parseCsv } from '../store/csv.ts';
import type { Device } from '../store/devices.ts';
import { text } from '../text.ts';
import { words } from './device_text.ts';
import { useDashboard } from '../view/context.ts';
import { PresenceMark, SeverityMark } from '../view/icons.tsx';
import { PageLink } from '../view/page_link.tsx';
import { ReadingNote, useReading } from '../view/reading.tsx';
import { StaleNote } from '../view/stale_note.tsx';
import { DeviceCharts } from './device_charts.tsx';

const kAgainMs = 60_000;
const kAlertsMax = 200;
const kDayMs = 24 * 3600 * 1000;

interface Settings {
  name?: string;
  attributes?: Record<string, number>;
  [said: string]: unknown;
}
type WholeDevice = DeviceAnswer & { settings?: Settings };
type DeviceAlert = AlertData & { topic: string; open: boolean };

export default function DevicePage() {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const id = dashboard.place.get('device');
  const site = dashboard.place.get('site');
  const device = id === undefined ? undefined : dashboard.devices.find(id, site);
  if (device) return <DeviceView key={device.topic} device={device} />;
  if (id !== undefined && dashboard.devicesLoad.value === 'loading') return <p class="note">{text.loading}</p>;
  return (
    <section class="card unknown-device" data-testid="unknown-device">
      <h2>{id === undefined ? words.noneTitle : words.unknownTitle(id, site)}</h2>
      <p>{id === undefined ? words.none : words.unknown}</p>
      <p><PageLink page="overview">{words.toOverview}</PageLink></p>
    </section>
  );
}

function DeviceView({ device }: { device: Device }) {
  const dashboard = useDashboard();
  const { api } = dashboard;
  dashboard.drawn.value;
  const { deviceId, siteId, topic } = device;
  const whole = useReading(
    () => api.get<WholeDevice>(`/api/devices/${encodeURIComponent(deviceId)}`, { siteId }), [topic], kAgainMs);
  const rules = useReading(() => api.get<{ rules: RuleAnswer[] }>('/api/rules', { topic, enabled: 'true' }), [topic], kAgainMs);
  const times = useReading(async () => timesOf(await (await api.open(`/api/devices?${new URLSearchParams({ deviceId, siteId })}`, { headers: { Accept: 'text/csv' } })).text()), [topic], kAgainMs);
  // They are read again when the stream told of one of its alerts.
  const told = dashboard.alerts.list().filter((alert) => alert.topic === topic).map(({ at }) => `${at.ms}-${at.seq}`).join(' ');
  const alerts = useReading(
    () => api.get<{ alerts: DeviceAlert[] }>('/api/alerts', {
      topic, since: new Date(dashboard.serverNow() - kAlertSpanMs).toISOString(), limit: kAlertsMax,
    }), [topic], kAgainMs);
  useEffect(() => { if (told !== '') void alerts.refresh(); }, [told]);
  const described = whole.answer.value;
  const itsAlerts = alerts.answer.value?.alerts ?? [];
  return (
    <>
      <Identity device={device} described={described} />
      <div class="device-columns">
        <div class="side">
          <Values device={device} times={times.answer.value} />
          <DeviceAlerts alerts={itsAlerts} note={<ReadingNote reading={alerts} />} read={alerts.load.value === 'ready'} />
          {described && <About described={described} />}
        </div>
        <DeviceCharts
          device={device} rules={rules.answer.value?.rules ?? []} alerts={itsAlerts}
          described={{ tags: described?.tags, attributes: described?.settings?.attributes }}
        />
      </div>
    </>
  );
}

// When each value was measured: only the table of devices says so.
function timesOf(table: string): Map<string, number> {
  const times = new Map<string, number>();
  for (const row of parseCsv(table).slice(1)) {
    const tMs = parseTime(row[6]);
    if (row[4] !== undefined && tMs !== undefined) times.set(row[4], tMs);
  }
  return times;
}

function Identity({ device, described }: { device: Device; described: WholeDevice | undefined }) {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const name = described?.settings?.name;
  const reason = words.reasons[device.reason as keyof typeof words.reasons] ?? device.reason;
  const seen = device.lastSeenMs;
  return (
    <section class="card identity" data-testid="device-head" data-device={device.deviceId}>
      <h2><span class="cut" title={device.deviceId}>{device.deviceId}</span>{name && <span class="muted cut">{name}</span>}</h2>
      <PresenceMark status={device.status} />
      {reason && <span data-testid="device-reason">{reason}</span>}
      <StaleNote />
      <span class="grow" />
      <span class="muted">{text.site} <b>{device.siteId}</b></span>
      <span class="muted num" title={seen === undefined ? undefined : formatDayClock(seen)}>
        {text.lastSeen} <b class="live-value">{seen === undefined ? text.never : words.ago(formatSpan(dashboard.serverNow() - seen))}</b>
      </span>
    </section>
  );
}

function Values({ device, times }: { device: Device; times: Map<string, number> | undefined }) {
  const dashboard = useDashboard();
  dashboard.drawn.value;
  const now = dashboard.serverNow();
  const chosen = dashboard.place.get('field');
  const numbers = new Set(dashboard.chartFields(device));
  return (
    <section class="card" aria-labelledby="values-title">
      <div class="card-head"><h3 id="values-title">{text.values}</h3><span class="muted num">{device.cells.size}</span></div>
      {device.cells.size === 0 && <p class="note">{words.noValues}</p>}
      <div class="value-rows" tabIndex={0} role="group" aria-label={words.valueRows}>
        <table aria-labelledby="values-title">
          <thead><tr><th scope="col">{words.field}</th><th scope="col">{words.value}</th><th scope="col">{words.age}</th></tr></thead>
          <tbody>
            {[...device.cells].map(([field, cell]) => {
              const tMs = cell.tMs ?? times?.get(field);
              const value = withUnit(formatValue(cell.value), cell.unit);
              return (
                <tr key={field} data-testid="value-row" data-field={field} aria-current={field === chosen ? 'true' : undefined}>
                  <th scope="row" title={field}>
                    {numbers.has(field)
                      ? <button type="button" class="plain cut" onClick={() => dashboard.place.set({ field: field === chosen ? undefined : field })}>{field}</button>
                      : <span class="cut">{field}</span>}
                  </th>
                  <td class="num live-value cut" title={value}>{value}</td>
                  <td class="num muted" title={tMs === undefined ? undefined : formatDayClock(tMs)}>
                    {tMs === undefined ? text.none : formatSpan(now - tMs)}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function DeviceAlerts({ alerts, note, read }: { alerts: DeviceAlert[]; note: ComponentChildren; read: boolean }) {
  const dashboard = useDashboard();
  const now = dashboard.nowMs.value;
  const order = [...alerts].sort((a, b) => Number(b.open) - Number(a.open));
  return (
    <section class="card" aria-labelledby="device-alerts-title" data-testid="device-alerts">
      <div class="card-head"><h3 id="device-alerts-title">{text.alerts}</h3><span class="muted num">{alerts.length > 0 && alerts.length}</span></div>
      {note}
      {read && alerts.length === 0 && <p class="note">{text.alertsNone}</p>}
      <ul class="alert-rows">
        {order.map((alert) => {
          const started = parseTime(alert.startedAt) ?? now;
          const ended = parseTime(alert.endedAt) ?? now;
          const clock = now - started < kDayMs / 2 ? formatClock(started) : formatDayClock(started);
          return (
            <li class={alert.open ? 'alert' : 'alert over'} key={`${alert.alertId} ${alert.startedAt}`} data-testid="device-alert" data-open={alert.open}>
              <SeverityMark severity={alert.severity} quiet={!alert.open} />
              <span class="alert-state">{alert.open ? (alert.ack ? text.acknowledged : text.open) : text.resolved}</span>
              <PageLink page="alerts" values={{ alert: alert.alertId }} class="alert-text">{alert.message || alert.ruleName}</PageLink>
              <span class="alert-when num">{clock} {alert.open ? text.since(formatSpan(now - started)) : text.lasted(formatSpan(ended - started))}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

// What people and the device itself say of it.
function About({ described }: { described: WholeDevice }) {
  const { name: _, attributes = {}, ...said } = described.settings ?? {};
  const facts: [string, string][] = [
    [words.topic, described.topic],
    ...Object.entries(said).map(([name, value]): [string, string] => [words.settings[name as keyof typeof words.settings] ?? name, String(value)]),
    ...Object.entries(attributes).map(([name, value]): [string, string] => [name, formatValue(value)]),
    ...Object.entries(described.tags ?? {}),
  ];
  return (
    <section class="card" aria-labelledby="about-title" data-testid="device-about">
      <div class="card-head"><h3 id="about-title">{words.about}</h3></div>
      <dl class="device-facts">
        {facts.map(([name, value]) => <div key={name}><dt class="cut" title={name}>{name}</dt><dd title={value}>{value}</dd></div>)}
      </dl>
    </section>
  );
}
