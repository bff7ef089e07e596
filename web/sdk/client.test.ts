import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MillstreamClient, type LiveStatus } from './index.ts';
import type { Gap, StreamEvent } from './events.ts';
import type { ClientOptions } from './query.ts';
import { FakeEventSource } from './testing/fake_event_source.ts';
import { goldenFrames } from './testing/golden.ts';

let client: MillstreamClient;
let statuses: LiveStatus[];
let events: StreamEvent[];
let gaps: Gap[];
let probes: { url: string; init: RequestInit | undefined }[];

const ids = () => events.map((event) => event.id);
const states = () => statuses.map((status) => status.state);
const opened = () => FakeEventSource.opened.length;

// `answer`: the status a plain request gets; 0: no answer.
function start(options: ClientOptions = {}, answer = 200): FakeEventSource {
  client = new MillstreamClient({
    eventSource: FakeEventSource,
    random: () => 0.5,
    fetch: (async (url: string, init?: RequestInit) => {
      probes.push({ url, init });
      if (answer === 0) throw new TypeError('network');
      return new Response('{}', { status: answer });
    }) as typeof fetch,
    ...options,
  });
  client.onStatus((status) => statuses.push(status));
  client.onEvent((event) => events.push(event));
  client.onGap((gap) => gaps.push(gap));
  client.connect();
  return FakeEventSource.last;
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_769_517_300_000 });
  FakeEventSource.opened = [];
  [statuses, events, gaps, probes] = [[], [], [], []];
});
afterEach(() => {
  client.close();
  expect(vi.getTimerCount(), 'timers left behind by a closed client').toBe(0);
  vi.useRealTimers();
});

describe('connecting', () => {
  it('is connected at the hello, not before', () => {
    const stream = start();
    expect(states()).toEqual(['connecting']);
    stream.hello('5-0');
    expect(states()).toEqual(['connecting', 'connected']);
    expect(client.cursor).toBe('5-0');
  });
  it('sends what was asked for', () => {
    const stream = start({
      baseUrl: 'https://host/ms', topics: ['account:1/site:2', 'account:1/site:3'], types: ['alert'], fields: ['T1'],
      minSeverity: 'warning', mode: 'latest', intervalMs: 500, snapshot: 'latest',
    });
    expect(stream.url.startsWith('https://host/ms/api/stream?')).toBe(true);
    expect(Object.fromEntries(stream.query)).toEqual({
      topics: 'account:1/site:2,account:1/site:3', types: 'alert', fields: 'T1', minSeverity: 'warning',
      mode: 'latest', interval: '500', snapshot: 'latest',
    });
  });
  it('hands on events with any name they may come under', () => {
    const stream = start();
    stream.hello('5-0');
    stream.telemetry('6-0');
    const alert = { id: '7-0', ts: 'x', topic: 'account:1', type: 'alert', data: { deviceId: 'd', alertId: 'a' } };
    stream.send('alert', alert);
    stream.send('message', { ...alert, id: '8-0' });
    stream.send('system', { id: '9-0', ts: 'x', topic: 'account:1', type: 'system', data: { kind: 'maintenance' } });
    expect(ids()).toEqual(['6-0', '7-0', '8-0', '9-0']);
  });
  it('counts what is not of the contract and goes on', () => {
    const stream = start();
    stream.hello('5-0');
    stream.send('telemetry', '{"half');
    stream.telemetry('not an id');
    stream.telemetry('6-0');
    expect(client.malformed).toBe(2);
    expect(ids()).toEqual(['6-0']);
  });
});

describe('resuming', () => {
  it('asks for what follows the newest event, and for no snapshot again', () => {
    const first = start({ snapshot: 'latest' });
    first.hello('5-0');
    first.block('snapshot', { complete: true, count: 0 });
    first.telemetry('6-0');
    first.drop();
    vi.advanceTimersByTime(500);
    expect(opened()).toBe(2);
    expect(Object.fromEntries(FakeEventSource.last.query)).toEqual({ lastEventId: '6-0' });
  });
  it('resumes at the hello\'s id when no event came', () => {
    start().hello('5-7');
    FakeEventSource.last.drop();
    vi.advanceTimersByTime(500);
    expect(FakeEventSource.last.query.get('lastEventId')).toBe('5-7');
  });
  it('asks for no second snapshot once the first was whole, though nothing followed it', () => {
    const first = start({ snapshot: 'latest' });
    first.hello('5-0');
    first.telemetry('4-0', {}, { snapshot: true });
    first.block('snapshot', { complete: true, count: 1 });
    first.drop();
    vi.advanceTimersByTime(500);
    expect(Object.fromEntries(FakeEventSource.last.query)).toEqual({ lastEventId: '5-0' });
  });
  it('asks for the snapshot again when it did not come whole', () => {
    const first = start({ snapshot: 'latest' });
    first.hello('5-0');
    first.telemetry('4-0', {}, { snapshot: true });
    first.drop();
    vi.advanceTimersByTime(500);
    expect(Object.fromEntries(FakeEventSource.last.query)).toEqual({ snapshot: 'latest' });
  });
  it('hands on a snapshot event though it is older than the cursor, and does not move the cursor by it', () => {
    const stream = start({ snapshot: 'latest' });
    stream.hello('5-0');
    stream.telemetry('3-0', { T1: 1 }, { snapshot: true });
    stream.telemetry('2-0', { T1: 2 }, { snapshot: true });
    expect(ids()).toEqual(['3-0', '2-0']);
    expect(client.cursor).toBe('5-0');
  });
  it('passes over what came before, by number and not by text', () => {
    const stream = start();
    stream.hello('9-9');
    for (const id of ['9-10', '10-0', '9-10', '9-2', '10-0', '10-1']) stream.telemetry(id);
    expect(ids()).toEqual(['9-10', '10-0', '10-1']);
    expect(client.duplicates).toBe(3);
  });
  it('takes all of a replay though the hello of a resumed stream is already further', () => {
    start().hello('5-0');
    FakeEventSource.last.telemetry('6-0');
    FakeEventSource.last.drop();
    vi.advanceTimersByTime(500);
    FakeEventSource.last.hello('9-0', true);
    for (const id of ['7-0', '8-0', '9-0', '10-0']) FakeEventSource.last.telemetry(id);
    expect(ids()).toEqual(['6-0', '7-0', '8-0', '9-0', '10-0']);
  });
  it('goes on from where a foreign id was set right, though the new ids are smaller', () => {
    start({ lastEventId: '900-0' });
    expect(FakeEventSource.last.query.get('lastEventId')).toBe('900-0');
    FakeEventSource.last.hello('5-0', false);
    FakeEventSource.last.block('gap', { from: null, to: '5-0', reason: 'unknown', backfill: '/api/events/backfill' });
    FakeEventSource.last.telemetry('6-0');
    expect(ids()).toEqual(['6-0']);
    expect(gaps).toEqual([{ from: null, to: '5-0', reason: 'unknown', backfill: '/api/events/backfill' }]);
  });
  it('surfaces a gap in the middle and goes on behind it', () => {
    const stream = start();
    stream.hello('5-0');
    stream.block('gap', { from: '5-0', to: '8-0', reason: 'slow', backfill: 'b' });
    stream.telemetry('8-0');
    stream.telemetry('9-0');
    expect(gaps).toHaveLength(1);
    expect(ids()).toEqual(['9-0']);
    expect(client.cursor).toBe('9-0');
  });
  it('does not hear a stream it has given up', () => {
    const first = start();
    first.hello('5-0');
    first.drop();
    first.telemetry('6-0');
    expect(ids()).toEqual([]);
  });
});

describe('reconnecting', () => {
  it('waits with doubling jitter up to the cap, and says until when', () => {
    start();
    const waits: number[] = [];
    for (let i = 0; i < 8; ++i) {
      FakeEventSource.last.drop();
      const status = client.status;
      if (status.state !== 'reconnecting' || status.retryAt === null) throw new Error(status.state);
      waits.push(status.retryAt - Date.now());
      const before = opened();
      vi.advanceTimersByTime(status.retryAt - Date.now() - 1);
      expect(opened()).toBe(before);
      vi.advanceTimersByTime(1);
      expect(opened()).toBe(before + 1);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
  });
  it('begins the waits anew only after a connection that lasted', () => {
    const wait = () => (client.status as { retryAt: number }).retryAt - Date.now();
    start().drop();
    expect(wait()).toBe(500);
    vi.advanceTimersByTime(500);
    FakeEventSource.last.hello('5-0');
    vi.advanceTimersByTime(4_000);
    FakeEventSource.last.drop();
    expect(wait()).toBe(1000);
    vi.advanceTimersByTime(1000);
    FakeEventSource.last.hello('5-0');
    vi.advanceTimersByTime(5_000);
    FakeEventSource.last.drop();
    expect(wait()).toBe(500);
  });
  it('closes the broken stream, so that the browser does not reconnect beside us', () => {
    const first = start();
    first.hello('5-0');
    first.drop();
    expect(first.readyState).toBe(2);
  });
  it('retries at once when told to, and only when it is waiting', () => {
    start().drop();
    client.retryNow();
    expect(opened()).toBe(2);
    client.retryNow();
    expect(opened()).toBe(2);
    FakeEventSource.last.hello('5-0');
    client.retryNow();
    expect(opened()).toBe(2);
    vi.advanceTimersByTime(50_000);
    expect(opened()).toBe(2);
  });
  it('leaves a draining server alone for the time it is asked to, with jitter where it does not say', () => {
    start().hello('5-0');
    FakeEventSource.last.block('draining');
    FakeEventSource.last.drop();
    vi.advanceTimersByTime(5_999);
    expect(opened()).toBe(1);
    vi.advanceTimersByTime(1);  // 2 s to 10 s, at 0.5
    expect(opened()).toBe(2);
    FakeEventSource.last.hello('5-0');
    FakeEventSource.last.block('overloaded', { retryMs: 15_000 });
    FakeEventSource.last.drop();
    vi.advanceTimersByTime(14_999);
    expect(opened()).toBe(2);
    vi.advanceTimersByTime(1);
    expect(opened()).toBe(3);
  });
  it('is not connected by a server that only says that it is full', () => {
    start().block('overloaded');
    expect(states()).toEqual(['connecting']);
  });
});

describe('the watchdog', () => {
  it('takes a minute of silence for a lost connection', () => {
    const stream = start();
    stream.hello('5-0');
    vi.advanceTimersByTime(59_999);
    expect(client.status.state).toBe('connected');
    vi.advanceTimersByTime(1);
    expect(client.status.state).toBe('reconnecting');
    expect(stream.readyState).toBe(2);
    vi.advanceTimersByTime(500);
    expect(FakeEventSource.last.query.get('lastEventId')).toBe('5-0');
  });
  it('is kept quiet by heartbeats and by events', () => {
    start().hello('5-0');
    for (let i = 0; i < 10; ++i) {
      vi.advanceTimersByTime(20_000);
      FakeEventSource.last.block('heartbeat', { ts: 'x', cursor: '5-0', lag: 0 });
      vi.advanceTimersByTime(39_000);
      FakeEventSource.last.telemetry(`${i + 6}-0`);
    }
    expect(opened()).toBe(1);
    expect(client.status.state).toBe('connected');
  });
  it('also rings for a connection that never answers, and can be set shorter', () => {
    start({ watchdogMs: 2_000 });
    vi.advanceTimersByTime(2_000);
    expect(client.status.state).toBe('reconnecting');
  });
});

describe('a refused stream', () => {
  it.each([401, 403])('asks once why, and after %i asks no more', async (status) => {
    start({}, status).refuse();
    await vi.advanceTimersByTimeAsync(0);
    expect(client.status.state).toBe('signin');
    expect(probes.map((probe) => probe.url)).toEqual(['/api/devices']);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(opened()).toBe(1);
    expect(probes).toHaveLength(1);
  });
  it.each([[503], [200], [0]])('tries again with backoff when the plain request gets %i', async (status) => {
    start({}, status).refuse();
    await vi.advanceTimersByTimeAsync(0);
    expect(client.status).toMatchObject({ state: 'reconnecting', attempt: 1 });
    await vi.advanceTimersByTimeAsync(500);
    expect(opened()).toBe(2);
    FakeEventSource.last.hello('5-0');
    expect(client.status.state).toBe('connected');
  });
  it('does not wait for ever for the answer', async () => {
    start({
      fetch: ((_: string, init: RequestInit) => new Promise((_resolve, reject) => {
        init.signal!.addEventListener('abort', () => reject(new Error('aborted')));
      })) as typeof fetch,
    }).refuse();
    await vi.advanceTimersByTimeAsync(10_500);
    expect(opened()).toBe(2);
  });
  it('connects again after the user has signed in', async () => {
    start({}, 401).refuse();
    await vi.advanceTimersByTimeAsync(0);
    client.retryNow();
    expect(opened()).toBe(2);
    FakeEventSource.last.hello('5-0');
    expect(client.status.state).toBe('connected');
  });
  it('asks once, and not by a new stream, when the server says that the credential has ended', async () => {
    const stream = start({}, 401);
    stream.hello('5-0');
    stream.block('auth_expired');
    stream.drop();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(client.status.state).toBe('signin');
    expect(probes).toHaveLength(1);
    expect(opened()).toBe(1);
  });
  it('resumes when another credential has taken the place of the one that ended', async () => {
    const stream = start({}, 200);
    stream.hello('5-0');
    stream.block('auth_expired');
    await vi.advanceTimersByTimeAsync(500);
    expect(Object.fromEntries(FakeEventSource.last.query)).toEqual({ lastEventId: '5-0' });
    expect(opened()).toBe(2);
  });
  it('forgets the question when it is closed meanwhile', async () => {
    start({}, 401).refuse();
    client.close();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(states().at(-1)).toBe('closed');
  });
});

// A server read with fetch: each call is answered by the next of `answers`.
type Answer = { status?: number; headers?: Record<string, string>; body?: string[]; hold?: boolean };
function fakeServer(answers: Answer[]): { fetch: typeof fetch; calls: { url: string; headers: Record<string, string> }[] } {
  const calls: { url: string; headers: Record<string, string> }[] = [];
  const answerOne = async (url: string, init: RequestInit) => {
    calls.push({ url, headers: init.headers as Record<string, string> });
    const { status = 200, headers = { 'content-type': 'text/event-stream; charset=utf-8' }, body = [], hold = false } =
      answers[Math.min(calls.length, answers.length) - 1]!;
    if (status === 204) return new Response(null, { status, headers });
    const bytes = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of body) controller.enqueue(new TextEncoder().encode(piece));
        if (!hold) controller.close();
        init.signal!.addEventListener('abort', () => { if (hold) controller.error(new Error('aborted')); });
      },
    });
    return new Response(bytes, { status, headers });
  };
  return { fetch: answerOne as typeof fetch, calls };
}

describe('with a token', () => {
  const stream = () => goldenFrames().find(({ name }) => name === 'stream.sse')!.text;

  it('reads the contract\'s sample stream with fetch and a Bearer header', async () => {
    const server = fakeServer([{ body: [...stream()], hold: true }]);
    start({ token: 'secret', fetch: server.fetch });
    await vi.advanceTimersByTimeAsync(0);
    expect(opened()).toBe(0);
    expect(server.calls[0]!.headers.Authorization).toBe('Bearer secret');
    expect(server.calls[0]!.url).not.toContain('secret');
    expect(client.status.state).toBe('connected');
    expect(client.malformed).toBe(0);
    expect(gaps).toHaveLength(1);
    expect(events.map((event) => event.type)).toContain('device_status');
  });
  it('resumes after the end of a body, clean or not', async () => {
    const server = fakeServer([
      { body: ['id: 5-0\nevent: system\ndata: {"ts":"x","type":"system","data":{"kind":"hello","cursor":"5-0"}}\n\n'] },
      { hold: true },
    ]);
    start({ token: 'secret', fetch: server.fetch });
    await vi.advanceTimersByTimeAsync(0);
    expect(client.status.state).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(500);
    expect(server.calls[1]!.url).toBe('/api/stream?lastEventId=5-0');
  });
  it.each([401, 403])('takes %i from the answer itself and asks no more', async (status) => {
    const server = fakeServer([{ status, headers: {} }]);
    start({ token: 'wrong', fetch: server.fetch });
    await vi.advanceTimersByTimeAsync(600_000);
    expect(client.status.state).toBe('signin');
    expect(server.calls).toHaveLength(1);
  });
  it('waits as long as Retry-After asks', async () => {
    const server = fakeServer([{ status: 503, headers: { 'retry-after': '7' } }, { hold: true }]);
    start({ token: 'secret', fetch: server.fetch });
    await vi.advanceTimersByTimeAsync(6_999);
    expect(server.calls).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.calls).toHaveLength(2);
  });
  it('does not come back after 204', async () => {
    const server = fakeServer([{ status: 204, headers: {} }]);
    start({ token: 'secret', fetch: server.fetch });
    await vi.advanceTimersByTimeAsync(600_000);
    expect(client.status.state).toBe('closed');
    expect(server.calls).toHaveLength(1);
  });
  it('does not take a web page for a stream', async () => {
    const server = fakeServer([{ headers: { 'content-type': 'text/html' }, body: ['data: x\n\n'] }]);
    start({ token: 'secret', fetch: server.fetch });
    await vi.advanceTimersByTimeAsync(0);
    expect(client.status.state).toBe('reconnecting');
  });
  it('ends the request when it is closed', async () => {
    let signal: AbortSignal | undefined;
    const server = fakeServer([{ hold: true }]);
    const spy = ((url: string, init: RequestInit) => {
      signal = init.signal ?? undefined;
      return server.fetch(url, init);
    }) as typeof fetch;
    start({ token: 'secret', fetch: spy });
    await vi.advanceTimersByTimeAsync(0);
    client.close();
    expect(signal?.aborted).toBe(true);
  });
  it('goes over to another credential at once', async () => {
    const server = fakeServer([{ status: 401, headers: {} }, { body: [stream()], hold: true }]);
    start({ token: 'old', fetch: server.fetch });
    await vi.advanceTimersByTimeAsync(0);
    client.setToken('new');
    await vi.advanceTimersByTimeAsync(0);
    expect(server.calls[1]!.headers.Authorization).toBe('Bearer new');
    expect(client.status.state).toBe('connected');
  });
});
