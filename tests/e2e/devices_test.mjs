// Devices that people describe: over HTTP, in the stream, in rules, behind gateways, and across restarts.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Server, Stream, account, backfillAll, bearer, get, ingest, jwt, jwtSecret, request, tempDirectory, until } from './harness.mjs';

const put = (server, target, body, headers) =>
  request(server.url, 'PUT', `/api/devices/${target}`, { body: typeof body === 'string' ? body : JSON.stringify(body), headers });
const remove = (server, target, headers) => request(server.url, 'DELETE', `/api/devices/${target}`, { headers });
const device = async (server, id, headers) => (await get(server, `/api/devices/${id}`, { headers })).json();
const events = async (server, types, device = '*') =>
  (await backfillAll(server, { topic: `account:${account}/site:*/device:${device}`, types })).events.map((event) => event.data);

test('what is said of a device is stored, shown and told; what is wrong with it is named', async () => {
  const server = await Server.start({ development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  const admin = (claims = {}) => bearer(jwt({ accountId: 'a', roles: ['admin'], ...claims }));
  const said = { name: 'Feed pump', attributes: { T1_warn: 70 }, interval: '30s', offlineDelay: '2s' };
  for (const [target, body, headers, status, words] of [
    ['pump?siteId=s', said, {}, 401, /credential/],
    ['pump?siteId=s', said, bearer(jwt({ accountId: 'a', roles: ['operator', 'viewer'] })), 403, /role admin/],
    ['pump?siteId=s', said, admin({ sites: ['t'] }), 403, /siteId "s"/],
    ['pump?siteId=s', said, admin({ devices: ['fan'] }), 403, /deviceId "pump"/],
    ['pump', said, admin(), 400, /siteId: is needed/],
    ['pump?siteId=s&x=1', said, admin(), 400, /x/],
    ['pump?siteId=s', '{', admin(), 400, /JSON/],
    ['pump?siteId=s', { interval: 'soon' }, admin(), 400, /interval: a duration/],
    ['pump?siteId=s', { attributes: { a: true } }, admin(), 400, /attributes\.a: not a number/],
    ['pump?siteId=s', { parent: 'pump' }, admin(), 400, /parent: the device itself/],
    ['pump?siteId=s', { color: 'red' }, admin(), 400, /color: unknown/],
    ['pump?siteId=s', ' '.repeat(20_000), admin(), 413, /16384/],
  ]) {
    const answer = await put(server, target, body, headers);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.json().detail, words);
  }
  assert.equal((await remove(server, 'pump', admin())).status, 404);

  const stream = await Stream.open(server, '', { headers: admin() });
  await stream.waitFor((m) => m.data?.data?.kind === 'hello', 'hello');
  const saved = await put(server, 'pump?siteId=s', said, admin({ sub: 'anna' }));
  assert.equal(saved.status, 200, saved.text);
  assert.deepEqual(saved.json().settings, said);
  const told = await stream.waitFor((m) => m.data?.data?.kind === 'device_saved', 'the change is told');
  assert.equal(told.data.topic, 'account:a/site:s/device:pump');
  assert.deepEqual(told.data.data.settings, said);
  assert.match(told.data.data.by, /anna/);
  assert.deepEqual([saved.json().status, saved.json().lastSeen], ['unknown', null]);
  assert.deepEqual((await get(server, '/api/devices', { headers: admin() })).json().devices.map((d) => [d.deviceId, d.status]), [['pump', 'unknown']]);
  assert.deepEqual((await get(server, '/api/devices', { headers: admin({ accountId: 'b' }) })).json().devices, []);
  assert.deepEqual((await device(server, 'pump', admin())).settings, said);

  assert.equal((await put(server, 'pump?siteId=t', {}, admin())).status, 200);
  assert.match((await put(server, 'pump', {}, admin())).json().detail, /several sites: s t/);
  assert.equal((await put(server, 'pump', { name: 'T' }, admin({ sites: ['t'] }))).json().siteId, 't');
  assert.equal((await remove(server, 'pump?siteId=t', admin())).status, 204);
  await stream.waitFor((m) => m.data?.data?.kind === 'device_deleted', 'the removal is told');
  assert.equal((await put(server, 'valve?siteId=s', { parent: 'pump' }, admin())).status, 200);
  const deeper = await put(server, 'tap?siteId=s', { parent: 'valve' }, admin());
  assert.equal(deeper.status, 422);
  assert.match(deeper.json().detail, /parent: valve has a gateway itself/);
  await server.stop();
});

test('a gateway that goes is one event; those behind it are shown with it, and each tells of itself when it is heard', async () => {
  const server = await Server.start({ config: '[presence]\nstale_after = "1h"\noffline_after = "2h"\n' });
  assert.equal((await put(server, 'gw?siteId=s', { staleAfter: '200ms', offlineAfter: '400ms' })).status, 200);
  const behind = ['d1', 'd2', 'd3', 'd4', 'd5'];
  for (const id of behind) assert.equal((await put(server, `${id}?siteId=s`, { parent: 'gw' })).status, 200);
  await ingest(server, [...behind, 'gw'].map((id) => ({ deviceId: id, siteId: 's', fields: { x: 1 } })));
  await until(async () => (await events(server, 'device_status', 'gw')).some((e) => e.status === 'offline'), 'the gateway is offline');
  const statuses = await events(server, 'device_status');
  assert.deepEqual(statuses.filter((e) => e.status === 'offline').map((e) => [e.deviceId, e.reason, e.devices]), [['gw', 'timeout', 5]]);
  assert.equal(statuses.filter((e) => behind.includes(e.deviceId)).length, 5, 'each was told online, and nothing since');
  const shown = async () => Object.fromEntries((await get(server, '/api/devices')).json().devices.map((d) => [d.deviceId, `${d.status} ${d.reason}`]));
  assert.deepEqual(await shown(), { gw: 'offline timeout', ...Object.fromEntries(behind.map((id) => [id, 'offline gateway'])) });
  const stream = await Stream.open(server, '?snapshot=latest&deviceId=d1');
  const snapshot = await stream.waitFor((m) => m.event === 'device_status', 'the snapshot');
  assert.deepEqual([snapshot.data.data.status, snapshot.data.data.reason], ['offline', 'gateway']);

  await ingest(server, { deviceId: 'd1', siteId: 's', fields: { x: 2 } }); // by another way
  await stream.waitFor((m) => m.event === 'device_status' && !m.data.snapshot && m.data.data.status === 'online', 'it is online by itself');
  assert.deepEqual([(await shown()).d1, (await shown()).d2], ['online data', 'offline gateway']);

  await server.kill9();
  await server.restart();
  await until(async () => (await shown()).d2 === 'offline gateway', 'and so after a crash');
  await put(server, 'gw?siteId=s', {}); // it has an hour from now on
  await ingest(server, { deviceId: 'gw', siteId: 's', fields: { x: 3 } });
  const back = await until(async () => (await events(server, 'device_status', 'gw')).find((e, i, all) => e.status === 'online' && i === all.length - 1),
    'the gateway is back');
  assert.equal(back.devices, 4);
  assert.equal((await shown()).d2, 'online data');
  await server.stop();
});

test('one that is described and never speaks is offline, and its own numbers are the limits of a rule, also after a restart', async () => {
  const rules = path.join(tempDirectory('rules'), 'rules.json');
  fs.writeFileSync(rules, JSON.stringify([{
    id: 'hot', scope: { topic: `account:${account}` }, when: { all: [{ field: 'T1' }] },
    levels: [{ severity: 'warning', op: '>', value: { attr: 'T1_warn', default: 70 } }],
  }]));
  const server = await Server.start({ config: `[alerts]\nrules_file = ${JSON.stringify(rules)}\n` });
  assert.equal((await put(server, 'ghost?siteId=s', { offlineAfter: '300ms' })).status, 200);
  await until(async () => (await events(server, 'device_status', 'ghost')).length, 'it is told offline');
  assert.deepEqual(await events(server, 'device_status', 'ghost'), [{ deviceId: 'ghost', status: 'offline', reason: 'never_seen', lastSeen: null }]);

  assert.equal((await put(server, 'oven?siteId=s', { attributes: { T1_warn: 200 } })).status, 200);
  await ingest(server, { deviceId: 'oven', siteId: 's', fields: { T1: 150 } });
  await ingest(server, { deviceId: 'other', siteId: 's', fields: { T1: 150 } });
  await until(async () => (await events(server, 'alert', 'other')).length === 1, 'the other fires at 70');
  assert.deepEqual(await events(server, 'alert', 'oven'), []);
  await server.kill9();
  await server.restart();
  await ingest(server, { deviceId: 'oven', siteId: 's', fields: { T1: 199 } });
  await ingest(server, { deviceId: 'oven', siteId: 's', fields: { T1: 201 } });
  await until(async () => (await events(server, 'alert', 'oven')).length === 1, 'this one at 200');
  assert.deepEqual((await events(server, 'alert', 'oven')).map((a) => [a.value, a.threshold]), [[201, 200]]);
  assert.equal((await events(server, 'device_status', 'ghost')).length, 1, 'and nothing is told twice');

  assert.equal((await remove(server, 'oven')).status, 204);
  assert.equal((await get(server, '/api/devices/oven')).status, 404);
  await server.stop();
});
