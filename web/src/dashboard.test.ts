import { effect } from '@preact/signals';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeEventSource } from '../sdk/testing/fake_event_source.ts';
import { Dashboard, kDrawMs, type DashboardOptions } from './dashboard.ts';
import { Place } from './place.ts';
import { ChartSource } from './store/chart_source.ts';

const kNow = Date.parse('2026-01-27T12:00:00Z');
const kTopic = 'account:1/site:2/device:d';

let dashboard: Dashboard;
let asked: string[];
let answers: Record<string, { status: number; body: unknown }>;
let moves: string[];

const device = (name: string, fields: Record<string, unknown> = {}, site = '2') => ({
  deviceId: name, siteId: site, topic: `account:1/site:${site}/device:${name}`, status: 'online', reason: 'data',
  lastSeen: new Date(kNow).toISOString(), ts: null, fields,
});
const alert = (id: string, alertId: string, state: string, severity = 'warning') => ({
  id, ts: new Date(kNow).toISOString(), topic: kTopic, type: 'alert',
  data: { alertId, deviceId: 'd', state, severity, message: 'm', startedAt: new Date(kNow).toISOString() },
});

async function start(search = '', options: Partial<DashboardOptions> = {}): Promise<FakeEventSource> {
  dashboard = new Dashboard({
    baseUrl: 'http://host',
    place: new Place(search, (to) => moves.push(to)),
    client: { eventSource: FakeEventSource, random: () => 0.5 },
    ...options,
  });
  dashboard.start();
  await vi.advanceTimersByTimeAsync(kDrawMs);
  return FakeEventSource.last;
}
const draw = () => vi.advanceTimersByTimeAsync(kDrawMs);
const askedFor = (path: string) => asked.filter((url) => url.startsWith(`http://host${path}`));

beforeEach(() => {
  vi.useFakeTimers({ now: kNow });
  FakeEventSource.opened = [];
  [asked, moves] = [[], []];
  answers = {
    '/api/me': { status: 200, body: { kind: 'development', subject: 'development', account: '1', roles: ['admin'], sites: null, devices: null, expiresAt: null } },
    '/api/devices': { status: 200, body: { asOf: '5-0', devices: [] } },
    '/api/latest': { status: 200, body: { asOf: '5-0', events: [] } },
    '/api/events/backfill': { status: 200, body: { events: [], next: null, last: '5-0' } },
    '/api/series': { status: 200, body: { start: new Date(kNow - 900_000).toISOString(), stepMs: 2000, series: {} } },
    '/health': { status: 200, body: { name: 'millstream', status: 'pass', version: '0.1.0' } },
  };
  vi.stubGlobal('BroadcastChannel', undefined);
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(url);
    const answer = answers[new URL(url).pathname] ?? { status: 404, body: {} };
    if (answer.status === 0) throw new TypeError('network');
    return new Response(JSON.stringify(answer.body), { status: answer.status });
  });
});
afterEach(() => {
  dashboard.stop();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('Dashboard', () => {
  it('shows what REST and the stream say, and the version', async () => {
    answers['/api/devices']!.body = { asOf: '5-0', devices: [device('d', { T1: 1, T2: 2 })] };
    const stream = await start();
    expect(stream.query.get('snapshot')).toBe('latest');
    stream.hello('5-0');
    stream.telemetry('6-0', { T1: 3 }, { topic: kTopic });
    await draw();
    expect(dashboard.live.value.state).toBe('connected');
    expect(dashboard.version.value).toBe('0.1.0');
    expect(dashboard.devices.find('d')!.value('T1')).toBe(3);
    expect(dashboard.devices.find('d')!.value('T2')).toBe(2);
  });

  it('draws four times a second however many events come, and not at all when none do', async () => {
    const stream = await start();
    stream.hello('5-0');
    await draw();
    let drawings = 0;
    const stop = effect(() => { dashboard.drawn.value; ++drawings; });
    drawings = 0;
    for (let i = 0; i < 100; ++i) {
      stream.telemetry(`${10 + i}-0`);
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(drawings).toBe(4);
    drawings = 0;
    await vi.advanceTimersByTimeAsync(3_000);
    expect(drawings).toBe(3);  // the clock's seconds
    stop();
  });

  it('keeps the received ids in order, bounded', async () => {
    const stream = await start();
    stream.hello('5-0');
    stream.telemetry('4-0', { T1: 0 }, { snapshot: true });
    stream.telemetry('6-0');
    stream.telemetry('7-0');
    expect(dashboard.log).toEqual(['6-0', '7-0']);
    for (let i = 0; i < 20_050; ++i) stream.telemetry(`8-${i}`);
    expect(dashboard.log.length).toBeLessThanOrEqual(20_000);
    expect(dashboard.log.at(-1)).toBe('8-20049');
  });

  it('opens the device of the address, also when it appears later', async () => {
    answers['/api/devices']!.body = { asOf: '5-0', devices: [device('a', { T1: 1 })] };
    const stream = await start('?device=d&field=T2&range=5m');
    expect(dashboard.chosen.value).toBeUndefined();
    stream.hello('5-0');
    stream.telemetry('6-0', { T1: 1, T2: 2 }, { topic: kTopic });
    await draw();
    expect(dashboard.chosen.value?.deviceId).toBe('d');
    expect(dashboard.chart.value?.field).toBe('T2');
    const query = new URL(askedFor('/api/series')[0]!).searchParams;
    expect(Object.fromEntries(query)).toMatchObject({ deviceId: 'd', siteId: '2', fields: 'T2', points: '300' });
    expect(Date.parse(query.get('end')!) - Date.parse(query.get('start')!)).toBe(300_000);
  });

  it('opens the first device by name where the address names none, and writes a choice into it', async () => {
    answers['/api/devices']!.body = {
      asOf: '5-0', devices: [device('d10', { T1: 1 }), device('d9', { mode: 'auto', T1: 1 }), device('d9', { T1: 1 }, '3')],
    };
    await start();
    expect(dashboard.chosen.value?.deviceId).toBe('d9');
    expect(dashboard.chart.value?.field).toBe('T1');
    expect(moves).toEqual([]);
    dashboard.choose(dashboard.devices.find('d9', '3')!);
    dashboard.chooseRange('1h');
    dashboard.choose(dashboard.devices.find('d10')!);
    expect(moves).toEqual(['?device=d9&site=3', '?device=d9&site=3&range=1h', '?device=d10&range=1h']);
  });

  it('fills the chart from the past, then live', async () => {
    answers['/api/devices']!.body = { asOf: '5-0', devices: [device('d', { T1: 1 })] };
    answers['/api/series']!.body = {
      start: new Date(kNow - 900_000).toISOString(), stepMs: 2000,
      series: { T1: [{ t: new Date(kNow - 10_000).toISOString(), min: 1, max: 3, avg: 2, last: 3, count: 2 }] },
    };
    const stream = await start();
    stream.hello('5-0');
    await draw();
    stream.telemetry('6-0', { T1: 7 }, { topic: kTopic, ts: new Date(kNow).toISOString() });
    stream.telemetry('7-0', { T2: 9 }, { topic: kTopic, ts: new Date(kNow).toISOString() });
    stream.telemetry('8-0', { T1: 9 }, { topic: 'account:1/site:2/device:other', ts: new Date(kNow).toISOString() });
    expect(dashboard.chart.value!.buckets.newest(9).map((point) => point.avg)).toEqual([7, 2]);
  });

  it('feeds the charts of another page, reads them again after a gap unless they are held, and opens none of its own there', async () => {
    answers['/api/devices']!.body = { asOf: '5-0', devices: [device('d', { T1: 1 })] };
    const stream = await start('?page=device&device=d');
    stream.hello('5-0');
    await draw();
    expect([dashboard.chart.value, askedFor('/api/series')]).toEqual([undefined, []]);
    const [followed, held] = ['T1', 'T2'].map((field) =>
      new ChartSource(dashboard.api, dashboard.devices.find('d')!, [field], '5m', () => {})) as [ChartSource, ChartSource];
    for (const chart of [followed, held]) {
      chart.state = 'ready';
      dashboard.pageCharts.add(chart);
    }
    held.held = true;
    stream.telemetry('4-0', { T1: 1, T2: 1 }, { topic: kTopic, ts: new Date(kNow).toISOString(), snapshot: true });
    stream.telemetry('6-0', { T1: 7, T2: 7 }, { topic: kTopic, ts: new Date(kNow).toISOString() });
    expect([followed, held].map((chart) => chart.buckets.newest(9).map((point) => point.avg))).toEqual([[7], []]);
    stream.block('gap', { from: '5-0', to: '9-0', reason: 'slow', backfill: 'b' });
    await draw();
    expect(askedFor('/api/series').map((url) => new URL(url).searchParams.get('fields'))).toEqual(['T1']);
  });

  it('shows what is in trouble first on a wall', async () => {
    await start('?kiosk=1');
    expect([dashboard.place.kiosk, dashboard.query.value.sort]).toEqual([true, 'status']);
  });

  it('reads everything again after a gap, and again later when that failed', async () => {
    answers['/api/devices']!.body = { asOf: '5-0', devices: [device('d', { T1: 1 })] };
    const stream = await start();
    stream.hello('5-0');
    await draw();
    asked.length = 0;
    answers['/api/devices']!.status = 503;
    stream.block('gap', { from: '5-0', to: '9-0', reason: 'slow', backfill: 'b' });
    await draw();
    for (const path of ['/api/devices', '/api/latest', '/api/events/backfill', '/api/series']) {
      expect(askedFor(path), path).toHaveLength(1);
    }
    answers['/api/devices'] = { status: 200, body: { asOf: '9-0', devices: [device('d', { T1: 42 })] } };
    await vi.advanceTimersByTimeAsync(7_000);
    expect(askedFor('/api/devices')).toHaveLength(2);
    expect(dashboard.devices.find('d')!.value('T1')).toBe(42);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(askedFor('/api/devices')).toHaveLength(2);
  });

  it('says that nothing can be stored, until it can or another stream begins', async () => {
    const stream = await start();
    stream.hello('5-0');
    expect(dashboard.storage.value).toBe('ok');
    stream.block('degraded', { storage: 'full' });
    expect(dashboard.storage.value).toBe('full');
    stream.block('degraded', { storage: 'ok' });
    expect(dashboard.storage.value).toBe('ok');
    stream.block('degraded', { storage: 'read_only' });
    stream.hello('6-0');
    expect(dashboard.storage.value).toBe('ok');
  });

  it('lists the alerts of the day, then live, and toasts only what is new', async () => {
    answers['/api/events/backfill']!.body = { events: [alert('3-0', 'old', 'resolved'), alert('2-0', 'open', 'firing')], next: 'c', last: '5-0' };
    answers['/api/latest']!.body = { asOf: '5-0', events: [alert('2-0', 'open', 'firing')] };
    const stream = await start();
    stream.hello('5-0');
    stream.send('alert', { ...alert('4-0', 'open before', 'firing'), snapshot: true });
    stream.send('alert', alert('6-0', 'new', 'firing', 'critical'));
    await draw();
    expect(dashboard.alerts.list().map((entry) => entry.data.alertId)).toEqual(['new', 'open before', 'open', 'old']);
    expect(dashboard.toasts.list.map((toast) => toast.alert.data.alertId)).toEqual(['new']);
    expect(new URL(askedFor('/api/events/backfill')[0]!).searchParams.get('since')).toBe(new Date(kNow - 86_400_000).toISOString());
    answers['/api/events/backfill']!.body = { events: [alert('1-0', 'older', 'resolved')], next: null, last: '5-0' };
    await dashboard.loadOlderAlerts();
    expect(dashboard.alerts.list()).toHaveLength(5);
    expect(dashboard.alertsNext.value).toBeNull();
  });

  it('says since when its values are not live', async () => {
    const stream = await start();
    expect(dashboard.asOfMs()).toBeUndefined();
    const heard = Date.now() + 90_000;  // the server's clock is ahead
    stream.send('system', { ts: new Date(heard).toISOString(), type: 'system', data: { kind: 'hello', cursor: '5-0' } });
    expect(dashboard.asOfMs()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(3_000);
    stream.drop();
    expect(dashboard.asOfMs()).toBe(heard);
    await vi.advanceTimersByTimeAsync(500);
    expect(dashboard.asOfMs()).toBe(heard);
    FakeEventSource.last.hello('5-0', true);
    expect(dashboard.asOfMs()).toBeUndefined();
  });

  it('follows the server\'s clock, not its own', async () => {
    const stream = await start();
    stream.send('system', { ts: new Date(Date.now() + 90_000).toISOString(), type: 'system', data: { kind: 'hello', cursor: '5-0' } });
    expect(dashboard.serverNow()).toBe(Date.now() + 90_000);
  });
});
