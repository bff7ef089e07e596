// The past as a stream: the events that backfill gives, in order, with their pauses, to the end and not again.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import test, { before } from 'node:test';
import { EventSource } from 'eventsource';
import { CutProxy, Server, Stream, assertStrictlyRising, atEnd, backfillAll, bearer, get, ingest, jwt, jwtSecret, post, quickRetry,
  request, sleep, systemData, until } from './harness.mjs';

const path = '/api/replay';
const ids = (events) => events.map((event) => event.id);
const ends = (stream) => stream.waitFor((m) => systemData(m)?.kind === 'replay_end', 'the end', 30_000).then(systemData);
const replayEnd = (stream) => until(() => stream.closed, 'the body ends');

let server;
let begun; // before the first of the events below
const spanMs = 4000;
before(async () => {
  server = await Server.start({ arguments: [...quickRetry, '--presence.stale_after=1h', '--presence.offline_after=2h'] });
  begun = Date.now();
  for (let n = 0; n <= 40; ++n) {
    await sleep(begun + (n * spanMs) / 40 - Date.now());
    await ingest(server, [{ deviceId: 'pump', siteId: 'plant', fields: { n } }, { deviceId: 'fan', siteId: 'plant', fields: { n, text: `${n}` } }]);
  }
});

test('a replay is what backfill gives, in order, and ends', async () => {
  const span = { since: String(begun), until: String(Date.now()) };
  for (const wish of [{}, { types: 'telemetry' }, { topic: 'account:demo/site:plant/device:fan' }]) {
    const { events } = await backfillAll(server, { ...span, ...wish });
    assert.ok(events.length >= 41);
    const stream = await Stream.open(server, `?${new URLSearchParams({ ...span, ...wish, speed: 'max' })}`, { path });
    assert.match(stream.headers['content-type'], /^text\/event-stream/);
    const { count, cursor } = await ends(stream);
    await replayEnd(stream);
    assert.ok(stream.complete, 'the final chunk came');
    const [hello] = stream.messages;
    const { kind, mode, speed, resumed } = systemData(hello);
    assert.deepEqual({ kind, mode, speed, resumed }, { kind: 'hello', mode: 'replay', speed: 'max', resumed: false });
    assert.equal(hello.id, systemData(hello).since);
    assert.equal(cursor, systemData(hello).until);
    assert.deepEqual(stream.events().filter((event) => event.id), events);
    assert.equal(count, events.length);
    assert.equal(stream.lastEventId, 'replay_end');
  }
});

for (const speed of [1, 2.5]) {
  test(`at speed ${speed} the pauses are those of the ids`, async () => {
    const stream = await Stream.open(server, `?since=${begun}&speed=${speed}&types=telemetry&deviceId=pump`, { path });
    const at = new Map();
    for (let ended = false; !ended; await sleep(2)) {
      ended = stream.system('replay_end').length > 0;
      for (const event of stream.events('telemetry').slice(at.size)) at.set(event.id, Date.now());
    }
    const events = stream.events('telemetry');
    assert.equal(events.length, 41);
    const idMs = (event) => Number(event.id.split('-')[0]);
    const expected = (idMs(events.at(-1)) - idMs(events[0])) / speed;
    const took = at.get(events.at(-1).id) - at.get(events[0].id);
    assert.ok(Math.abs(took - expected) < 0.2 * expected, `${took} ms instead of ${expected}`);
    const half = (idMs(events[20]) - idMs(events[0])) / speed;
    const tookHalf = at.get(events[20].id) - at.get(events[0].id);
    assert.ok(Math.abs(tookHalf - half) < 0.25 * half, `${tookHalf} ms instead of ${half}: not all at the end`);
  });
}

test('a long pause is cut to five seconds and said to be', async () => {
  const before = Date.now();
  await ingest(server, { deviceId: 'slow', siteId: 'attic', fields: { n: 1 } });
  await sleep(700);
  await ingest(server, { deviceId: 'slow', siteId: 'attic', fields: { n: 2 } });
  const stream = await Stream.open(server, `?since=${before}&speed=0.1&types=telemetry&deviceId=slow`, { path });
  await until(() => stream.events('telemetry').length === 1, 'the first');
  const first = Date.now();
  const skip = systemData(await stream.waitFor((m) => systemData(m)?.kind === 'replay_skip', 'the skip'));
  assert.ok(Date.now() - first < 1000, 'it is said before the pause');
  await ends(stream);
  const took = Date.now() - first;
  assert.ok(took > 4000 && took < 6000, `${took} ms`);
  assert.deepEqual([skip.from, skip.to], ids(stream.events('telemetry')));
});

test('a replay goes on after the last id, and misses and repeats nothing', async () => {
  const { events } = await backfillAll(server, { since: String(begun), types: 'telemetry', siteId: 'plant' });
  const query = `?since=${begun}&until=${events.at(-1).id}&types=telemetry&siteId=plant`;
  const seen = [];
  let lastEventId;
  for (const speed of [4, 8, 'max']) {
    const stream = await Stream.open(server, `${query}&speed=${speed}`, { path, lastEventId });
    if (speed === 'max') await ends(stream);
    else await until(() => stream.events('telemetry').length >= 20, 'some of it');
    stream.close();
    assert.equal(systemData(stream.messages[0]).resumed, lastEventId !== undefined);
    seen.push(...stream.events('telemetry').filter((event) => event.id));
    lastEventId = seen.at(-1).id;
  }
  assert.deepEqual(ids(seen), ids(events));
  for (const told of ['replay_end', lastEventId]) {
    const again = await Stream.open(server, query, { path, lastEventId: told });
    assert.equal(again.status, 204, told);
    assert.equal((await get(server, `${path}${query}&lastEventId=${told}`)).status, 204);
  }
  // Also where the span goes on, but without events for this viewer.
  assert.equal((await get(server, `${path}?since=${begun}&types=telemetry&siteId=plant&lastEventId=${lastEventId}`)).status, 204);
});

test('eventsource sees the whole of a replay once over cuts, and does not play it again', async () => {
  const { events } = await backfillAll(server, { since: String(begun), until: String(Date.now()), types: 'telemetry', siteId: 'plant' });
  const proxy = await CutProxy.start(server);
  const source = new EventSource(`${proxy.url}${path}?since=${begun}&until=${Date.now()}&types=telemetry&siteId=plant&speed=3`);
  atEnd(() => source.close());
  const seen = [];
  let ended = 0;
  source.addEventListener('telemetry', (event) => seen.push(event.lastEventId));
  source.addEventListener('system', (event) => (ended += JSON.parse(event.data).data.kind === 'replay_end' ? 1 : 0));
  for (const part of [10, 30, 50]) {
    await until(() => seen.length >= part, `${part} events`);
    proxy.cut();
  }
  await until(() => ended === 1, 'the end', 20_000);
  await until(() => source.readyState === EventSource.CLOSED, 'it stops');
  assert.deepEqual(seen, ids(events));
  assert.equal(ended, 1);
  assert.equal(proxy.connections, 5, 'three cuts, and one that was told that it is over');
});

test('fields and severity narrow a replay as they narrow a stream', async () => {
  const stream = await Stream.open(server, `?since=${begun}&speed=max&types=telemetry&siteId=plant&fields=text&unnamed=1`, { path });
  const { count } = await ends(stream);
  const events = stream.messages.map((m) => m.data).filter((event) => event.type === 'telemetry');
  assert.equal(count, 41);
  assert.deepEqual(events.map((event) => event.data.fields), Array.from({ length: 41 }, (_, n) => ({ text: `${n}` })));
  assert.ok(stream.messages.every((m) => m.event === 'message'));
});

test('an empty span is told as such', async () => {
  for (const query of [`?since=${Date.now() + 60_000}`, `?since=${begun}&until=${begun}`, `?since=${begun}&deviceId=nobody`]) {
    const stream = await Stream.open(server, `${query}&speed=max`, { path });
    assert.equal((await ends(stream)).count, 0);
    await replayEnd(stream);
    assert.ok(stream.complete);
  }
});

test('what is older than the retention is a gap', async () => {
  const stream = await Stream.open(server, '?since=2020-01-01T00:00:00Z&speed=max&types=telemetry&siteId=plant', { path });
  await ends(stream);
  const [gap] = stream.system('gap');
  assert.equal(systemData(gap).reason, 'trimmed');
  assert.equal(stream.events('telemetry').length, 82);
});

test('what is asked wrongly is refused by its name', async () => {
  for (const [query, status, word] of [
    ['', 400, 'since'], ['?since=x', 400, 'since'], ['?since=5&until=4', 400, 'until'], ['?since=0&speed=0', 400, 'speed'],
    ['?since=0&speed=-1', 400, 'speed'], ['?since=0&speed=fast', 400, 'speed'], ['?since=0&speed=nan', 400, 'speed'],
    ['?since=0&speed=1000.1', 422, '1000'], ['?since=0&speed=inf', 422, '1000'], ['?since=0&mode=latest', 400, 'mode'], ['?since=0&ticket=x', 400, 'ticket'],
    ['?since=0&speed=1&speed=2', 400, 'speed'], ['?since=0&types=x', 400, 'types'],
  ]) {
    const answer = await get(server, path + query);
    assert.equal(answer.status, status, `${query}: ${answer.text}`);
    assert.ok(answer.json().detail.includes(word), answer.text);
  }
  assert.equal((await request(server.url, 'HEAD', `${path}?since=0`)).status, 200);
});

test('over HTTP/2 a replay is the same, and ends as a stream ends', async () => {
  const { events } = await backfillAll(server, { since: String(begun), types: 'telemetry', siteId: 'plant' });
  const session = http2.connect(server.url);
  atEnd(() => session.destroy());
  const told = await new Promise((resolve, reject) => {
    let text = '';
    const stream = session.request({ ':path': `${path}?since=${begun}&types=telemetry&siteId=plant&speed=4` });
    stream.setEncoding('utf8');
    stream.on('data', (part) => (text += part));
    stream.on('end', () => resolve({ text, code: stream.rstCode }));
    stream.on('error', reject);
  });
  assert.equal(told.code, 0);
  assert.deepEqual([...told.text.matchAll(/^id: (\d+-\d+)\nevent: telemetry$/gm)].map((match) => match[1]), ids(events));
  assert.match(told.text, /"kind":"replay_end","count":82/);
});

test('a replay ends with its key within five seconds, and with its token', async () => {
  const guarded = await Server.start({ development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  const admin = bearer(jwt({ accountId: 'a', roles: ['admin'] }));
  const since = Date.now();
  for (let n = 0; n < 6; ++n) {
    await ingest(guarded, { deviceId: 'd', fields: { n } }, { headers: admin });
    await sleep(100);
  }
  const made = (await post(guarded, '/api/keys', JSON.stringify({ name: 'viewer', roles: ['viewer'] }), { headers: admin })).json();
  const query = `?since=${since}&speed=0.1`;
  const byKey = await Stream.open(guarded, query, { path, headers: bearer(made.key) });
  const byToken = await Stream.open(guarded, query, { path, headers: bearer(jwt({ accountId: 'a', roles: ['viewer'] }, { expiresInS: 3 })) });
  await until(() => byKey.events('telemetry').length && byToken.events('telemetry').length, 'both are told');
  const revoked = Date.now();
  assert.equal((await request(guarded.url, 'DELETE', `/api/keys/${made.id}`, { headers: admin })).status, 204);
  await until(() => byKey.closed, 'the key ends it', 5000);
  assert.ok(Date.now() - revoked < 5000);
  assert.equal((await get(guarded, path + query, { headers: bearer(made.key) })).status, 401);
  await until(() => byToken.closed, 'the token ends it', 6000);
  for (const stream of [byKey, byToken]) {
    assert.equal(stream.system('auth_expired').length, 1);
    assert.equal(stream.system('replay_end').length, 0);
    assert.ok(!stream.complete, 'cut, so that nobody takes it for the end');
  }
});

test('a replay is one of the streams that a credential may have', async () => {
  const small = await Server.start({ development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret }, arguments: ['--stream.streams_per_credential_max=1'] });
  const headers = bearer(jwt({ accountId: 'a', roles: ['admin'] }));
  const since = Date.now();
  await ingest(small, { deviceId: 'd', fields: { n: 0 } }, { headers });
  await sleep(600);
  await ingest(small, { deviceId: 'd', fields: { n: 1 } }, { headers });
  const first = await Stream.open(small, `?since=${since}&speed=0.1`, { path, headers });
  await until(() => first.events('telemetry').length, 'the first');
  const second = await Stream.open(small, `?since=${since}&speed=max`, { path, headers });
  await until(() => second.system('overloaded').length, 'it is told');
  assert.equal(second.events('telemetry').length, 0);
  first.close();
  await until(async () => {
    const third = await Stream.open(small, `?since=${since}&speed=max`, { path, headers });
    await replayEnd(third);
    return third.system('replay_end').length;
  }, 'the place is free again');
});

test('a drain tells replays and cuts them, and the server stops', async () => {
  const other = await Server.start();
  const since = Date.now();
  await ingest(other, { deviceId: 'd', fields: { n: 0 } });
  await sleep(600);
  await ingest(other, { deviceId: 'd', fields: { n: 1 } });
  const stream = await Stream.open(other, `?since=${since}&speed=0.1&types=telemetry`, { path });
  await until(() => stream.events('telemetry').length, 'the first');
  await other.stop();
  await until(() => stream.closed, 'the end');
  assert.equal(stream.system('draining').length, 1);
  assert.ok(!stream.complete);
});

test('readers that stall cost a page each, and get everything when they go on', async () => {
  const big = await Server.start({ arguments: ['--stream.slow_timeout=30s', '--stream.replay_ring_bytes_max=1000000'] });
  const since = Date.now();
  const total = 12_000;
  const text = 'x'.repeat(2000);
  for (let n = 0; n < total; n += 400) {
    await ingest(big, Array.from({ length: 400 }, (_, i) => ({ deviceId: `d${(n + i) % 50}`, ts: since + n + i, fields: { n: n + i, text } })));
  }
  const rss = () => Number(/VmRSS:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${big.child.pid}/status`, 'utf8'))[1]) / 1024;
  const { events } = await backfillAll(big, { since: String(since), types: 'telemetry' });
  assert.equal(events.length, total);
  const before = rss();
  const viewers = Array.from({ length: 10 }, () => {
    const viewer = { parts: [], tail: '' };
    viewer.socket = net.connect(big.port, '127.0.0.1', () =>
      viewer.socket.write(`GET ${path}?since=${since}&speed=max&types=telemetry HTTP/1.1\r\nHost: localhost\r\n\r\n`));
    viewer.socket.pause();
    viewer.socket.setEncoding('latin1');
    viewer.socket.on('data', (part) => {
      viewer.parts.push(part);
      viewer.tail = (viewer.tail + part).slice(-7);
    });
    viewer.socket.on('error', () => {});
    atEnd(() => viewer.socket.destroy());
    return viewer;
  });
  await sleep(2500);
  const grown = rss() - before;
  assert.match((await get(big, '/metrics')).text, /^millstream_replays 10$/m);
  assert.ok(grown < 80, `${grown.toFixed(0)} MiB for ten stalled readers of ${((total * 2200) / 2 ** 20).toFixed(0)} MiB each`);
  for (const viewer of viewers.slice(5)) viewer.socket.destroy();
  for (const viewer of viewers.slice(0, 5)) viewer.socket.resume();
  await until(() => viewers.slice(0, 5).every((viewer) => viewer.tail === '\r\n0\r\n\r\n'), 'all get to the end', 60_000);
  for (const viewer of viewers.slice(0, 5)) {
    const told = [...viewer.parts.join('').matchAll(/^id: (\d+-\d+)\nevent: telemetry$/gm)].map((match) => match[1]);
    assert.deepEqual(told, ids(events));
    assertStrictlyRising(told);
  }
  await until(async () => /^millstream_replays 0$/m.test((await get(big, '/metrics')).text), 'the abandoned ones end');
});
