// Alert rules by HTTP over a running server: made, changed, refused, deleted, kept over kill -9, and read again from a
// file; and what they do to the alerts that viewers see.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Server, Stream, account, backfillAll, bearer, get, ingest, jwt, jwtSecret, post, request, systemData, tempDirectory, until } from './harness.mjs';

const rule = (more = {}, value = 70) => ({
  scope: { topic: `account:${account}/site:plant` },
  when: { all: [{ field: 'T1' }] },
  levels: [{ severity: 'warning', op: '>', value }],
  ...more,
});
const make = (server, body, options) => post(server, '/api/rules', JSON.stringify(body), options);
const put = (server, id, body, headers = {}) => request(server.url, 'PUT', `/api/rules/${id}`, { body: JSON.stringify(body), headers });
const remove = (server, id, headers = {}) => request(server.url, 'DELETE', `/api/rules/${id}`, { headers });
const temperature = (server, T1, deviceId = 'oven') => ingest(server, { deviceId, siteId: 'plant', fields: { T1 } });
const states = async (server) =>
  (await backfillAll(server, { types: 'alert' })).events.map(({ data }) => [data.ruleId, data.state, data.reason].filter(Boolean).join(' '));

test('a rule is made over a running server, fires, is changed, outlives kill -9 and ends', { timeout: 60_000 }, async () => {
  const server = await Server.start();
  const stream = await Stream.open(server, '?siteId=plant');
  const made = await make(server, rule({ name: 'Too hot' }));
  assert.equal(made.status, 201, made.text);
  assert.equal(made.headers.location, '/api/rules/too-hot');
  assert.equal(made.headers.etag, '"1"');
  await temperature(server, 80);
  const alert = await stream.waitFor((m) => m.event === 'alert', 'the alert on the stream');
  assert.deepEqual([alert.data.data.ruleId, alert.data.data.state, alert.data.data.value], ['too-hot', 'firing', 80]);
  const saved = stream.messages.find((m) => m.event === 'system' && systemData(m).kind === 'rule_saved');
  assert.equal(systemData(saved).rule.id, 'too-hot');
  assert.equal(systemData(saved).by, 'development');
  const seen = await get(server, '/api/rules/too-hot');
  await until(async () => (await get(server, '/api/rules/too-hot')).json().status.firing === 1, 'the rule shows its alert');

  // What one has looked at is what one changes.
  const { status, ...body } = seen.json();
  assert.equal(status.devices, 1);
  const stale = await put(server, 'too-hot', { ...body, levels: [{ severity: 'critical', op: '>', value: 90 }] }, { 'If-Match': '"7"' });
  assert.equal(stale.status, 412, stale.text);
  const changed = await put(server, 'too-hot', { ...body, levels: [{ severity: 'critical', op: '>', value: 90 }] }, { 'If-Match': seen.headers.etag });
  assert.equal(changed.status, 200, changed.text);
  assert.equal(changed.headers.etag, '"2"');
  const ended = await stream.waitFor((m) => m.event === 'alert' && m.data.data.state === 'resolved', 'the end of the alert');
  assert.equal(ended.data.data.reason, 'rule_changed');
  assert.equal((await put(server, 'too-hot', body)).status, 409, 'the version in the body is an old one');
  stream.close();

  await server.kill9();
  await server.restart();
  const kept = await get(server, '/api/rules/too-hot');
  assert.deepEqual([kept.headers.etag, kept.json().levels[0].value, kept.json().createdBy], ['"2"', 90, 'development']);
  await temperature(server, 85);
  await temperature(server, 95);
  await until(async () => (await states(server)).length === 3, 'it fires by what it was changed to');
  assert.equal((await remove(server, 'too-hot', { 'If-Match': '"2"' })).status, 204);
  await until(async () => (await states(server)).length === 4, 'its alert ends with it');
  assert.deepEqual(await states(server), ['too-hot firing', 'too-hot resolved rule_changed', 'too-hot firing', 'too-hot resolved rule_deleted']);
  assert.equal((await get(server, '/api/rules/too-hot')).status, 404);
  await server.kill9();
  await server.restart();
  assert.deepEqual((await get(server, '/api/rules')).json().rules, []);
  await temperature(server, 99);
  await temperature(server, 20);
  assert.equal((await states(server)).length, 4);
  await server.stop();
});

test('a kill right after a rule was answered for neither loses it nor has it twice', { timeout: 90_000 }, async () => {
  const server = await Server.start();
  for (let round = 1; round <= 6; ++round) {
    const answer = round === 1 ? await make(server, rule({ id: 'hot' }, 100)) : await put(server, 'hot', rule({}, 100 * round));
    assert.equal(answer.headers.etag, `"${round}"`, answer.text);
    await server.kill9();
    await server.restart();
    const kept = await get(server, '/api/rules/hot');
    assert.deepEqual([kept.headers.etag, kept.json().levels[0].value], [`"${round}"`, 100 * round]);
    const firing = async () => (await states(server)).filter((each) => each === 'hot firing').length;
    await temperature(server, 100 * round);
    await temperature(server, 100 * round + 1, `oven-${round}`);
    await until(async () => (await firing()) === round, 'it is in force');
  }
  await server.stop();
});

test('of many who change one version one is heard', { timeout: 30_000 }, async () => {
  const server = await Server.start();
  await make(server, rule({ id: 'hot' }));
  const answers = await Promise.all(Array.from({ length: 16 }, (_, i) => put(server, 'hot', rule({ name: `writer ${i}` }), { 'If-Match': '"1"' })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(15).fill(412)]);
  const winner = answers.findIndex(({ status }) => status === 200);
  assert.equal((await get(server, '/api/rules/hot')).json().name, `writer ${winner}`);
  // Without a condition each is heard, one after the other, and the stream ends with the one that is kept.
  await Promise.all(Array.from({ length: 16 }, (_, i) => put(server, 'hot', rule({ name: `any ${i}` }))));
  const kept = (await get(server, '/api/rules/hot')).json();
  assert.equal(kept.version, 18);
  const { events } = await backfillAll(server, { types: 'system' });
  const saved = events.filter(({ data }) => data.kind === 'rule_saved').map(({ data }) => data.rule);
  assert.deepEqual(saved.map(({ version }) => version), Array.from({ length: 18 }, (_, i) => i + 1));
  assert.equal(saved.at(-1).name, kept.name);
  await server.stop();
});

test('an account has so many rules, and is told which limit it is', async () => {
  const server = await Server.start({ arguments: ['--alerts.rules_per_account_max=2'] });
  for (const id of ['a', 'b']) assert.equal((await make(server, rule({ id }))).status, 201);
  const third = await make(server, rule({ id: 'c' }));
  assert.equal(third.status, 422);
  assert.match(third.json().detail, /alerts\.rules_per_account_max/);
  assert.equal((await remove(server, 'a')).status, 204);
  assert.equal((await make(server, rule({ id: 'c' }))).status, 201);
  await server.stop();
});

test('who may see and change which rule', async () => {
  const server = await Server.start({ development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  const as = (claims) => ({ headers: bearer(jwt({ accountId: account, ...claims })) });
  const admin = as({ roles: ['admin'] });
  const ofPlant = as({ roles: ['admin'], sites: ['plant'] });
  assert.equal((await make(server, rule({ id: 'plant' }), ofPlant)).status, 201);
  assert.equal((await make(server, rule({ id: 'yard', scope: { topic: `account:${account}/site:yard` } }), admin)).status, 201);
  assert.equal((await make(server, rule({ id: 'all', scope: {} }), admin)).status, 201);
  const ids = async (options, query = '') => (await get(server, `/api/rules${query}`, options)).json().rules.map(({ id }) => id);
  assert.deepEqual(await ids(admin), ['all', 'plant', 'yard']);
  assert.deepEqual(await ids(as({ roles: ['viewer'], sites: ['plant'] })), ['all', 'plant']);
  assert.deepEqual(await ids(admin, '?siteId=yard'), ['all', 'yard']);
  assert.deepEqual(await ids(as({ accountId: 'other', roles: ['admin'] })), []);
  const to = (method, id, { headers }) => request(server.url, method, `/api/rules/${id}`, { headers, body: method === 'PUT' ? JSON.stringify(rule()) : undefined });
  for (const method of ['PUT', 'DELETE']) {
    assert.equal((await to(method, 'all', ofPlant)).status, 403, `${method}: more than its own site`);
    assert.equal((await to(method, 'plant', as({ roles: ['operator'] }))).status, 403, method);
    assert.equal((await to(method, 'plant', as({ roles: ['admin'], sites: ['yard'] }))).status, method === 'PUT' ? 403 : 404, method);
  }
  assert.equal((await to('DELETE', 'plant', as({ accountId: 'other', roles: ['admin'] }))).status, 404);
  assert.equal((await to('GET', 'yard', as({ roles: ['viewer'], sites: ['plant'] }))).status, 404);
  assert.deepEqual(await ids(admin), ['all', 'plant', 'yard']);
  await server.stop();
});

test('rules of a file are read-only, go before others, and are read again on SIGHUP', { timeout: 60_000 }, async () => {
  const directory = tempDirectory('rules');
  const file = path.join(directory, 'rules.yaml');
  const write = (...rules) => fs.writeFileSync(file, JSON.stringify(rules));
  write(rule({ id: 'hot' }), rule({ id: 'gone' }, 1000));
  const server = await Server.start({ directory, arguments: [`--alerts.rules_file=${file}`] });
  const sources = async () => (await get(server, '/api/rules')).json().rules.map(({ id, source }) => `${id} ${source}`);
  assert.deepEqual(await sources(), ['gone file', 'hot file']);
  for (const answer of [await make(server, rule({ id: 'hot' })), await put(server, 'hot', rule()), await remove(server, 'hot')]) {
    assert.equal(answer.status, 409);
    assert.match(answer.json().detail, /alerts\.rules_file/);
  }
  assert.equal((await make(server, rule({ id: 'own' }, 500))).status, 201);
  await temperature(server, 80);
  await until(async () => (await states(server)).length === 1, 'the rule of the file fires');

  write(rule({ id: 'hot' }, 90), rule({ id: 'own' }, 85));
  server.child.kill('SIGHUP');
  await until(async () => (await states(server)).includes('hot resolved rule_changed'), 'the changed rule is in force');
  assert.deepEqual(await sources(), ['hot file', 'own file']);
  await temperature(server, 86);
  await until(async () => (await states(server)).includes('own firing'), 'so is the one that goes before an own one');

  fs.writeFileSync(file, '- id: hot\n  scope: {topic: account:demo}\n  levels: 3\n');
  server.child.kill('SIGHUP');
  await until(() => /the rules in force stay.*rules\.yaml:1: /.test(server.child.output), 'a bad file is named');
  assert.deepEqual(await sources(), ['hot file', 'own file']);

  write(rule({ id: 'hot' }, 90));
  server.child.kill('SIGHUP');
  await until(async () => (await sources()).includes('own api'), 'the own one counts again');
  assert.equal((await get(server, '/api/rules/own')).json().levels[0].value, 500);
  await server.kill9();
  await server.restart();
  assert.deepEqual(await sources(), ['hot file', 'own api']);
  await server.stop();
});

test('an account beyond its budget is told so, and the one beside it gets its alerts all the same', { timeout: 60_000 }, async () => {
  const server = await Server.start({ development: false, arguments: ['--alerts.rule_evaluations_per_second_max=2000'], env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  const as = (accountId) => ({ headers: bearer(jwt({ accountId, roles: ['admin'] })) });
  for (const each of ['noisy', 'quiet']) {
    assert.equal((await make(server, rule({ id: 'hot', scope: {} }), as(each))).status, 201);
  }
  const stream = await Stream.open(server, '', as('noisy'));
  const points = Array.from({ length: 500 }, (_, i) => ({ deviceId: `d${i}`, siteId: 's', fields: { T1: i % 100 } }));
  for (let i = 0; i < 10; ++i) await ingest(server, points, as('noisy'));
  const told = await stream.waitFor((m) => m.event === 'system' && systemData(m).kind === 'rules_limited', 'it is told');
  assert.deepEqual(systemData(told), { kind: 'rules_limited', limit: 'rule_evaluations_per_second_max', max: 2000 });
  await ingest(server, { deviceId: 'oven', siteId: 's', fields: { T1: 80 } }, as('quiet'));
  await until(async () => (await backfillAll(server, { types: 'alert' }, as('quiet'))).events.length === 1, 'the quiet one\'s alert');
  const { text } = await get(server, '/metrics', as('quiet'));
  assert.ok(Number(/^millstream_rule_events_shed (\d+)$/m.exec(text)?.[1]) > 0, 'the metric counts');
  stream.close();
  await server.stop();
});
