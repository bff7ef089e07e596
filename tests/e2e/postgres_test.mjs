// Two servers with one registry in a real PostgreSQL: what one does holds at the other, and what holds when PostgreSQL is
// silent, gone, and back.

import assert from 'node:assert/strict';
import path from 'node:path';
import test, { before } from 'node:test';
import {
  Server, Stream, bearer, get, ingest, jwt, jwtSecret, login, post, request, run, sessionOf, tempDirectory, until,
} from './harness.mjs';
import { Postgres } from './postgres_server.mjs';

const environment = { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret };
const admin = bearer(jwt({ accountId: 'a', roles: ['admin'] }));
const heals = 10_000;
let postgres;
let here;
let there;

const settings = () => [`--postgres.url=${postgres.url}`, `--postgres.password_file=${postgres.passwordFile}`];
const start = (more = []) =>
  Server.start({ development: false, env: environment, arguments: [...settings(), '--postgres.timeout=500ms', ...more] });
const made = async (answer, status = 201) => {
  const { status: was, text, json } = await answer;
  assert.equal(was, status, text);
  return json();
};
const send = (server, method, target, body) => request(server.url, method, target, {
  body: body && JSON.stringify(body), headers: { ...admin, 'Content-Type': 'application/json' },
});
const makeKey = (server, roles = ['viewer']) => made(send(server, 'POST', '/api/keys', { name: 'k', roles }));
const statusOf = async (server, target, headers) => (await get(server, target, { headers })).status;
const metric = async (server, name) =>
  Number(new RegExp(`^${name} (\\d+)`, 'm').exec((await get(server, '/metrics')).text)?.[1] ?? 0);

const aRule = (id) => ({
  id, when: { all: [{ field: 'T1' }] }, levels: [{ severity: 'warning', op: '>', value: 70 }],
});

before(async () => {
  postgres = await Postgres.start();
});

test('four servers that start at once on an empty database all serve', async () => {
  const servers = await Promise.all([start(), start(), start(), start()]);
  [here, there] = servers;
  for (const server of servers) assert.equal((await get(server, '/ready')).json().registry, 'ok');
  for (const server of servers.slice(2)) await server.stop();
});

test('a key made at one server is good at the other at once', async () => {
  for (let round = 0; round < 10; ++round) {
    const { key } = await makeKey(here, ['viewer', 'ingest']);
    assert.equal(await statusOf(there, '/api/me', bearer(key)), 200, 'read');
    const { key: other } = await makeKey(there, ['ingest']);
    const body = JSON.stringify({ deviceId: 'p', siteId: 's', fields: { n: round } });
    const written = await post(here, '/api/ingest', body, { headers: { ...bearer(other), 'Content-Length': body.length } });
    assert.ok(written.status < 300, `with a small body: ${written.status} ${written.text}`);
  }
  // Of whoever is not known yet no body is read that may be large.
  const { key } = await makeKey(there, ['ingest']);
  const points = JSON.stringify(Array.from({ length: 1000 }, (_, n) => ({ deviceId: 'p', siteId: 's', fields: { n } })));
  const write = () => post(here, '/api/ingest', points, { headers: { ...bearer(key), 'Content-Length': points.length } });
  const early = await write();
  assert.ok([200, 202, 204, 503].includes(early.status), early.text);
  if (early.status === 503) {
    assert.ok(Number(early.headers['retry-after']) > 0);
    await until(async () => (await write()).status < 300, 'taken when it is sent again', 2_000);
  }
});

test('a user added at one server signs in at the other, and the session is good at both', async () => {
  const password = 'correct horse battery';
  await made(send(here, 'POST', '/api/users', { name: 'anna', password, roles: ['viewer'] }));
  const answer = await until(async () => {
    const tried = await login(there, { user: 'anna', password });
    return tried.status === 200 && tried;
  }, 'the user is known', 2_000, 50);
  const headers = { Cookie: sessionOf(answer) };
  assert.equal(await statusOf(here, '/api/me', headers), 200, 'at once');
  assert.equal((await post(here, '/api/logout', '', { headers })).status, 204);
  await until(async () => (await statusOf(there, '/api/me', headers)) === 401, 'signed out everywhere', 2_000);
});

test('a ticket opens one stream, whichever server it is shown to', async () => {
  const ask = async (server) => (await made(post(server, '/api/stream-token', '', { headers: admin }), 200)).ticket;
  const ticket = await ask(here);
  const first = await Stream.open(there, `?ticket=${ticket}`);
  assert.equal(first.status, 200, first.text);
  for (const server of [here, there]) assert.equal((await Stream.open(server, `?ticket=${ticket}`)).status, 401);
  await ingest(there, { deviceId: 'p', siteId: 's', fields: { n: 1 } }, { headers: admin });
  await first.waitFor((m) => m.event === 'telemetry', 'an event');
  first.close();
  const back = await Stream.open(here, `?ticket=${ticket}`, { lastEventId: first.lastEventId });
  assert.equal(back.status, 200, 'the reconnect goes to either');
  back.close();
  const contested = await ask(there);
  const all = await Promise.all(Array.from({ length: 40 }, (_, i) => Stream.open(i % 2 ? here : there, `?ticket=${contested}`)));
  assert.equal(all.filter((stream) => stream.status === 200).length, 1);
  all.forEach((stream) => stream.close());
});

test('a key revoked at one server is refused at the other, and its streams end there', async () => {
  const { id, key } = await makeKey(here);
  const stream = await Stream.open(there, '', { headers: bearer(key) });
  assert.equal(stream.status, 200, stream.text);
  const began = Date.now();
  assert.equal((await send(here, 'DELETE', `/api/keys/${id}`)).status, 204);
  await until(async () => (await statusOf(there, '/api/me', bearer(key))) === 401, 'refused', 2_000);
  await until(() => stream.closed, 'the stream ends', 2_000);
  console.log(`  refused and ended after ${Date.now() - began} ms`);
});

test('a flood of made-up keys is a few looks', async () => {
  const before_ = await metric(here, 'millstream_registry_looks_total');
  const began = Date.now();
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
  const madeUp = () => `ms_${Array.from({ length: 12 }, () => letters[Math.floor(Math.random() * 36)]).join('')}_${'A'.repeat(43)}`;
  for (let round = 0; round < 10; ++round) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => statusOf(here, '/api/me', bearer(madeUp()))));
    assert.deepEqual(new Set(answers), new Set([401]));
  }
  const again = madeUp();
  assert.equal(await statusOf(here, '/api/me', bearer(again)), 401);
  const looks = (await metric(here, 'millstream_registry_looks_total')) - before_;
  const seconds = (Date.now() - began) / 1000;
  assert.ok(looks <= 50 * seconds + 2, `${looks} looks in ${seconds} s`);
  await Promise.all(Array.from({ length: 20 }, () => statusOf(here, '/api/me', bearer(again))));
  console.log(`  1000 made-up keys: ${looks} looks in ${seconds.toFixed(1)} s`);
});

test('the command line works on it too, and never tells the password', async () => {
  const env = { MILLSTREAM_POSTGRES_URL: postgres.urlWithPassword };
  const created = await run(['key', 'create', '--account', 'a', '--role', 'viewer', '--name', 'cli'], { env });
  assert.equal(created.code, 0, created.output);
  assert.match(created.output, /Stored in schema millstream of PostgreSQL at 127\.0\.0\.1:\d+\/postgres/);
  assert.equal(await statusOf(there, '/api/me', bearer(created.stdout.trim())), 200);
  const listed = await run(['key', 'list'], { env });
  assert.match(listed.stdout, /cli/);
  const checked = await run(['check-config'], { env: { ...env, ...environment } });
  assert.equal(checked.code, 0, checked.output);
  const backup = await run(['backup', '--data-directory', path.join(here.directory, 'data'),
    path.join(tempDirectory('backup'), 'b.tar.zst')], { env });
  assert.equal(backup.code, 0, backup.output);
  assert.match(backup.output, /pg_dump --schema=millstream/);
  const flag = await run(['serve', `--postgres.url=${postgres.urlWithPassword}`], { env: environment });
  assert.equal(flag.code, 2, flag.output);
  for (const each of [created, listed, checked, backup, flag]) assert.ok(!each.output.includes(postgres.password), each.output);
});

/** What holds while PostgreSQL is away; `bring` brings it back. */
async function holdsWithout(bring) {
  const { key } = await makeKey(here, ['viewer', 'ingest']);
  const stream = await Stream.open(here, '', { headers: bearer(key) });
  return async () => {
    let slowest = 0;
    const known = async (n) => {
      const began = Date.now();
      await ingest(here, { deviceId: 'pump', siteId: 's', fields: { n } }, { headers: bearer(key) });
      assert.equal(await statusOf(here, '/api/latest', bearer(key)), 200);
      slowest = Math.max(slowest, Date.now() - began);
    };
    const refused = async (answer, what) => {
      const { status, headers, text } = await answer;
      assert.equal(status, 503, `${what}: ${text}`);
      assert.ok(Number(headers['retry-after']) > 0, what);
      assert.ok(!/127\.0\.0\.1|password/.test(text), text);
    };
    await known(101);
    await Promise.all([
      refused(send(here, 'POST', '/api/keys', { name: 'x', roles: ['viewer'] }), 'a key'),
      refused(send(here, 'POST', '/api/users', { name: `u${Date.now()}`, password: 'correct horse battery', roles: ['viewer'] }), 'a user'),
      refused(send(here, 'POST', '/api/rules', aRule(`r${Date.now()}`)), 'a rule'),
      refused(send(here, 'POST', '/api/silences', { topic: 'account:a', duration: '1h' }), 'a silence'),
      refused(send(here, 'PUT', '/api/devices/pump?siteId=s', { name: 'Pump' }), 'a device'),
      refused(post(here, '/api/stream-token', '', { headers: admin }), 'a ticket'),
      refused(get(here, '/api/me', { headers: bearer(`ms_abcdefghijkl_${'A'.repeat(43)}`) }), 'an unknown key'),
      ...Array.from({ length: 20 }, (_, i) => known(200 + i)),
    ]);
    await until(async () => (await get(here, '/ready')).json().registry === 'away', 'it shows', 5_000);
    assert.equal(await metric(here, 'millstream_registry_away'), 1);
    await known(300);
    const began = Date.now();
    await bring();
    await until(async () => (await send(here, 'POST', '/api/keys', { name: 'y', roles: ['viewer'] })).status === 201, 'it heals', heals);
    console.log(`  healed after ${Date.now() - began} ms; the slowest of those that need no PostgreSQL took ${slowest} ms`);
    await until(async () => (await get(here, '/ready')).json().registry === 'ok', 'it shows', 5_000);
    await stream.waitFor((m) => m.event === 'telemetry' && m.data.data.fields.n === 300, 'the stream went on');
    assert.ok(!stream.closed);
    stream.close();
    assert.equal(await metric(here, 'millstream_registry_away'), 0);
  };
}

test('PostgreSQL silent for a while: streams, ingest and known credentials go on, changes are refused, and it heals', async () => {
  const check = await holdsWithout(() => postgres.goOn());
  postgres.pause();
  await check();
});

test('PostgreSQL stopped and started again: the same', async () => {
  const check = await holdsWithout(() => postgres.launch());
  await postgres.stop();
  await check();
});

test('a standby that is promoted takes over', async () => {
  const standby = await postgres.startStandby();
  const both = postgres.url.replace(/@.*\//, `@127.0.0.1:${postgres.port},127.0.0.1:${standby.port}/`);
  const server = await Server.start({
    development: false, env: environment, arguments: [`--postgres.url=${both}?target_session_attrs=read-write`,
      `--postgres.password_file=${postgres.passwordFile}`],
  });
  const { key } = await makeKey(server);
  await postgres.stop();
  assert.equal(await statusOf(server, '/api/me', bearer(key)), 200);
  assert.equal((await send(server, 'POST', '/api/keys', { name: 'x', roles: ['viewer'] })).status, 503, 'it takes no writes yet');
  const began = Date.now();
  await standby.promote();
  const made_ = await until(async () => {
    const answer = await send(server, 'POST', '/api/keys', { name: 'after', roles: ['viewer'] });
    return answer.status === 201 && answer.json();
  }, 'it takes over', heals);
  console.log(`  the promoted standby was used after ${Date.now() - began} ms`);
  for (const each of [key, made_.key]) assert.equal(await statusOf(server, '/api/me', bearer(each)), 200);
  await server.stop();
  await standby.stop();
  await postgres.launch();
});

test('a server that cannot reach PostgreSQL does not start, and says why in one line', async () => {
  const ended = await run(['serve', `--server.data_directory=${path.join(tempDirectory('none'), 'data')}`, '--server.listen=127.0.0.1:0'], {
    env: { ...environment, MILLSTREAM_POSTGRES_URL: 'postgresql://u:secret-word@127.0.0.1:1/d' }, timeoutMs: 30_000,
  });
  assert.equal(ended.code, 2, ended.output);
  assert.match(ended.output, /^millstream: PostgreSQL at 127\.0\.0\.1:1\/d: .*refused.*$/m);
  assert.ok(!ended.output.includes('secret-word'), ended.output);
});

test('no log has a password in it', async () => {
  for (const server of Server.all) assert.ok(!server.child.output.includes(postgres.password));
});
