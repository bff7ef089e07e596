import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MillstreamClient } from './index.ts';
import type { ClientOptions } from './query.ts';
import { FakeEventSource } from './testing/fake_event_source.ts';

let client: MillstreamClient;
let made: number;
let answer: (n: number) => Response | Promise<Response>;
let asked: { url: string; init: RequestInit }[];

const opened = () => FakeEventSource.opened.length;
const settle = () => vi.advanceTimersByTimeAsync(0);

async function start(options: ClientOptions): Promise<void> {
  client = new MillstreamClient({
    eventSource: FakeEventSource, random: () => 0.5,
    fetch: (async (url: string, init: RequestInit) => {
      asked.push({ url, init });
      return answer(++made);
    }) as typeof fetch,
    ...options,
  });
  client.connect();
  await settle();
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_769_517_300_000 });
  FakeEventSource.opened = [];
  [made, asked] = [0, []];
  answer = (n) => new Response(JSON.stringify({ ticket: `mt_${n}`, expiresAt: 'x', url: 'x' }));
});
afterEach(() => {
  client.close();
  expect(vi.getTimerCount(), 'timers left behind by a closed client').toBe(0);
  vi.useRealTimers();
});

it('is asked for with the token, as narrow as the stream, and goes into the URL', async () => {
  await start({ token: 'secret', ticket: true, topics: ['account:1/site:2'], types: ['alert'] });
  expect(asked[0]).toMatchObject({
    url: '/api/stream-token',
    init: { method: 'POST', headers: { Authorization: 'Bearer secret' }, body: '{"topics":["account:1/site:2"],"types":["alert"]}' },
  });
  expect(Object.fromEntries(FakeEventSource.last.query)).toEqual({ topics: 'account:1/site:2', types: 'alert', ticket: 'mt_1' });
});
it('is a new one for each connection', async () => {
  await start({ token: 'secret', ticket: true });
  FakeEventSource.last.hello('5-0');
  FakeEventSource.last.drop();
  await vi.advanceTimersByTimeAsync(500);
  expect(opened()).toBe(2);
  expect(Object.fromEntries(FakeEventSource.last.query)).toEqual({ lastEventId: '5-0', ticket: 'mt_2' });
});
it('may be got another way', async () => {
  let n = 10;
  await start({ ticket: async () => `own_${++n}` });
  expect(FakeEventSource.last.query.get('ticket')).toBe('own_11');
  expect(asked).toEqual([]);
});
it('goes by fetch where there is no EventSource, and the token does not come along', async () => {
  vi.stubGlobal('EventSource', undefined);
  await start({ token: 'secret', ticket: () => 'own', eventSource: undefined as never });
  vi.unstubAllGlobals();
  expect(asked[0]!.url).toBe('/api/stream?ticket=own');
  expect(asked[0]!.init.headers).toEqual({ Accept: 'text/event-stream' });
});
it.each([401, 403])('refused with %i ends in signing in, and no more is asked', async (status) => {
  answer = () => new Response('{}', { status });
  await start({ token: 'old', ticket: true });
  expect(client.status.state).toBe('signin');
  await vi.advanceTimersByTimeAsync(600_000);
  expect(made).toBe(1);
  answer = (n) => new Response(JSON.stringify({ ticket: `mt_${n}` }));
  client.setToken('new');
  await settle();
  expect(asked[1]!.init.headers).toEqual({ Authorization: 'Bearer new' });
  expect(opened()).toBe(1);
});
it('of a function that says 401 ends in signing in', async () => {
  await start({ ticket: () => Promise.reject(Object.assign(new Error('ended'), { status: 401 })) });
  expect(client.status.state).toBe('signin');
});
it.each([
  ['no answer', () => Promise.reject(new TypeError('network'))],
  ['503', () => new Response('{}', { status: 503 })],
])('is asked for again after %s', async (_, failing) => {
  const works = answer;
  answer = failing;
  await start({ token: 'secret', ticket: true });
  expect(client.status).toMatchObject({ state: 'reconnecting', attempt: 1 });
  answer = works;
  await vi.advanceTimersByTimeAsync(500);
  expect(FakeEventSource.last.query.get('ticket')).toBe('mt_2');
});
it('that has run out is replaced, and nobody has to sign in', async () => {
  await start({ token: 'secret', ticket: true });
  FakeEventSource.last.refuse();
  await settle();
  expect(client.status.state).toBe('reconnecting');
  await vi.advanceTimersByTimeAsync(500);
  expect(asked.map(({ url }) => url)).toEqual(['/api/stream-token', '/api/stream-token']);
  FakeEventSource.last.hello('5-0');
  expect(client.status.state).toBe('connected');
});
it('that comes after the client was closed opens nothing', async () => {
  let give = (_: string) => {};
  await start({ ticket: () => new Promise<string>((resolve) => { give = resolve; }) });
  client.close();
  give('late');
  await settle();
  expect(opened()).toBe(0);
});
