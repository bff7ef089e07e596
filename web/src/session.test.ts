// session.test.ts: signing in and out, in one tab and in two that share a cookie and a BroadcastChannel.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeEventSource } from '../sdk/testing/fake_event_source.ts';
import type { Who } from './api.ts';
import { Dashboard, kDrawMs } from './dashboard.ts';
import { Place } from './place.ts';

const kNow = Date.parse('2026-01-27T12:00:00Z');

const anna: Who = {
  kind: 'session', subject: 'user:anna', account: 'acme', roles: ['viewer'], sites: null, devices: null,
  expiresAt: '2026-01-27T20:00:00.000Z',
};
const bob: Who = { ...anna, subject: 'user:bob', account: 'other' };
const key: Who = { ...anna, kind: 'key', subject: 'key:roof', expiresAt: null };

// The server: who the browser's one cookie and each token stand for, and what it answers out of turn.
let cookie: Who | undefined;
let tokens: Record<string, Who>;
let users: Record<string, Who>;
let out: Record<string, { status: number; headers?: Record<string, string> }>;  // 0: no answer
let held: (() => void)[] | undefined;  // answers on their way, to be let through later
let requests: { method: string; path: string; token: string | undefined; body: string | undefined; type: string | null }[];
let tabs: Dashboard[];

// Every tab hears what another tab says, as in a browser, a little later.
class FakeChannel {
  static open = new Set<FakeChannel>();
  onmessage: ((event: { data: unknown }) => void) | null = null;
  constructor(readonly name: string) { FakeChannel.open.add(this); }
  postMessage(data: unknown): void {
    const others = [...FakeChannel.open].filter((other) => other !== this && other.name === this.name);
    queueMicrotask(() => { for (const other of others) other.onmessage?.({ data }); });
  }
  close(): void { FakeChannel.open.delete(this); }
}

function answer(path: string, token: string | undefined, body: string | undefined): Response {
  const odd = out[path];
  if (odd?.status === 0) throw new TypeError('network');
  if (odd) return new Response('{"detail":"why"}', odd);
  if (path === '/api/login') {
    const { user, password } = JSON.parse(body!) as { user: string; password: string };
    if (!users[user] || password !== 'right') return new Response('{}', { status: 401 });
    cookie = users[user];
    return Response.json(cookie);
  }
  const who = token === undefined ? cookie : tokens[token];
  if (!who) return new Response('{}', { status: 401 });
  if (path === '/api/logout') {
    cookie = undefined;
    return new Response(null, { status: 204 });
  }
  if (path === '/api/me') return Response.json(who);
  if (path === '/api/devices') {
    const topic = `account:${who.account}/site:2/device:of-${who.account}`;
    const device = { deviceId: `of-${who.account}`, siteId: '2', topic, status: 'online', reason: 'data', fields: { T1: 1 } };
    return Response.json({ asOf: '5-0', devices: [{ ...device, lastSeen: null, ts: null }] });
  }
  if (path === '/api/latest') return Response.json({ asOf: '5-0', events: [] });
  if (path === '/api/events/backfill') return Response.json({ events: [], next: null, last: '5-0' });
  if (path === '/api/series') return Response.json({ start: '2026-01-27T11:45:00Z', stepMs: 2000, series: {} });
  if (path === '/health') return Response.json({ name: 'millstream', status: 'pass', version: '0.1.0' });
  return new Response('{}', { status: 404 });
}

async function openTab(baseUrl = 'http://host'): Promise<Dashboard> {
  const tab = new Dashboard({
    baseUrl, place: new Place(''),
    client: { eventSource: FakeEventSource, random: () => 0.5 },
  });
  tabs.push(tab);
  tab.start();
  await pass();
  return tab;
}
const pass = (ms = kDrawMs) => vi.advanceTimersByTimeAsync(ms);
const streams = () => FakeEventSource.opened.length;
const asked = (path: string) => requests.filter((request) => request.path === path).length;
const names = (tab: Dashboard) => [...tab.devices.byTopic.values()].map((device) => device.deviceId);

// A tab whose stream is live, and that stream.
async function openLive(): Promise<[Dashboard, FakeEventSource]> {
  const tab = await openTab();
  const stream = FakeEventSource.last;
  stream.hello('5-0');
  stream.block('snapshot', { complete: true, count: 0 });
  await pass();
  return [tab, stream];
}
// The server ends a session: it says so on the stream and knows the cookie no more.
async function expire(...ended: FakeEventSource[]): Promise<void> {
  cookie = undefined;
  for (const stream of ended) {
    stream.block('auth_expired');
    stream.drop();
  }
  await pass();
}

beforeEach(() => {
  vi.useFakeTimers({ now: kNow });
  FakeEventSource.opened = [];
  FakeChannel.open.clear();
  [cookie, tokens, users, out, held] = [undefined, { k: key }, { anna, bob }, {}, undefined];
  [requests, tabs] = [[], []];
  const stored = new Map<string, string>();
  vi.stubGlobal('sessionStorage', {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, value: string) => stored.set(name, value),
    removeItem: (name: string) => stored.delete(name),
  });
  vi.stubGlobal('BroadcastChannel', FakeChannel);
  vi.stubGlobal('fetch', async (url: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    const token = headers.get('authorization')?.replace(/^Bearer /, '');
    const [method, { pathname: path }, body] = [init.method ?? 'GET', new URL(url), init.body as string | undefined];
    requests.push({ method, path, token, body, type: headers.get('content-type') });
    const response = answer(path, token, body);
    if (held) await new Promise<void>((resolve) => held!.push(resolve));
    return response;
  });
});
afterEach(() => {
  for (const tab of tabs) tab.stop();
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  expect(FakeChannel.open.size).toBe(0);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('at the start', () => {
  it('asks who this is, and with no good cookie asks no more and opens no stream', async () => {
    const tab = await openTab();
    await pass(600_000);
    expect(tab.session.state.value).toBe('out');
    expect(tab.session.why.value).toBe('new');
    expect(requests.map(({ path }) => path)).toEqual(['/api/me']);
    expect(streams()).toBe(0);
  });

  it('opens the page with a good cookie', async () => {
    cookie = anna;
    const [tab] = await openLive();
    expect(tab.session.who.value).toEqual(anna);
    expect(names(tab)).toEqual(['of-acme']);
    expect(asked('/api/me')).toBe(1);
  });

  it('asks with the token of the tab, and forgets one that is no longer good', async () => {
    sessionStorage.setItem('millstream.token', 'old');
    const tab = await openTab();
    expect(requests.map(({ token }) => token)).toEqual(['old']);
    expect(tab.session.why.value).toBe('refused');
    expect(sessionStorage.getItem('millstream.token')).toBeNull();
  });

  it.each([0, 500, 503, 404])('starts the page all the same when the answer is %i, and learns who it is later', async (status) => {
    cookie = anna;
    out['/api/me'] = { status };
    const tab = await openTab();
    expect(tab.session.state.value).toBe('in');
    expect(tab.session.who.value).toBeUndefined();
    expect(streams()).toBe(1);
    delete out['/api/me'];
    FakeEventSource.last.hello('5-0');
    await pass();
    expect(tab.session.who.value).toEqual(anna);
    expect(streams()).toBe(1);
  });

  it('needs no credential in development mode, and offers nothing to sign out of', async () => {
    cookie = { ...anna, kind: 'development' };
    const tab = await openTab();
    expect(tab.session.state.value).toBe('in');
    expect(tab.session.secured).toBe(false);
  });
});

describe('signing in', () => {
  it('sends user and password as JSON and starts the page', async () => {
    const tab = await openTab();
    expect(await tab.session.signIn('anna', 'right')).toBeUndefined();
    const login = requests.find(({ path }) => path === '/api/login')!;
    expect(login).toMatchObject({ method: 'POST', type: 'application/json', body: '{"user":"anna","password":"right"}' });
    await pass();
    expect(tab.session.state.value).toBe('in');
    expect(names(tab)).toEqual(['of-acme']);
    expect(streams()).toBe(1);
  });

  it.each([
    [401, {}, { kind: 'wrong' }],
    [429, { 'retry-after': '12' }, { kind: 'wait', untilMs: kNow + 12_000 }],
    [429, {}, { kind: 'wait', untilMs: kNow + 5_000 }],
    [503, { 'retry-after': '3' }, { kind: 'wait', untilMs: kNow + 3_000 }],
    [502, {}, { kind: 'unreachable' }],
    [0, {}, { kind: 'unreachable' }],
    [400, {}, { kind: 'failed', detail: 'why' }],
  ])('tells %i from other refusals, and stays out', async (status, headers, refusal) => {
    const tab = await openTab();
    const untilMs = 'untilMs' in refusal ? { untilMs: refusal.untilMs! + kDrawMs } : {};
    out['/api/login'] = { status, headers };
    expect(await tab.session.signIn('anna', 'x')).toEqual({ ...refusal, ...untilMs });
    await pass(60_000);
    expect(tab.session.state.value).toBe('out');
    expect(requests.map(({ path }) => path)).toEqual(['/api/me', '/api/login']);
    expect(streams()).toBe(0);
  });

  it('takes a token only after the server has, and keeps it out of addresses', async () => {
    const tab = await openTab();
    expect(await tab.session.useToken('bad')).toEqual({ kind: 'wrong' });
    expect(await tab.session.useToken('two words')).toEqual({ kind: 'wrong' });
    expect(sessionStorage.getItem('millstream.token')).toBeNull();
    expect(asked('/api/me')).toBe(2);
    expect(await tab.session.useToken('k')).toBeUndefined();
    await pass();
    expect(sessionStorage.getItem('millstream.token')).toBe('k');
    expect(tab.session.who.value?.subject).toBe('key:roof');
    expect(requests.filter(({ path }) => path === '/api/devices').map(({ token }) => token)).toEqual(['k']);
  });

  it('by password puts the token of the tab away, for a token would stand before the cookie', async () => {
    sessionStorage.setItem('millstream.token', 'k');
    const tab = await openTab();
    await tab.session.signIn('bob', 'right');
    await pass();
    expect(sessionStorage.getItem('millstream.token')).toBeNull();
    expect(names(tab)).toEqual(['of-other']);
    FakeEventSource.last.hello('5-0');
  });
});

describe('the end of a session', () => {
  beforeEach(() => { cookie = anna; });

  it('leaves the values with their time, and nothing is sent until someone signs in', async () => {
    const [tab, stream] = await openLive();
    const heard = tab.client.lastHeardAt;
    requests = [];
    await expire(stream);
    tab.chooseRange('1h');
    void tab.loadAlerts();
    tab.client.retryNow();
    await pass(600_000);
    expect(tab.session.why.value).toBe('ended');
    expect(tab.live.value.state).toBe('signin');
    expect(tab.stale).toBe(true);
    expect(tab.asOfMs()).toBeGreaterThanOrEqual(heard);
    expect(names(tab)).toEqual(['of-acme']);
    expect(requests).toHaveLength(1);
    expect(streams()).toBe(1);
  });

  it('shows in a refused read as well', async () => {
    const [tab, stream] = await openLive();
    cookie = undefined;
    stream.block('gap', { from: '5-0', to: '6-0', reason: 'slow' });
    await pass(60_000);
    expect(tab.session.state.value).toBe('out');
    expect(stream.readyState).toBe(2);
  });

  it('resumes where it stood when the same user signs in again', async () => {
    const [tab, stream] = await openLive();
    stream.telemetry('6-0', { T1: 7 }, { topic: 'account:acme/site:2/device:d' });
    await pass();
    const device = tab.devices.find('d');
    await expire(stream);
    await tab.session.signIn('anna', 'right');
    expect(tab.stale).toBe(true);
    await pass();
    expect(Object.fromEntries(FakeEventSource.last.query)).toEqual({ lastEventId: '6-0' });
    FakeEventSource.last.hello('6-0', true);
    expect(tab.stale).toBe(false);
    expect(device).toBeDefined();
    expect(tab.log).toEqual(['6-0']);
  });

  it.each([
    ['another account', { account: 'other' }],
    ['the same account as someone else', { subject: 'user:eva' }],
    ['the same user with fewer sites', { sites: ['3'] }],
    ['the same user with fewer devices', { devices: ['x'] }],
  ])('leaves nothing in view for %s', async (_, change) => {
    const [tab, stream] = await openLive();
    stream.telemetry('6-0', { T1: 7 }, { topic: 'account:acme/site:2/device:theirs' });
    await expire(stream);
    users.next = { ...anna, ...change };
    out['/api/devices'] = { status: 503 };
    await tab.session.signIn('next', 'right');
    expect(tab.devices.size).toBe(0);
    expect(tab.log).toEqual([]);
    expect(tab.chosen.value).toBeUndefined();
    await pass();
    expect(Object.fromEntries(FakeEventSource.last.query)).toEqual({ snapshot: 'latest' });
    expect(tab.devices.size).toBe(0);
  });

  it('is announced with its time, and signing in before it replaces the stream', async () => {
    const [tab, stream] = await openLive();
    stream.block('auth_expiring');
    expect(tab.session.endsAtMs.value).toBe(Date.parse(anna.expiresAt!));
    tab.session.renewing.value = true;
    users.anna = { ...anna, expiresAt: '2026-01-28T08:00:00.000Z' };
    await tab.session.signIn('anna', 'right');
    expect([tab.session.endsAtMs.value, tab.session.renewing.value]).toEqual([undefined, false]);
    expect(tab.session.who.value?.expiresAt).toBe('2026-01-28T08:00:00.000Z');
    expect(stream.readyState).toBe(2);
    expect(streams()).toBe(2);
    expect(FakeEventSource.last.query.get('lastEventId')).toBe('5-0');
    await pass();
  });

  it('says of a user without the right to read what is the matter', async () => {
    out['/api/devices'] = { status: 403 };
    const tab = await openTab();
    await pass(60_000);
    expect(tab.session.why.value).toBe('forbidden');
    expect(requests.length).toBeLessThanOrEqual(5);
  });
});

describe('signing out', () => {
  beforeEach(() => { cookie = anna; });

  it('ends the session at the server, and puts everything away', async () => {
    const [tab] = await openLive();
    await tab.session.signOut();
    expect(requests.at(-1)).toMatchObject({ method: 'POST', path: '/api/logout' });
    expect(tab.session.state.value).toBe('out');
    expect(tab.session.why.value).toBe('new');
    expect(tab.session.who.value).toBeUndefined();
    expect(tab.devices.size).toBe(0);
    const sent = requests.length;
    await pass(600_000);
    expect(requests).toHaveLength(sent);
  });

  it.each([0, 503])('that got %i is not taken for done', async (status) => {
    const [tab, stream] = await openLive();
    out['/api/logout'] = { status };
    await tab.session.signOut();
    expect(tab.session.signOutFailed.value).toBe(true);
    expect(tab.session.state.value).toBe('in');
    expect(stream.readyState).toBe(1);
    delete out['/api/logout'];
    await tab.session.signOut();
    expect(tab.session.signOutFailed.value).toBe(false);
    expect(tab.session.state.value).toBe('out');
  });

  it('of a session that had ended already is done', async () => {
    const [tab] = await openLive();
    out['/api/logout'] = { status: 401 };
    await tab.session.signOut();
    expect(tab.session.state.value).toBe('out');
    expect(tab.devices.size).toBe(0);
  });

  it('with a token forgets it and asks the server nothing but who is left', async () => {
    cookie = undefined;
    sessionStorage.setItem('millstream.token', 'k');
    const tab = await openTab();
    requests = [];
    await tab.session.signOut();
    expect(requests.map(({ path, token }) => [path, token])).toEqual([['/api/me', undefined]]);
    expect(sessionStorage.getItem('millstream.token')).toBeNull();
    expect(tab.session.state.value).toBe('out');
    expect(tab.devices.size).toBe(0);
  });
});

describe('two tabs', () => {
  it('sign out together, whichever word comes first, and neither asks again', async () => {
    for (const streamFirst of [true, false]) {
      cookie = anna;
      const [one] = await openLive();
      const [two, stream] = await openLive();
      requests = [];
      if (streamFirst) await expire(stream);
      cookie = anna;  // for the tab that signs out
      await one.session.signOut();
      await pass(600_000);
      expect(two.session.state.value).toBe('out');
      expect(two.devices.size).toBe(0);
      expect(requests.map(({ path }) => path)).toEqual([...(streamFirst ? ['/api/devices'] : []), '/api/logout']);
      while (tabs.length > 0) tabs.pop()!.stop();
    }
  });

  it('are both live again when the user signs in again in one', async () => {
    cookie = anna;
    const [one, first] = await openLive();
    const [two, second] = await openLive();
    await expire(first, second);
    expect([one.session.state.value, two.session.state.value]).toEqual(['out', 'out']);
    requests = [];
    await two.session.signIn('anna', 'right');
    await pass();
    expect([one.session.state.value, two.session.state.value]).toEqual(['in', 'in']);
    expect(asked('/api/me')).toBe(1);
    expect(names(one)).toEqual(['of-acme']);
  });

  it('never mix two users: who signs in in one tab takes the place of the other in both', async () => {
    cookie = anna;
    const [one] = await openLive();
    const [two] = await openLive();
    await two.session.signIn('bob', 'right');
    await pass();
    expect(one.session.who.value?.subject).toBe('user:bob');
    expect(names(one)).toEqual(['of-other']);
  });

  it('do without the channel: the tab finds out when its stream comes back', async () => {
    vi.stubGlobal('BroadcastChannel', undefined);
    cookie = anna;
    const [tab, stream] = await openLive();
    cookie = bob;
    stream.drop();
    await pass(1_000);
    FakeEventSource.last.hello('9-0');
    await pass();
    expect(tab.session.who.value?.subject).toBe('user:bob');
    expect(names(tab)).toEqual(['of-other']);
  });

  it('with a token of its own does not mind what happens to the cookie', async () => {
    cookie = anna;
    const [one] = await openLive();
    sessionStorage.setItem('millstream.token', 'k');
    const two = await openTab();
    await one.session.signOut();
    await pass();
    expect(two.session.state.value).toBe('in');
  });

  it('of two servers on one origin are none of each other\'s business', async () => {
    cookie = anna;
    const [one] = await openLive();
    const two = await openTab('http://host/second');
    await one.session.signOut();
    await pass();
    expect(two.session.state.value).toBe('in');
  });

  it('of which one is just being opened when the other signs in: its old answer counts no more', async () => {
    const one = await openTab();
    held = [];
    const two = await openTab();
    const [letThrough] = held;
    held = undefined;
    await one.session.signIn('anna', 'right');
    await pass();
    expect(two.session.who.value).toEqual(anna);
    letThrough!();
    await pass();
    expect(two.session.state.value).toBe('in');
    expect(names(two)).toEqual(['of-acme']);
  });

  it('of which one cannot reach the server when it is opened, and hears before it is told so', async () => {
    const one = await openTab();
    held = [];
    const two = await openTab();
    [held, out['/api/me']] = [undefined, { status: 503 }];
    await one.session.signIn('anna', 'right');
    await pass();
    expect(two.session.state.value).toBe('in');
  });

  it('pass over words on the channel that are not theirs', async () => {
    cookie = anna;
    const [tab] = await openLive();
    const other = new FakeChannel('millstream-session');
    for (const word of [null, 'signed-out', {}, { what: 'signed-out' }]) other.postMessage(word);
    await pass();
    other.close();
    expect(tab.session.state.value).toBe('in');
  });
});

describe('a tab nobody is signed in to', () => {
  it('asks once each time it is looked at again, and not when somebody is', async () => {
    const tab = await openTab();
    requests = [];
    await tab.session.lookAgain();
    expect(tab.session.state.value).toBe('out');
    expect(requests).toHaveLength(1);
    cookie = anna;
    await tab.session.lookAgain();
    expect(tab.session.state.value).toBe('in');
    requests = [];
    await tab.session.lookAgain();
    expect(asked('/api/me')).toBe(0);
    await pass();
  });
});
