// API keys over HTTP and by command line: made within one's own rights, listed, replaced, revoked. Quotas of keys and
// accounts. Devices that make themselves known.

import assert from 'node:assert/strict';
import path from 'node:path';
import test, { before } from 'node:test';
import { Server, Stream, bearer, get, ingest, jwt, jwtSecret, post, request, run, sleep, until } from './harness.mjs';

const environment = { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret };
const admin = (claims = {}) => bearer(jwt({ accountId: 'a', roles: ['admin'], ...claims }));
let server;
before(async () => {
  server = await Server.start({ development: false, env: environment });
});

const create = (body, headers = admin(), to = server) =>
  post(to, '/api/keys', typeof body === 'string' ? body : JSON.stringify(body), { headers });
const list = async (headers = admin()) => (await get(server, '/api/keys', { headers })).json().keys;
const works = async (key) => (await get(server, '/api/me', { headers: bearer(key) })).status === 200;

test('a key is told once, works at once, is listed without its secret, and says when it was used', async () => {
  const made = await create({ name: 'line 1', roles: ['viewer', 'ingest'], sites: ['north'], expiresAt: '2100-01-01T00:00:00Z' });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.headers['cache-control'], 'no-store');
  const { key, ...shown } = made.json();
  assert.match(key, /^ms_[a-z0-9]{12}_[A-Za-z0-9_-]{43}$/);
  assert.deepEqual({ ...shown, createdAt: '' }, { id: key.split('_')[1], name: 'line 1', account: 'a', roles: ['viewer', 'ingest'], sites: ['north'],
    devices: null, expiresAt: '2100-01-01T00:00:00.000Z', createdAt: '', createdBy: (await get(server, '/api/me', { headers: admin() })).json().subject,
    lastUsedAt: null, revoked: false });
  assert.deepEqual((await get(server, '/api/me', { headers: bearer(key) })).json(),
    { kind: 'key', subject: `key:${shown.id}`, account: 'a', roles: ['viewer', 'ingest'], sites: ['north'], devices: null, expiresAt: '2100-01-01T00:00:00.000Z' });
  const listed = (await list()).find((each) => each.id === shown.id);
  assert.ok(Date.now() - Date.parse(listed.lastUsedAt) < 10_000, listed.lastUsedAt);
  assert.deepEqual({ ...listed, lastUsedAt: null }, shown);
  assert.ok(!JSON.stringify(await list()).includes(key.split('_').slice(2).join('_')));
});

test('nobody makes a key that may do more, and each account sees its own', async () => {
  const narrow = admin({ sites: ['north'], devices: ['pump'] });
  for (const [body, headers, status, words] of [
    [{ name: 'x', roles: ['viewer'] }, bearer(jwt({ accountId: 'a', roles: ['operator', 'viewer', 'ingest'] })), 403, /role admin/],
    [{ name: 'x', roles: ['viewer'] }, {}, 401, /credential/],
    [{ name: 'x', roles: ['viewer'], sites: ['south'] }, narrow, 403, /sites/],
    [{ name: 'x', roles: ['viewer'], devices: ['pump', 'fan'] }, narrow, 403, /devices/],
    [{ name: 'x', roles: ['viewer'], account: 'b' }, admin(), 400, /unknown member "account"/],
    [{ name: 'x', roles: ['viewer'], sites: [] }, admin(), 400, /sites: names nothing/],
    [{ name: 'x', roles: ['viewer'], sites: ['*'] }, admin(), 400, /sites: a name is/],
    [{ name: 'x', roles: [] }, admin(), 400, /roles/], [{ name: 'x' }, admin(), 400, /roles: is needed/], [{ name: 'x', roles: ['root'] }, admin(), 400, /roles/],
    [{ roles: ['viewer'] }, admin(), 400, /name: is needed/], [{ name: 'x'.repeat(201), roles: ['viewer'] }, admin(), 400, /name: at most/],
    [{ name: 'x', roles: ['viewer'], expiresAt: '2020-01-01T00:00:00Z' }, admin(), 400, /has passed/],
    [{ name: 'x', roles: ['viewer'], expiresAt: 'soon' }, admin(), 400, /expiresAt/], [{ name: 'x', roles: ['viewer'], expiresAt: 1000 }, admin(), 400, /has passed/],
    [{ name: 'x', roles: ['viewer'], sites: Array.from({ length: 257 }, (_, i) => `s${i}`) }, admin(), 422, /at most 256/],
    [{ name: 'x', roles: ['viewer'] }, bearer(jwt({ accountId: 'a', roles: ['admin'] }, { expiresInS: -10 })), 401, /credential/], ['[]', admin(), 400, /JSON object/],
  ]) {
    const answer = await create(body, headers);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.json().detail, words);
  }
  const inherited = await create({ name: 'inherits', roles: 'viewer' }, narrow);
  assert.deepEqual([inherited.json().sites, inherited.json().devices], [['north'], ['pump']]);
  const whole = (await create({ name: 'whole', roles: ['viewer'] })).json();
  const others = (await create({ name: 'others', roles: ['viewer'] }, admin({ accountId: 'b' }))).json();
  const names = async (headers) => (await list(headers)).map((each) => each.name);
  assert.ok(!(await names(narrow)).includes('whole'), 'it may do more than who asks');
  assert.ok((await names(narrow)).includes('inherits'));
  assert.ok(!(await names(admin())).includes('others'));
  for (const id of [whole.id, others.id, 'zzzzzzzzzzzz']) {
    for (const [method, target] of [['DELETE', `/api/keys/${id}`], ['POST', `/api/keys/${id}/rotate`]]) {
      const answer = await request(server.url, method, target, { headers: narrow });
      assert.equal(answer.status, 404, `${method} ${answer.text}`);
    }
  }
  assert.ok(await works(whole.key) && await works(others.key));
});

test('a revoked key ends at once, with its streams', async () => {
  const made = (await create({ name: 'gone', roles: ['viewer'] })).json();
  const stream = await Stream.open(server, '', { headers: bearer(made.key) });
  assert.equal(stream.status, 200);
  assert.equal((await request(server.url, 'DELETE', `/api/keys/${made.id}`, { headers: admin() })).status, 204);
  assert.equal(await works(made.key), false);
  await until(() => stream.closed, 'its stream ends', 2000);
  assert.equal(stream.system('auth_expired').length, 1);
  assert.equal((await list()).find((each) => each.id === made.id).revoked, true);
  assert.equal((await post(server, `/api/keys/${made.id}/rotate`, '', { headers: admin() })).status, 409);
});

test('a replaced key goes on for a while and then ends, with its streams', async () => {
  const old = (await create({ name: 'line 2', roles: ['viewer'], sites: ['north'] })).json();
  const stream = await Stream.open(server, '', { headers: bearer(old.key) });
  const rotate = (body, id = old.id) => post(server, `/api/keys/${id}/rotate`, body, { headers: admin() });
  for (const wrong of ['{"overlap":"1y"}', '{"overlap":"31d"}', '{"overlap":5}', '{"over":"1h"}']) assert.equal((await rotate(wrong)).status, 400, wrong);
  const answer = await rotate('{"overlap":"3s"}');
  assert.equal(answer.status, 201, answer.text);
  const fresh = answer.json();
  assert.deepEqual([fresh.name, fresh.roles, fresh.sites, fresh.expiresAt], ['line 2', ['viewer'], ['north'], null]);
  assert.notEqual(fresh.id, old.id);
  assert.ok(await works(old.key) && await works(fresh.key), 'both for now');
  await until(async () => !(await works(old.key)), 'the old one ends', 6000, 100);
  await until(() => stream.closed, 'and its stream', 5000);
  assert.ok(await works(fresh.key));
  const byDefault = (await rotate('', fresh.id)).json();
  const end = Date.parse((await list()).find((each) => each.id === fresh.id).expiresAt);
  assert.ok(Math.abs(end - Date.now() - 86_400_000) < 60_000);
  const line = await run(['key', 'rotate', byDefault.id, '--overlap', '0s', '--data-directory', path.join(server.directory, 'data')]);
  assert.equal(line.code, 0, line.output);
  await until(async () => !(await works(byDefault.key)), 'the command line does the same', 6000, 100);
  assert.ok(await works(/ms_\S+/.exec(line.stdout)[0]));
});

test('the last use of a key outlives a restart', async () => {
  const made = (await create({ name: 'used', roles: ['viewer'] })).json();
  assert.ok(await works(made.key));
  await server.stop();
  await server.restart();
  const used = (await list()).find((each) => each.id === made.id).lastUsedAt;
  assert.ok(Date.now() - Date.parse(used) < 30_000, used);
  assert.match((await run(['key', 'list', '--data-directory', path.join(server.directory, 'data')])).stdout, /LAST USED/);
});

const quotas = (text) => Object.fromEntries([...text.matchAll(/millstream_quota_refusals_total\{quota="(\w+)"\} (\d+)/g)].map((m) => [m[1], Number(m[2])]));

test('who sends more points than the quota is told when to go on, each endpoint in its own words', async () => {
  const limited = await Server.start({ development: false, env: environment, arguments: [
    '--ingest.points_per_second_per_credential_max=100', '--ingest.points_per_second_per_account_max=150'] });
  const device = (sub, accountId = 'a') => bearer(jwt({ accountId, sub, roles: ['ingest'] }));
  const points = (count) => JSON.stringify(Array.from({ length: count }, (_, i) => ({ deviceId: `d${i % 10}`, ts: Date.now() - i, fields: { x: i } })));
  const send = (count, headers) => post(limited, '/api/ingest', points(count), { headers });
  assert.equal((await send(600, device('one'))).status, 200, 'a batch is taken whole');
  const refused = await send(1, device('one'));
  assert.equal(refused.status, 429, refused.text);
  assert.equal(refused.json().code, 'rate_limited');
  const wait = Number(refused.headers['retry-after']);
  assert.ok(wait >= 1 && wait <= 2, `${wait} s`);
  const v1 = await post(limited, '/write?db=x', 'm,device=d n=1', { headers: device('one') });
  assert.equal(v1.status, 503, 'Telegraf would drop the batch on 429');
  assert.ok(Number(v1.headers['retry-after']) >= 1);
  const v2 = await post(limited, '/api/v2/write?bucket=b', 'm,device=d n=1', { headers: device('one') });
  assert.equal(v2.status, 429);
  assert.equal(v2.json().code, 'too many requests');
  assert.ok(Number(v2.headers['retry-after']) >= 1);
  const v3 = await post(limited, '/api/v3/write_lp?db=x', 'm,device=d n=1', { headers: device('one') });
  assert.equal(v3.status, 429);
  assert.match(v3.json().error, /quota/);
  assert.ok(Number(v3.headers['retry-after']) >= 1);
  assert.equal((await send(1, device('two'))).status, 200, 'another token of the account');
  assert.equal((await send(400, device('two'))).status, 200);
  assert.equal((await send(1, device('three'))).status, 429, 'now the account has used up its own');
  assert.equal((await send(1, device('one', 'b'))).status, 200, 'another account');
  await sleep(wait * 1000 + 1000);
  await until(async () => (await send(1, device('one'))).status === 200, 'it may go on', 5000, 100);
  assert.ok(quotas((await get(limited, '/metrics')).text).points >= 4);
  await limited.stop();
});

test('streams of a credential and of an account, topics of a request and devices of an account have their limits', async () => {
  const limited = await Server.start({ development: false, env: environment, arguments: [
    '--stream.streams_per_credential_max=2', '--stream.streams_per_account_max=3', '--stream.topics_max=4', '--ingest.devices_per_account_max=2'] });
  const viewer = (sub) => bearer(jwt({ accountId: 'a', sub, roles: ['viewer', 'ingest'] }));
  const open = [];
  for (const [sub, may] of [['one', true], ['one', true], ['one', false], ['two', true], ['three', false]]) {
    const stream = await Stream.open(limited, '', { headers: viewer(sub) });
    assert.equal(stream.status, 200, 'a browser would not come back from anything else');
    await stream.waitFor((m) => m.event === 'system', 'the first block');
    assert.equal(stream.system('overloaded').length, may ? 0 : 1, sub);
    if (may) open.push(stream);
  }
  const plain = await get(limited, '/api/stream', { headers: { ...viewer('one'), Accept: 'application/json' } });
  assert.equal(plain.status, 503);
  assert.ok(Number(plain.headers['retry-after']) > 0);
  open.pop().close();
  await until(async () => {
    const stream = await Stream.open(limited, '', { headers: viewer('three') });
    await stream.waitFor((m) => m.event === 'system', 'the first block');
    stream.close();
    return stream.system('hello').length === 1;
  }, 'a place is free again');
  for (const stream of open) stream.close();

  const topics = (count) => Array.from({ length: count }, (_, i) => `account:a/site:s${i}`).join();
  for (const target of ['/api/latest', '/api/stream', '/api/devices', '/api/events/backfill']) {
    const answer = await get(limited, `${target}?topics=${topics(5)}`, { headers: viewer('one') });
    assert.equal(answer.status, 422, target);
    assert.match(answer.json().detail, /at most 4/);
  }
  const ticket = await post(limited, '/api/stream-token', JSON.stringify({ topics: topics(5) }), { headers: viewer('one') });
  assert.equal(ticket.status, 422);
  const made = await post(limited, '/api/stream-token', '', { headers: viewer('one') });
  const byTicket = await Stream.open(limited, `?ticket=${made.json().ticket}&topics=${topics(5)}`);
  assert.equal(byTicket.status, 422, 'not with a ticket either');

  const point = (device) => ({ deviceId: device, fields: { x: 1 } });
  await ingest(limited, [point('d1'), point('d2')], { headers: viewer('one') });
  const answer = await post(limited, '/api/ingest', JSON.stringify([point('d1'), point('d3')]), { headers: viewer('one') });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json().accepted, 1);
  assert.match(answer.json().rejected[0].reason, /the account has 2 devices, which is its limit/);
  assert.equal((await post(limited, '/api/ingest', JSON.stringify(point('d3')), { headers: viewer('one') })).status, 400);
  assert.match((await get(limited, '/metrics')).text, /millstream_ingest_rejected_total\{reason="device_limit"\} 2/);
  await until(async () => (await run(['device', 'list', '--data-directory', path.join(limited.directory, 'data')])).stdout.includes('d2'), 'it is on disk');
  const removed = await run(['device', 'remove', 'account:a/site:default/device:d1', '--data-directory', path.join(limited.directory, 'data')]);
  assert.equal(removed.code, 0, removed.output);
  await until(async () => (await post(limited, '/api/ingest', JSON.stringify(point('d3')), { headers: viewer('one') })).status === 200, 'there is room', 8000, 200);
  await limited.stop();
  await limited.restart();
  assert.equal((await post(limited, '/api/ingest', JSON.stringify(point('d4')), { headers: viewer('one') })).status, 400, 'after a restart too');
  const counted = quotas((await get(limited, '/metrics')).text);
  assert.deepEqual(counted, {}, 'counters begin anew');
  await limited.stop();
});
