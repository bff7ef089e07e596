import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MillstreamClient } from './index.ts';
import type { Gap, SystemBlock } from './events.ts';
import { past } from './past.ts';
import type { ClientOptions } from './query.ts';
import { kAnswerMs, kHiddenMs, kRingEvents, share } from './share.ts';
import { FakeChannel, FakeDocument, FakeLocks } from './testing/fake_browser.ts';
import { FakeEventSource } from './testing/fake_event_source.ts';
import { FakeServer, kNow } from './testing/fake_server.ts';

interface Tab {
  client: MillstreamClient;
  ids: string[];
  states: string[];
  gaps: Gap[];
  text(): string;
}

let tabs: Tab[];
let server: FakeServer;
let locks: FakeLocks;

const settle = () => vi.advanceTimersByTimeAsync(0);
const opened = () => FakeEventSource.opened.length;
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}-0`).join(' ');

async function tab(options: ClientOptions = {}): Promise<Tab> {
  const client = new MillstreamClient({
    eventSource: FakeEventSource, random: () => 0.5, fetch: server.fetch, share, ...options,
  });
  const made: Tab = { client, ids: [], states: [], gaps: [], text: () => made.ids.join(' ') };
  client.onEvent((event) => made.ids.push(event.id));
  client.onStatus((status) => made.states.push(status.state));
  client.onGap((gap) => made.gaps.push(gap));
  tabs.push(made);
  client.connect();
  await settle();
  return made;
}

// A tab that leads a stream which stands at 5-0.
async function leader(options: ClientOptions = {}): Promise<Tab> {
  const made = await tab(options);
  FakeEventSource.last.hello('5-0');
  await settle();
  return made;
}

beforeEach(() => {
  vi.useFakeTimers({ now: kNow });
  FakeEventSource.opened = [];
  FakeChannel.open = [];
  locks = new FakeLocks();
  server = new FakeServer();
  tabs = [];
  vi.stubGlobal('navigator', { locks });
  vi.stubGlobal('BroadcastChannel', FakeChannel);
});
afterEach(async () => {
  for (const { client } of tabs) client.close();
  await settle();
  expect(vi.getTimerCount(), 'timers left behind by closed clients').toBe(0);
  expect(FakeChannel.open).toEqual([]);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('tabs that ask for the same', () => {
  it('have one stream, and each has every event and the status', async () => {
    const first = await leader();
    const others = [await tab(), await tab()];
    expect(opened()).toBe(1);
    for (let i = 6; i <= 9; ++i) FakeEventSource.last.telemetry(`${i}-0`);
    await settle();
    for (const each of [first, ...others]) {
      expect(each.text()).toBe(range(6, 9));
      expect(each.states).toEqual(['connecting', 'connected']);
      expect(each.client.cursor).toBe('9-0');
      expect(each.client.duplicates).toBe(0);
    }
  });
  it('wait for a leader that is not up yet', async () => {
    await tab();
    const other = await tab();
    await vi.advanceTimersByTimeAsync(kAnswerMs * 2);
    expect(other.states).toEqual(['connecting']);
    FakeEventSource.last.hello('5-0');
    FakeEventSource.last.telemetry('6-0');
    await settle();
    expect(other.states).toEqual(['connecting', 'connected']);
    expect(other.client.cursor).toBe('6-0');
  });
  it('each get a snapshot, by a stream that ends with it', async () => {
    const first = await tab({ snapshot: 'latest' });
    FakeEventSource.last.hello('5-0');
    FakeEventSource.last.telemetry('3-0', {}, { snapshot: true });
    FakeEventSource.last.block('snapshot', { complete: true, count: 1 }, '5-0');
    await settle();
    const leading = FakeEventSource.last;
    const other = await tab({ snapshot: 'latest' });
    expect(opened()).toBe(2);
    const own = FakeEventSource.last;
    expect(own.query.get('snapshot')).toBe('latest');
    leading.telemetry('6-0');
    leading.telemetry('7-0');
    own.hello('6-0');
    own.telemetry('4-0', {}, { snapshot: true });
    own.block('snapshot', { complete: true, count: 1 }, '6-0');
    expect(own.readyState).toBe(2);
    await settle();
    leading.telemetry('8-0');
    await settle();
    expect(other.text()).toBe('4-0 7-0 8-0');
    expect(first.text()).toBe('3-0 6-0 7-0 8-0');
    expect(opened()).toBe(2);
  });
  it('hear when they join how things stand with the leader\'s stream, by the server\'s clock', async () => {
    await leader();
    FakeEventSource.last.block('degraded', { storage: 'storage_full' });
    FakeEventSource.last.block('heartbeat');
    FakeEventSource.last.block('degraded', { storage: 'storage_read_only' });
    await vi.advanceTimersByTimeAsync(2_500);
    const blocks: SystemBlock[] = [];
    const made = new MillstreamClient({ eventSource: FakeEventSource, fetch: server.fetch, share });
    tabs.push({ client: made, ids: [], states: [], gaps: [], text: () => '' });
    made.on('block', (block) => blocks.push(block));
    made.connect();
    await settle();
    expect(blocks.map(({ ts, data }) => [ts, data.kind, data['storage']])).toEqual([
      ['2026-01-27T12:34:59.289Z', 'hello', undefined],
      ['2026-01-27T12:34:56.789Z', 'degraded', 'storage_read_only'],
    ]);
  });
  it('each read the history they ask for', async () => {
    server.fill(1, 9);
    await leader();
    FakeEventSource.last.telemetry('6-0');
    const other = await tab({ past: past({ since: '2-0' }) });
    FakeEventSource.last.telemetry('7-0');
    await settle();
    expect(other.text()).toBe(range(3, 7));
  });
  it('do not share with another token, selection or key, and names do not tell the token', async () => {
    await leader({ ticket: () => 't' });
    for (const options of [{ token: 'secret' }, { siteId: '7' }, { shareKey: 'anna' }]) await tab({ ticket: () => 't', ...options });
    expect(opened()).toBe(4);
    expect(new Set(locks.names).size).toBe(4);
    expect(JSON.stringify([locks.names, FakeChannel.open.map(({ name }) => name)])).not.toContain('secret');
  });
});

describe('when the leader leaves', () => {
  it('the next goes on at its own position, and nothing is lost or doubled in any tab', async () => {
    const first = await leader();
    const second = await tab();
    const third = await tab();
    FakeEventSource.last.telemetry('6-0');
    await settle();
    first.client.close();
    await settle();
    expect(opened()).toBe(2);
    expect(FakeEventSource.last.query.get('lastEventId')).toBe('6-0');
    FakeEventSource.last.hello('6-0', true);
    FakeEventSource.last.telemetry('7-0');
    await settle();
    FakeEventSource.last.telemetry('8-0');
    await settle();
    for (const each of [second, third]) {
      expect(each.text()).toBe(range(6, 8));
      expect(each.states, 'nobody noticed').toEqual(['connecting', 'connected']);
      expect(each.client.duplicates).toBe(0);
    }
    expect(opened()).toBe(2);
  });
  it('one that is behind the new leader gets what it lacks from the log', async () => {
    server.fill(1, 9);
    const first = await leader();
    const second = await tab();
    const third = await tab({ past: past(), lastEventId: '2-0' });
    expect(third.text()).toBe(range(3, 5));
    FakeEventSource.last.telemetry('6-0');
    await settle();
    first.client.close();
    await settle();
    FakeEventSource.last.hello('6-0', true);
    await settle();
    expect([second.text(), third.text(), third.gaps]).toEqual(['6-0', range(3, 6), []]);
  });
  it('and the server is down, the others learn it', async () => {
    const first = await leader();
    const [second, third] = [await tab(), await tab()];
    first.client.close();
    await settle();
    FakeEventSource.last.drop();
    await settle();
    for (const each of [second, third]) expect(each.client.status.state).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(500);
    FakeEventSource.last.hello('5-0', true);
    await settle();
    for (const each of [second, third]) expect(each.client.status.state).toBe('connected');
    expect(opened()).toBe(3);
  });
  it('without a word, its lock is taken', async () => {
    const first = await leader();
    const second = await tab();
    const deaf = FakeChannel.open[0]!.onmessage;
    FakeChannel.open[0]!.onmessage = null;  // frozen
    await vi.advanceTimersByTimeAsync(60_000);
    expect(second.client.status.state).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(1_000 + kAnswerMs);
    const leading = FakeEventSource.last;
    expect(leading.query.get('lastEventId')).toBe('5-0');
    leading.hello('5-0', true);
    FakeChannel.open[0]!.onmessage = deaf;
    expect(second.client.status.state).toBe('connected');
    await vi.advanceTimersByTimeAsync(20_000);
    leading.telemetry('6-0');
    await settle();
    expect([first.text(), second.text()]).toEqual(['6-0', '6-0']);
    expect(FakeEventSource.opened.filter(({ readyState }) => readyState < 2)).toEqual([leading]);
  });
});

describe('the leader\'s stream', () => {
  it('is missed by all while it is away, and what it brings then comes to all', async () => {
    const [first, second] = [await leader(), await tab()];
    FakeEventSource.last.drop();
    await settle();
    expect(second.client.status.state).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(500);
    expect(opened()).toBe(2);
    FakeEventSource.last.hello('5-0', true);
    FakeEventSource.last.telemetry('6-0');
    await settle();
    FakeEventSource.last.telemetry('7-0');
    await settle();
    for (const each of [first, second]) expect([each.client.status.state, each.text()]).toEqual(['connected', '6-0 7-0']);
  });
  it('is opened again when a follower has waited for it, though the leader\'s own timer is late', async () => {
    await leader({ backoffBaseMs: 60_000, backoffCapMs: 60_000 });
    const second = await tab();
    FakeEventSource.last.drop();
    await vi.advanceTimersByTimeAsync(499);
    expect(opened()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(opened()).toBe(2);
    FakeEventSource.last.hello('5-0', true);
    await settle();
    expect(second.client.status.state).toBe('connected');
  });
  it('tells everyone of a gap, and each reads it', async () => {
    server.fill(1, 9);
    const [first, second] = [await leader({ past: past() }), await tab({ past: past() })];
    FakeEventSource.last.block('gap', { from: '5-0', to: '8-0', reason: 'too_many' });
    FakeEventSource.last.telemetry('9-0');
    await settle();
    for (const each of [first, second]) expect([each.text(), each.gaps]).toEqual([range(6, 9), []]);
  });
  it('is remembered for those who come late, up to a limit', async () => {
    const last = 5 + kRingEvents + 10;
    server.fill(1, last);
    await leader();
    for (let i = 6; i <= last; ++i) FakeEventSource.last.telemetry(`${i}-0`);
    const near = await tab({ lastEventId: `${last - 3}-0` });
    const far = await tab({ lastEventId: '6-0', past: past() });
    const without = await tab({ lastEventId: '6-0' });
    await settle();
    expect(near.text()).toBe(range(last - 2, last));
    expect(far.text()).toBe(range(7, last));
    expect(without.gaps).toEqual([{ from: '6-0', to: `${last}-0`, reason: 'behind' }]);
    expect(server.asked).toHaveLength(2);
  });
  it('that is refused ends in signing in everywhere, with one question', async () => {
    const [first, second, third] = [await leader(), await tab(), await tab()];
    server.status = 401;
    FakeEventSource.last.refuse();
    await vi.advanceTimersByTimeAsync(60_000);
    for (const each of [first, second, third]) expect(each.client.status.state).toBe('signin');
    expect([opened(), server.asked.length]).toEqual([1, 1]);
    second.client.setToken(undefined);
    await settle();
    FakeEventSource.last.hello('5-0', true);
    expect(second.client.status.state).toBe('connected');
    expect(opened()).toBe(2);
  });
  it('leaves a draining server alone in every tab', async () => {
    await leader();
    const second = await tab();
    FakeEventSource.last.block('draining', { retryMs: 7_000 });
    FakeEventSource.last.drop();
    await vi.advanceTimersByTimeAsync(6_999);
    expect([opened(), second.client.status.state]).toEqual([1, 'reconnecting']);
    await vi.advanceTimersByTimeAsync(1);
    FakeEventSource.last.hello('5-0', true);
    await settle();
    expect([opened(), second.client.status.state]).toEqual([2, 'connected']);
  });
});

describe('without a secure context', () => {
  let page: FakeDocument;
  beforeEach(() => {
    page = new FakeDocument();
    vi.stubGlobal('navigator', {});
    vi.stubGlobal('document', page);
  });

  it('a tab that is hidden for a minute closes its stream, and resumes when it is seen again', async () => {
    const one = await leader();
    page.show('hidden');
    await vi.advanceTimersByTimeAsync(kHiddenMs - 20_000);
    FakeEventSource.last.block('heartbeat');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(FakeEventSource.last.readyState).toBe(2);
    expect(one.client.status).toMatchObject({ state: 'reconnecting', retryAt: null });
    await vi.advanceTimersByTimeAsync(600_000);
    expect(opened()).toBe(1);
    page.show('visible');
    await settle();
    expect(opened()).toBe(2);
    expect(FakeEventSource.last.query.get('lastEventId')).toBe('5-0');
    FakeEventSource.last.hello('5-0', true);
    expect(one.client.status.state).toBe('connected');
  });
  it('a short look elsewhere changes nothing', async () => {
    const one = await leader();
    page.show('hidden');
    await vi.advanceTimersByTimeAsync(30_000);
    page.show('visible');
    FakeEventSource.last.block('heartbeat');
    await vi.advanceTimersByTimeAsync(50_000);
    expect([opened(), one.client.status.state]).toEqual([1, 'connected']);
  });
  it('a connection that breaks while the tab is hidden is not made again until it is seen', async () => {
    await leader();
    page.show('hidden');
    await vi.advanceTimersByTimeAsync(kHiddenMs - 100);
    FakeEventSource.last.drop();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(opened()).toBe(1);
    page.show('visible');
    await settle();
    expect(opened()).toBe(2);
  });
});
