// Events that are published rather than measured: who may say what where, who hears it, and that nobody speaks with the
// server's own voice.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { Server, Stream, account, backfillAll, bearer, get, ingest, jwt, jwtSecret, post, request, sleep, systemData, until } from './harness.mjs';

const root = `account:${account}`;
const device = (name, site = 'cellar') => `${root}/site:${site}/device:${name}`;
const publish = (server, body, headers = {}) =>
  post(server, '/api/events', typeof body === 'string' ? body : JSON.stringify(body), { headers: { 'Content-Type': 'application/json', ...headers } });
const banner = (topic, more = {}) => ({ topic, type: 'system', data: { kind: 'maintenance', ...more } });
const alertOf = (name, state = 'firing', more = {}) => ({
  topic: device(name), type: 'alert',
  data: { alertId: `scada:${name}`, ruleId: 'scada:leak', ruleName: 'Leak', deviceId: name, state, severity: 'critical',
    message: 'water on the floor', field: 'leak', value: 1, threshold: 0.5, startedAt: '2026-01-27T12:34:56Z', ...more },
});

async function published(server, body, headers) {
  const answer = await publish(server, body, headers);
  assert.equal(answer.status, 202, answer.text);
  assert.match(answer.json().id, /^\d+-\d+$/);
  return answer.json().id;
}
async function refused(server, body, status, words, headers) {
  const answer = await publish(server, body, headers);
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'], /^application\/problem\+json/);
  assert.match(answer.json().detail, words);
  return answer;
}
const openAlerts = async (server) => (await get(server, '/api/latest?types=alert')).json().events;

let server;
before(async () => {
  server = await Server.start({ config: `
[presence]
stale_after = "1s"
offline_after = "2s"

[[rules]]
id = "hot"
name = "Too hot"
topic = "${root}"
field = "T1"
op = ">"
value = 70
clear = 65
severity = "warning"
` });
});

test('an event on an inner topic reaches every stream that overlaps, live and in the past, and no other', async () => {
  const streams = {};
  for (const [name, query] of Object.entries({
    all: '', cellar: '?siteId=cellar', pump: '?siteId=cellar&deviceId=pump', anyPump: '?deviceId=pump', roof: '?siteId=roof',
    roofPump: '?siteId=roof&deviceId=pump', alerts: '?types=alert', unnamed: '?unnamed=1&siteId=cellar', latest: '?mode=latest&siteId=cellar',
  })) {
    streams[name] = await Stream.open(server, query);
    await streams[name].waitFor((m) => systemData(m).kind === 'hello', 'hello');
  }
  const expected = {};
  for (const [topic, names] of [
    [root, ['all', 'cellar', 'pump', 'anyPump', 'roof', 'roofPump', 'unnamed', 'latest']],
    [`${root}/site:cellar`, ['all', 'cellar', 'pump', 'anyPump', 'unnamed', 'latest']],
    [device('pump'), ['all', 'cellar', 'pump', 'anyPump', 'unnamed', 'latest']],
    [device('fan'), ['all', 'cellar', 'unnamed', 'latest']],
  ]) {
    const id = await published(server, banner(topic, { until: '18:00', list: [1, { a: null }] }));
    for (const name of names) (expected[name] ??= []).push(id);
  }
  const last = await published(server, alertOf('fan', 'resolved'));
  for (const name of ['all', 'cellar', 'unnamed', 'latest', 'alerts']) (expected[name] ??= []).push(last);
  const heard = (stream) => stream.messages.filter((m) => m.id !== undefined && systemData(m).kind !== 'hello');
  for (const [name, stream] of Object.entries(streams)) {
    await until(() => heard(stream).length >= (expected[name] ?? []).length, `${name} hears all`);
  }
  await sleep(200);
  for (const [name, stream] of Object.entries(streams)) {
    assert.deepEqual(heard(stream).map((m) => m.id), expected[name] ?? [], name);
    stream.close();
  }
  const [first] = heard(streams.cellar);
  assert.equal(first.event, 'system');
  assert.deepEqual(first.data, { id: first.id, ts: first.data.ts, topic: root, type: 'system', data: { kind: 'maintenance', until: '18:00', list: [1, { a: null }] } });
  for (const name of ['cellar', 'pump', 'roof']) {
    const query = { cellar: { siteId: 'cellar' }, pump: { siteId: 'cellar', deviceId: 'pump' }, roof: { siteId: 'roof' } }[name];
    assert.deepEqual((await backfillAll(server, query)).events.map((event) => event.id), expected[name], name);
  }
  const resumed = await Stream.open(server, '?siteId=cellar', { lastEventId: expected.cellar[0] });
  await until(() => heard(resumed).length === expected.cellar.length - 1, 'a stream that resumes hears them too');
  resumed.close();
});

test('an event has the time it is given, else that of receipt; a wrong one is refused', async () => {
  const ts = Date.now() - 60_000;
  const ids = [await published(server, { ...banner(device('clock')), ts }), await published(server, { ...banner(device('clock')), ts: new Date(ts).toISOString() }),
    await published(server, { ...banner(device('clock')), ts: null })];
  const events = (await backfillAll(server, { topic: device('clock') })).events.filter((event) => event.topic === device('clock'));
  assert.deepEqual(events.map((event) => event.id), ids);
  assert.deepEqual(events.slice(0, 2).map((event) => Date.parse(event.ts)), [ts, ts]);
  assert.ok(Math.abs(Date.parse(events[2].ts) - Date.now()) < 10_000);
  await refused(server, { ...banner(root), ts: Date.now() + 600_000 }, 400, /^ts: .*future/);
  await refused(server, { ...banner(root), ts: 0 }, 400, /^ts: .*retention/);
  await refused(server, { ...banner(root), ts: 'noon' }, 400, /^ts: /);
});

for (const kind of ['hello', 'heartbeat', 'snapshot', 'gap', 'degraded', 'auth_expiring', 'auth_expired', 'draining', 'overloaded', 'slow']) {
  test(`nobody publishes the stream's own ${kind}`, async () => {
    await refused(server, banner(root, { kind }), 400, /^data\.kind: .*the stream's own/);
    await refused(server, `{"topic":"${root}","type":"system","data":{"kind":"x","kin\\u0064":"${kind}"}}`, 400, /^data\.kind: given more than once/);
  });
}

for (const [what, body, words] of [
  ['no JSON', '{"topic":', /^body: /], ['an empty body', '', /^body: /], ['a list', '[]', /^body: not an object/],
  ['an id of its own', { ...banner(root), id: '1-1' }, /unknown member "id"/],
  ['two topics', `{"topic":"${root}","topic":"${root}","type":"system","data":{"kind":"x"}}`, /^topic: given more than once/],
  ['no topic', { type: 'system', data: { kind: 'x' } }, /^topic: missing/],
  ['a pattern for a topic', banner(`${root}/site:*`), /^topic: /], ['a topic of two lines', banner(`${root}\n`), /^topic: /],
  ['telemetry', { topic: device('pump'), type: 'telemetry', data: { deviceId: 'pump', fields: { T1: 1 } } }, /^type: /],
  ['a status', { topic: device('pump'), type: 'device_status', data: { deviceId: 'pump', status: 'offline', reason: 'x', lastSeen: '2026-01-27T12:34:56Z' } }, /^type: /],
  ['data that is a list', { topic: root, type: 'system', data: [] }, /^data: not an object/],
  ['no kind', { topic: root, type: 'system', data: {} }, /^data\.kind: missing/], ['a kind with a blank', banner(root, { kind: 'a b' }), /^data\.kind: /],
  ['an alert without a value', alertOf('pump', 'firing', { value: undefined }), /^data\.value: missing/],
  ['an alert with more', alertOf('pump', 'firing', { ack: {} }), /^data: unknown member "ack"/],
  ['an alert of another device', { ...alertOf('pump'), topic: device('fan') }, /^data\.deviceId: /],
  ['an alert on a site', { ...alertOf('pump'), topic: `${root}/site:cellar` }, /^data\.deviceId: /],
  ['an alert of a rule of the server', alertOf('pump', 'resolved', { ruleId: 'hot' }), /^data\.ruleId: /],
  ['an alert with an id as the server\'s', alertOf('pump', 'resolved', { alertId: 'hot.cellar.pump.1769517296789.1' }), /^data\.alertId: /],
]) {
  test(`${what} is refused, and nothing is stored`, async () => {
    const before = (await backfillAll(server)).events.length;
    await refused(server, body, 400, words);
    assert.equal((await backfillAll(server)).events.length, before);
  });
}

test('an event of 32 KiB is taken, one byte more is 413, and so is a body of 64 KiB and more', async () => {
  const frame = JSON.stringify({ kind: 'note', t: '' }).length;
  const id = await published(server, banner(root, { kind: 'note', t: 'x'.repeat((32 << 10) - frame) }));
  const stored = (await backfillAll(server, { types: 'system' })).events.find((event) => event.id === id);
  assert.equal(stored.data.t.length, (32 << 10) - frame);
  await refused(server, banner(root, { kind: 'note', t: 'x'.repeat((32 << 10) - frame + 1) }), 413, /32768/);
  assert.equal((await publish(server, banner(root, { t: 'x'.repeat(64 << 10) }))).status, 413);
});

test('published alerts live beside those of the rules, and neither ends the other', async () => {
  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 90 } });
  const own = await until(async () => (await openAlerts(server)).find((event) => event.data.ruleId === 'hot'), 'the rule fires');
  const stream = await Stream.open(server, '?deviceId=boiler');
  await published(server, alertOf('boiler'));
  await published(server, alertOf('boiler', 'updated', { message: 'more of it' }));
  const heard = await stream.waitFor((m) => m.event === 'alert' && m.data.data.state === 'updated', 'the alert');
  assert.deepEqual(heard.data.data, { ...alertOf('boiler', 'updated', { message: 'more of it' }).data, startedAt: '2026-01-27T12:34:56.000Z' });
  stream.close();
  const ids = async () => (await openAlerts(server)).map((event) => event.data.alertId).sort();
  await until(async () => (await ids()).length === 2, 'both are open');
  const latecomer = await Stream.open(server, '?deviceId=boiler&snapshot=latest&types=alert');
  await until(() => latecomer.messages.filter((m) => m.data.snapshot).length === 2, 'a snapshot has both');
  latecomer.close();

  await server.kill9();
  await server.restart();
  await until(async () => (await ids()).length === 2, 'both are open after kill -9');
  await server.stop();
  await server.restart();
  assert.deepEqual(await ids(), [own.data.alertId, 'scada:boiler']);
  await published(server, alertOf('boiler', 'resolved', { endedAt: new Date().toISOString() }));
  await until(async () => (await ids()).length === 1, 'the published one has ended');
  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 20 } });
  await until(async () => (await ids()).length === 0, 'and the rule ends its own');
  const { events } = await backfillAll(server, { topic: device('boiler'), types: 'alert' });
  const states = (rule) => events.filter((event) => event.data.ruleId === rule).map((event) => event.data.state);
  assert.deepEqual(states('scada:leak'), ['firing', 'updated', 'resolved']);
  const rule = states('hot').filter((state) => !['stale', 'updated'].includes(state)); // as silent as the test was slow
  assert.deepEqual(rule, ['firing', 'resolved']);
});

test('what is published about a device makes it neither known nor present', async () => {
  await published(server, alertOf('ghost'));
  await published(server, banner(device('ghost')));
  await ingest(server, { deviceId: 'real', siteId: 'cellar', fields: { x: 1 } });
  const devices = await until(async () => {
    const list = (await get(server, '/api/devices')).json().devices.map((each) => each.deviceId);
    return list.includes('real') && list;
  }, 'the real one is there');
  assert.ok(!devices.includes('ghost'));
  await until(async () => (await backfillAll(server, { topic: device('real'), types: 'device_status' })).events.some((e) => e.data.status === 'offline'), 'the real one goes offline');
  assert.deepEqual((await backfillAll(server, { topic: device('ghost'), types: 'device_status' })).events, []);
  assert.match((await get(server, '/metrics')).text, /^millstream_engine_replay_differences_total 0$/m, 'replay came to the same conclusions');
});

test('who may publish: the role, and all of the topic within the grants', async () => {
  const closed = await Server.start({ development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  const as = (claims) => bearer(jwt({ accountId: account, roles: ['publish'], ...claims }));
  assert.equal((await publish(closed, banner(root))).status, 401);
  for (const role of ['viewer', 'operator', 'ingest']) await refused(closed, banner(root), 403, /role publish/, as({ roles: [role] }));
  await published(closed, banner(root), as({ roles: ['admin'] }));
  const topics = [root, `${root}/site:cellar`, device('pump'), device('fan'), `${root}/site:roof`, device('pump', 'roof'), 'account:other'];
  for (const [claims, allowed] of [
    [{}, topics.slice(0, 6)],
    [{ sites: ['cellar'] }, [topics[1], topics[2], topics[3]]],
    [{ devices: ['pump'] }, [topics[2], topics[5]]],
    [{ sites: ['cellar'], devices: ['pump'] }, [topics[2]]],
  ]) {
    for (const topic of topics) {
      if (allowed.includes(topic)) await published(closed, banner(topic), as(claims));
      else await refused(closed, banner(topic), 403, new RegExp(`topic "${topic}" is not allowed`), as(claims));
    }
  }
  const narrow = bearer(jwt({ accountId: account, roles: ['viewer'], sites: ['roof'], devices: ['fan'] }));
  const seen = (await backfillAll(closed, {}, { headers: narrow })).events;
  assert.ok(seen.length > 0 && seen.every((event) => [root, `${root}/site:roof`].includes(event.topic)), JSON.stringify(seen));
  const key = await post(closed, '/api/keys', JSON.stringify({ name: 'scada', roles: ['publish'], sites: ['cellar'] }), { headers: as({ roles: ['admin'] }) });
  await published(closed, alertOf('pump'), bearer(key.json().key));
  await refused(closed, banner(`${root}/site:roof`), 403, /roof/, bearer(key.json().key));
  assert.equal((await post(closed, '/api/events?topic=x', '{}', { headers: as({}) })).status, 400);
  assert.equal((await request(closed.url, 'GET', '/api/events', { headers: as({}) })).status, 405);
  await closed.stop();
});

test('an event counts as a point: over the quota it is 429, before and after others', async () => {
  const limited = await Server.start({ arguments: ['--ingest.points_per_second_per_account_max=2'] });
  let taken = 0;
  let answer;
  while ((answer = await publish(limited, banner(root))).status === 202) assert.ok(++taken <= 60);
  assert.ok(taken >= 10, `${taken}`);
  assert.equal(answer.status, 429);
  assert.ok(Number(answer.headers['retry-after']) >= 1);
  assert.match(answer.json().detail, /quota/);
  assert.equal((await post(limited, '/api/ingest', '{"deviceId":"d","fields":{"x":1}}')).status, 429, 'one quota for both');
  await limited.stop();
});

test('an account has a thousand published alerts open at most, and goes on when some have ended', { timeout: 60_000 }, async () => {
  const full = await Server.start();
  const ids = Array.from({ length: 1000 }, (_, i) => `scada:${i}`);
  for (let i = 0; i < ids.length; i += 50) {
    await Promise.all(ids.slice(i, i + 50).map((alertId) => published(full, alertOf('pump', 'firing', { alertId }))));
  }
  await until(async () => (await openAlerts(full)).length === 1000, 'all are open');
  await refused(full, alertOf('pump', 'firing', { alertId: 'scada:more' }), 422, /1000 published alerts open/);
  await published(full, banner(root));
  await published(full, alertOf('pump', 'resolved', { alertId: 'scada:7' }));
  await until(async () => (await publish(full, alertOf('pump', 'firing', { alertId: 'scada:more' }))).status === 202, 'there is room again');
  await full.stop();
});
