import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MillstreamClient } from './index.ts';
import type { Gap, StreamEvent } from './events.ts';
import { kHeldEventsMax, past, type PastOptions } from './past.ts';
import type { ClientOptions } from './query.ts';
import { FakeEventSource } from './testing/fake_event_source.ts';
import { FakeServer, kNow, telemetry } from './testing/fake_server.ts';

let client: MillstreamClient;
let server: FakeServer;
let events: StreamEvent[];
let gaps: Gap[];

const ids = () => events.map((event) => event.id).join(' ');
const settle = () => vi.advanceTimersByTimeAsync(0);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}-0`).join(' ');

function start(pastOptions: PastOptions = {}, options: ClientOptions = {}): FakeEventSource {
  client = new MillstreamClient({
    eventSource: FakeEventSource, random: () => 0.5, fetch: server.fetch, past: past(pastOptions), ...options,
  });
  client.onEvent((event) => events.push(event));
  client.onGap((gap) => gaps.push(gap));
  client.connect();
  return FakeEventSource.last;
}

function hold(): () => void {
  let open = () => {};
  server.gate = new Promise((resolve) => { open = resolve; });
  return () => {
    server.gate = undefined;
    open();
  };
}

beforeEach(() => {
  vi.useFakeTimers({ now: kNow });
  FakeEventSource.opened = [];
  server = new FakeServer();
  [events, gaps] = [[], []];
});
afterEach(() => {
  client.close();
  expect(vi.getTimerCount(), 'timers left behind by a closed client').toBe(0);
  vi.useRealTimers();
});

describe('history', () => {
  it('is read up to the stream\'s cursor and told before live', async () => {
    server.fill(1, 9);
    server.pageEvents = 4;
    const release = hold();
    const stream = start({ since: '2-0' }, { topics: ['account:1'], types: ['telemetry'] });
    stream.hello('9-0');
    stream.telemetry('10-0');
    stream.telemetry('11-0');
    expect(ids()).toBe('');
    expect(client.cursor).toBe('2-0');
    release();
    await settle();
    stream.telemetry('12-0');
    expect(ids()).toBe(range(3, 12));
    expect(client.cursor).toBe('12-0');
    expect(server.ranges).toEqual(['2-0..9-0', '6-0..9-0']);
    expect(server.asked[0]!.query).toMatchObject({ topics: 'account:1', types: 'telemetry', limit: '1000' });
  });
  it('comes after the snapshot', async () => {
    server.fill(1, 5);
    const stream = start({ since: '2-0' }, { snapshot: 'latest' });
    stream.hello('5-0');
    stream.telemetry('1-0', {}, { snapshot: true });
    await settle();
    expect(server.asked).toEqual([]);
    stream.block('snapshot', { complete: true, count: 1 }, '5-0');
    stream.telemetry('6-0');
    await settle();
    expect(ids()).toBe(`1-0 ${range(3, 6)}`);
  });
  it('of a duration begins by the server\'s clock', async () => {
    const stream = start({ lastMs: 60_000, types: ['alert'] });
    stream.hello('5-0');
    await settle();
    expect(server.asked[0]!.query).toMatchObject({ since: '2026-01-27T12:33:56.789Z', until: '5-0', types: 'alert' });
  });
  it('is not read by a stream that resumes, and once by one that reconnects', async () => {
    server.fill(1, 5);
    start({ since: '2-0' });
    FakeEventSource.last.hello('5-0');
    await settle();
    FakeEventSource.last.drop();
    await vi.advanceTimersByTimeAsync(500);
    expect(FakeEventSource.last.query.get('lastEventId')).toBe('5-0');
    FakeEventSource.last.hello('5-0', true);
    await settle();
    expect(ids()).toBe(range(3, 5));
    client.close();
    start({ since: '2-0' }, { lastEventId: '3-0' }).hello('5-0', true);
    await settle();
    expect(server.asked).toHaveLength(1);
  });
  it('goes on while the stream reconnects, which resumes behind what is held', async () => {
    server.fill(1, 5);
    const release = hold();
    start({ since: '3-0' });
    FakeEventSource.last.hello('5-0');
    FakeEventSource.last.telemetry('6-0');
    FakeEventSource.last.drop();
    await vi.advanceTimersByTimeAsync(500);
    expect(FakeEventSource.last.query.get('lastEventId')).toBe('6-0');
    FakeEventSource.last.hello('6-0', true);
    FakeEventSource.last.telemetry('7-0');
    release();
    await settle();
    expect(ids()).toBe(range(4, 7));
  });
  it('beyond its limit is a gap', async () => {
    server.fill(1, 9);
    const stream = start({ since: '1-0', eventsMax: 3 });
    stream.hello('9-0');
    stream.telemetry('10-0');
    await settle();
    expect(ids()).toBe(`${range(2, 4)} 10-0`);
    expect(gaps).toEqual([{ from: '4-0', to: '9-0', reason: 'too_many' }]);
  });
  it('has the fields and severities that the stream was asked for', async () => {
    const alert = (id: string, severity: string) =>
      telemetry(id, {}, { type: 'alert', data: { deviceId: 'd', alertId: 'a', severity } }) as { id: string };
    server.log = [
      alert('1-0', 'info'), alert('2-0', 'critical'),
      telemetry('3-0', { T1: 1, T2: 2 }) as { id: string }, telemetry('4-0', { T3: 3 }) as { id: string },
    ];
    start({ since: '0-0' }, { minSeverity: 'warning', fields: ['T1'] }).hello('4-0');
    await settle();
    expect(ids()).toBe('2-0 3-0');
    expect(events[1]!.data).toEqual({ deviceId: 'd', fields: { T1: 1 } });
  });
  it('is asked for with the token', async () => {
    start({ since: '0-0' }, { token: 'secret', ticket: () => 'mt_x' });
    await settle();
    FakeEventSource.last.hello('4-0');
    await settle();
    expect(server.asked[0]!.init!.headers).toEqual({ Authorization: 'Bearer secret' });
  });
});

describe('holding', () => {
  it('is bounded: what comes beyond is read from the log instead', async () => {
    const release = hold();
    const last = 5 + kHeldEventsMax + 20;
    server.fill(1, last);
    const stream = start({ since: '3-0', eventsMax: 10 });
    stream.hello('5-0');
    for (let i = 6; i <= last; ++i) stream.telemetry(`${i}-0`);
    release();
    await settle();
    expect(ids()).toBe(range(4, last));
    expect(gaps).toEqual([]);
    expect(server.asked.length).toBeGreaterThan(10);
  });
  it('ends where a listener closes the client, and nothing is lost when it connects again', async () => {
    server.fill(1, 5);
    const stream = start({ since: '0-0' });
    stream.hello('5-0');
    stream.telemetry('6-0');
    const off = client.onEvent((event) => { if (event.id === '3-0') client.close(); });
    await settle();
    expect(ids()).toBe(range(1, 3));
    expect(client.cursor).toBe('3-0');
    off();
    client.connect();
    await settle();
    expect(ids()).toBe(range(1, 6));
  });
});

describe('a gap', () => {
  const tooMany = (stream: FakeEventSource, from: string, to: string) => stream.block('gap', { from, to, reason: 'too_many' });

  it('is read and told before what follows it, and not reported', async () => {
    server.fill(1, 9);
    const stream = start();
    stream.hello('5-0');
    tooMany(stream, '5-0', '8-0');
    stream.telemetry('9-0');
    await settle();
    expect(ids()).toBe(range(6, 9));
    expect(gaps).toEqual([]);
  });
  it('within a gap, and behind held events, keeps the order', async () => {
    server.fill(1, 20);
    const release = hold();
    const stream = start();
    stream.hello('5-0');
    tooMany(stream, '5-0', '8-0');
    stream.telemetry('9-0');
    tooMany(stream, '9-0', '15-0');
    stream.telemetry('16-0');
    release();
    await settle();
    expect(ids()).toBe(range(6, 16));
  });
  it('of a stream that could not resume is read though the connection breaks before it is declared', async () => {
    server.fill(1, 9);
    start().hello('5-0');
    FakeEventSource.last.drop();
    await vi.advanceTimersByTimeAsync(500);
    FakeEventSource.last.hello('8-0', false);
    FakeEventSource.last.drop();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(FakeEventSource.last.query.get('lastEventId')).toBe('5-0');
    FakeEventSource.last.hello('8-0', false);
    tooMany(FakeEventSource.last, '5-0', '8-0');
    await settle();
    expect(ids()).toBe(range(6, 8));
  });
  it('that is trimmed is reported once, and what is left of it is told', async () => {
    server.log = [telemetry('7-0') as { id: string }];
    server.missing = [{ from: '5-0', to: '6-0', reason: 'damaged' }];
    const stream = start();
    stream.hello('5-0');
    stream.block('gap', { from: '5-0', to: '8-0', reason: 'trimmed' });
    await settle();
    expect(ids()).toBe('7-0');
    expect(gaps).toEqual([{ from: '5-0', to: '8-0', reason: 'trimmed' }]);
  });
  it('reports a damaged part that its pages name, once', async () => {
    server.fill(1, 9);
    server.pageEvents = 1;
    server.missing = [{ from: '6-0', to: '7-0', reason: 'damaged' }];
    const stream = start();
    stream.hello('5-0');
    tooMany(stream, '5-0', '9-0');
    await settle();
    expect(ids()).toBe(range(6, 9));
    expect(gaps).toEqual([{ from: '6-0', to: '7-0', reason: 'damaged' }]);
  });
  it.each([['unknown', null], ['slow', '5-0']])('of reason %s is only reported', async (reason, from) => {
    const stream = start();
    stream.hello('5-0');
    stream.block('gap', { from, to: '8-0', reason });
    stream.telemetry('9-0');
    await settle();
    expect(gaps).toEqual([{ from, to: '8-0', reason }]);
    expect(server.asked).toEqual([]);
    expect(ids()).toBe('9-0');
  });
  it('is read again after failures, with backoff', async () => {
    server.fill(1, 9);
    server.status = 0;
    const stream = start();
    stream.hello('5-0');
    tooMany(stream, '5-0', '8-0');
    await settle();
    server.status = 503;
    await vi.advanceTimersByTimeAsync(249);
    expect(server.asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.asked).toHaveLength(2);
    server.status = 200;
    await vi.advanceTimersByTimeAsync(500);
    expect(ids()).toBe(range(6, 8));
  });
  it('that the server does not want to read is reported', async () => {
    server.status = 400;
    const stream = start();
    stream.hello('5-0');
    tooMany(stream, '5-0', '8-0');
    stream.telemetry('9-0');
    await settle();
    expect(gaps).toEqual([{ from: '5-0', to: '8-0', reason: 'unreadable' }]);
    expect(ids()).toBe('9-0');
  });
  it('waits for the user to sign in where the credential has ended', async () => {
    server.fill(1, 9);
    server.status = 401;
    const stream = start();
    stream.hello('5-0');
    tooMany(stream, '5-0', '8-0');
    await settle();
    expect(client.status.state).toBe('signin');
    await vi.advanceTimersByTimeAsync(600_000);
    expect(server.asked).toHaveLength(1);
    server.status = 200;
    client.setToken(undefined);
    await settle();
    expect(ids()).toBe(range(6, 8));
  });
  it('does not wait for ever for a page', async () => {
    server.fill(1, 9);
    let aborted = 0;
    const stalled = ((_: string, init: RequestInit) => new Promise((_resolve, reject) => {
      init.signal!.addEventListener('abort', () => { ++aborted; reject(new Error('aborted')); });
    })) as typeof fetch;
    const stream = start({}, { fetch: stalled });
    stream.hello('5-0');
    tooMany(stream, '5-0', '8-0');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(aborted).toBe(1);
    client.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(aborted).toBe(1);
  });
});

describe('a row of merged events', () => {
  it('comes again as a whole after a cut within it, without its beginning twice', async () => {
    start({}, { mode: 'latest' }).hello('5-0');
    const merged = (id: string, lastEventId: string) => FakeEventSource.last.send('telemetry', telemetry(id), lastEventId);
    merged('7-0', '5-0');
    FakeEventSource.last.drop();
    await vi.advanceTimersByTimeAsync(500);
    expect(FakeEventSource.last.query.get('lastEventId')).toBe('5-0');
    FakeEventSource.last.hello('5-0', true);
    merged('7-0', '5-0');
    merged('9-0', '9-0');
    expect(ids()).toBe('7-0 9-0');
    expect(client.cursor).toBe('9-0');
  });
});
