// Signing in with user and password: the cookie, what it allows and to which pages, how it ends, and how often one may guess.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http2 from 'node:http2';
import path from 'node:path';
import test, { before } from 'node:test';
import { Server, Stream, addUser, bearer, get, ingest, jwt, jwtSecret, login, post, request, run, sessionOf, sleep, tempDirectory, until } from './harness.mjs';

const password = 'correct horse battery';
const environment = { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret };
const wrong = { user: 'anna', password: 'wrong horse battery' };
let server;

async function start(flags = [], users = [['anna', 'viewer'], ['root', 'admin'], ['gone', 'viewer']]) {
  const directory = tempDirectory('server');
  for (const [name, role] of users) await addUser(directory, name, { account: 'a', role, password });
  return Server.start({ development: false, directory, env: environment, arguments: flags });
}
const user = (command, name) => run(['user', command, '--data-directory', path.join(server.directory, 'data'), name]);
const signIn = async (name, headers) => sessionOf(await login(server, { user: name, password }, headers));
const own = () => ({ Origin: server.url });

before(async () => {
  server = await start();
  const headers = bearer(jwt({ accountId: 'a', roles: ['ingest'] }));
  await ingest(server, { deviceId: 'pump', siteId: 'north', fields: { T1: 1 } }, { headers });
});

test('the cookie of a sign-in lets in what its user may see, and scripts cannot read it', async () => {
  const answer = await login(server, { user: 'anna', password });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['cache-control'], 'no-store');
  const [cookie, ...attributes] = answer.headers['set-cookie'][0].split('; ');
  assert.match(cookie, /^millstream=mls_[A-Za-z0-9_-]{43}$/);
  assert.deepEqual(attributes.sort(), ['HttpOnly', 'Max-Age=43200', 'Path=/', 'SameSite=Lax']);
  const who = answer.json();
  assert.deepEqual({ ...who, expiresAt: null },
    { kind: 'session', subject: 'user:anna', account: 'a', roles: ['viewer'], sites: null, devices: null, expiresAt: null });
  assert.ok(Math.abs(Date.parse(who.expiresAt) - Date.now() - 43_200_000) < 5_000);
  const headers = { Cookie: cookie };
  assert.deepEqual((await get(server, '/api/me', { headers })).json(), who);
  assert.equal((await get(server, '/api/latest', { headers })).status, 200);
  assert.equal((await get(server, '/api/latest?topic=account:b', { headers })).status, 403);
  const stream = await Stream.open(server, '?snapshot=latest', { headers });
  await stream.waitFor((m) => m.event === 'telemetry', 'the snapshot');
  stream.close();
  for (const other of [`other=1; ${cookie}; more=2`, `x=millstream=y; ${cookie}`]) {
    assert.equal((await get(server, '/api/me', { headers: { Cookie: other } })).status, 200, other);
  }
  for (const bad of [`${cookie}; ${cookie}`, `__Host-${cookie}`, cookie.slice(0, -1), cookie.toUpperCase(), 'millstream=', `x${cookie}`]) {
    assert.equal((await get(server, '/api/me', { headers: { Cookie: bad } })).status, 401, bad);
  }
  assert.equal((await get(server, '/api/me', { headers: bearer(cookie.split('=')[1]) })).status, 401, 'it is for cookies alone');
});

test('over HTTP/2 the cookie may come in crumbs', async () => {
  const cookie = await signIn('anna');
  const session = http2.connect(server.url);
  const stream = session.request({ ':path': '/api/me', cookie: ['a=1', cookie, 'b=2'] });
  const status = await new Promise((resolve) => stream.on('response', (head) => resolve(head[':status'])));
  assert.equal(status, 200);
  session.destroy();
});

test('a wrong password, an unknown user and a disabled one are told the same, in the same time', async () => {
  await user('disable', 'gone');
  await sleep(2500);
  const told = new Set();
  const times = { wrong: [], unknown: [], disabled: [] };
  // Each from an address of its own, so that nobody is made to wait.
  const proxied = await start(['--server.trusted_proxies=127.0.0.1', '--auth.login_failures_per_user_max=1000000',
    '--auth.login_failures_per_address_max=1000000', '--auth.login_window=1s']);
  await run(['user', 'disable', '--data-directory', path.join(proxied.directory, 'data'), 'gone']);
  await sleep(2500);
  for (let i = 0; i < 15; ++i) {
    for (const [kind, name] of [['wrong', 'anna'], ['unknown', `nobody${i}`], ['disabled', 'gone']]) {
      const begin = process.hrtime.bigint();
      const answer = await login(proxied, { user: name, password: kind === 'disabled' ? password : wrong.password },
        { 'X-Forwarded-For': `10.0.${i}.${Object.keys(times).indexOf(kind)}` });
      if (answer.status === 429) { await sleep(1100); continue; }
      times[kind].push(Number(process.hrtime.bigint() - begin) / 1e6);
      assert.equal(answer.status, 401, answer.text);
      assert.equal(answer.headers['set-cookie'], undefined);
      told.add(answer.text);
    }
  }
  assert.equal(told.size, 1, [...told].join());
  const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
  const [known, unknown, disabled] = ['wrong', 'unknown', 'disabled'].map((kind) => median(times[kind]));
  console.log(`sign-in refused: wrong ${known.toFixed(1)} ms, unknown ${unknown.toFixed(1)} ms, disabled ${disabled.toFixed(1)} ms`);
  // A lookup that did not hash would take less than a tenth.
  assert.ok(unknown > known / 2 && disabled > known / 2, `${known} ${unknown} ${disabled}`);
  await proxied.stop();
});

test('what is not a sign-in is named, and nothing is set', async () => {
  const send = (body, headers = {}) => post(server, '/api/login', body, { headers: { 'Content-Type': 'application/json', ...headers } });
  for (const [body, status, words] of [
    ['', 400, /user: is needed/], ['[]', 400, /not a JSON object/], ['{"user":"anna"}', 400, /password: is needed/],
    ['{"user":1,"password":"x"}', 400, /user: not a string/], ['{"user":"anna","user":"root","password":"x"}', 400, /more than once/],
    ['{"user":"anna","password":"x","account":"b"}', 400, /unknown member .+account/], ['{"user":"a b","password":"x"}', 401, /user or password/],
    [`{"user":"anna","password":"${'x'.repeat(2000)}"}`, 401, /user or password/], [`{"user":"${'x'.repeat(9000)}"}`, 413, /./],
  ]) {
    const answer = await send(body);
    assert.equal(answer.status, status, `${body.slice(0, 60)}: ${answer.text}`);
    assert.match(answer.text, words);
    assert.equal(answer.headers['set-cookie'], undefined);
  }
  const form = 'user=anna&password=correct+horse+battery';
  assert.equal((await send(form, { 'Content-Type': 'application/x-www-form-urlencoded' })).status, 415);
  assert.equal((await send(JSON.stringify({ user: 'anna', password }), { 'Content-Type': 'text/plain' })).status, 415);
  assert.equal((await request(server.url, 'GET', '/api/login')).status, 405);
});

test('pages of other origins get no use of the cookie, and nobody is signed in for them', async () => {
  const cookie = await signIn('root');
  const foreign = [{ Origin: 'https://evil.example' }, { Origin: 'null' }, { 'Sec-Fetch-Site': 'cross-site' }, { 'Sec-Fetch-Site': 'same-site' },
    { Origin: server.url, 'Sec-Fetch-Site': 'cross-site' }, { Origin: `${server.url}.evil.example` }];
  const changing = [['POST', '/api/keys', '{"name":"x","roles":["ingest"]}'], ['DELETE', '/api/keys/aaaaaaaaaaaa'], ['POST', '/api/stream-token'],
    ['POST', '/api/ingest', '{"deviceId":"pump","fields":{"x":1}}'], ['POST', '/api/logout'], ['POST', '/api/stream/1-1/renew']];
  for (const headers of foreign) {
    for (const [method, target, body] of [...changing, ['GET', '/api/stream'], ['GET', '/api/latest'], ['GET', '/api/me']]) {
      const answer = await request(server.url, method, target, { headers: { ...headers, Cookie: cookie }, body });
      assert.equal(answer.status, 403, `${method} ${target} ${JSON.stringify(headers)}`);
    }
    assert.equal((await login(server, { user: 'anna', password }, headers)).status, 403, JSON.stringify(headers));
  }
  for (const [method, target, body] of changing.filter(([, target]) => target !== '/api/logout')) {
    const answer = await request(server.url, method, target, { headers: { Cookie: cookie }, body });
    assert.equal(answer.status, 403, `${method} ${target} without an Origin`);
  }
  for (const headers of [own(), { 'Sec-Fetch-Site': 'same-origin' }]) {
    const made = await post(server, '/api/keys', '{"name":"x","roles":["ingest"]}', { headers: { ...headers, Cookie: cookie } });
    assert.equal(made.status, 201, made.text);
  }
  // A token is a credential that no browser sends by itself.
  const token = bearer(jwt({ accountId: 'a', roles: ['viewer'] }));
  assert.equal((await get(server, '/api/latest', { headers: { ...token, Origin: 'https://evil.example', Cookie: cookie } })).status, 200);
});

test('an allowed origin may use the cookie, and hears it by exact name alone', async () => {
  const allowed = 'https://dash.example';
  const other = await start([`--server.cors_origins=${allowed}`]);
  const preflight = await request(other.url, 'OPTIONS', '/api/stream', {
    headers: { Origin: allowed, 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'last-event-id' } });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers['access-control-allow-origin'], allowed);
  assert.equal(preflight.headers['access-control-allow-credentials'], 'true');
  assert.match(preflight.headers['access-control-allow-headers'], /Last-Event-ID/);
  assert.match(preflight.headers['access-control-allow-methods'], /DELETE/);
  const answer = await login(other, { user: 'anna', password }, { Origin: allowed, 'Sec-Fetch-Site': 'cross-site' });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['access-control-allow-origin'], allowed);
  const stream = await Stream.open(other, '', { headers: { Cookie: sessionOf(answer), Origin: allowed, 'Sec-Fetch-Site': 'cross-site' } });
  assert.equal(stream.status, 200);
  assert.equal(stream.headers['access-control-allow-origin'], allowed);
  assert.equal(stream.headers.vary, 'Origin');
  stream.close();
  for (const origin of ['https://dash.example.evil', 'http://dash.example', 'https://dash.example:444', 'null']) {
    const refused = await request(other.url, 'OPTIONS', '/api/stream', { headers: { Origin: origin, 'Access-Control-Request-Method': 'GET' } });
    assert.equal(refused.headers['access-control-allow-origin'], undefined, origin);
  }
  await other.stop();
});

test('signing out ends the session and its streams, and no one else\'s', async () => {
  const [mine, others] = [await signIn('anna'), await signIn('anna')];
  const streams = [await Stream.open(server, '', { headers: { Cookie: mine } }), await Stream.open(server, '', { headers: { Cookie: others } })];
  const ticket = (await post(server, '/api/stream-token', '', { headers: { ...own(), Cookie: mine } })).json().ticket;
  const byTicket = await Stream.open(server, `?ticket=${ticket}`);
  assert.equal(byTicket.status, 200, byTicket.text);
  const begin = Date.now();
  const answer = await post(server, '/api/logout', undefined, { headers: { ...own(), Cookie: mine } });
  assert.equal(answer.status, 204);
  assert.match(answer.headers['set-cookie'][0], /^millstream=; Path=\/; Max-Age=0; HttpOnly; SameSite=Lax$/);
  await until(() => streams[0].closed && byTicket.closed, 'both streams of the session end');
  assert.ok(Date.now() - begin < 5000);
  for (const stream of [streams[0], byTicket]) assert.equal(stream.system('auth_expired').length, 1);
  assert.equal((await get(server, '/api/me', { headers: { Cookie: mine } })).status, 401);
  assert.equal((await get(server, '/api/stream', { headers: { Cookie: mine } })).status, 401);
  assert.equal((await Stream.open(server, `?ticket=${ticket}`, { lastEventId: byTicket.lastEventId })).status, 401);
  assert.equal((await get(server, '/api/me', { headers: { Cookie: others } })).status, 200);
  assert.ok(!streams[1].closed);
  streams[1].close();
  assert.equal((await post(server, '/api/logout', undefined, { headers: own() })).status, 204, 'without a session too');
});

test('a token that names a user is not that user: it renews no stream of hers', async () => {
  const cookie = await signIn('anna');
  const stream = await Stream.open(server, '', { headers: { Cookie: cookie } });
  const hello = await stream.waitFor((m) => m.data.data.kind === 'hello', 'the hello');
  const renew = (headers) => post(server, `/api/stream/${hello.data.data.streamId}/renew`, '', { headers });
  assert.equal((await renew(bearer(jwt({ accountId: 'a', sub: 'anna', roles: ['viewer'] })))).status, 404);
  const again = await signIn('anna');
  assert.equal((await renew({ ...own(), Cookie: again })).status, 200, 'another session of hers does');
  await post(server, '/api/logout', undefined, { headers: { ...own(), Cookie: again } });
  await until(() => stream.closed, 'and the stream ends with that one');
});

test('development mode lets in no page but its own, whatever name it goes by', async () => {
  const development = await Server.start();
  const port = development.port;
  for (const headers of [{ Host: 'evil.example', 'Sec-Fetch-Site': 'same-origin' }, { Host: `evil.example:${port}`, Origin: `http://evil.example:${port}` },
    { Host: `127.0.0.1:${port}`, Origin: 'https://evil.example' }, { Host: `localhost:${port}`, 'Sec-Fetch-Site': 'cross-site' }]) {
    for (const [method, target, body] of [['GET', '/api/stream'], ['GET', '/api/latest'], ['POST', '/api/keys', '{"name":"x","roles":["admin"]}'],
      ['POST', '/api/ingest', '{"deviceId":"d","fields":{"x":1}}'], ['POST', '/write?db=x', 'm,device=d n=1'], ['POST', '/api/v2/write?bucket=b', 'm,device=d n=1'],
      ['POST', '/api/v3/write_lp?db=x', 'm,device=d n=1'],
      ['POST', '/api/events', '{"topic":"account:demo","type":"system","data":{"kind":"x"}}']]) {
      const answer = await request(development.url, method, target, { headers, body });
      assert.equal(answer.status, 403, `${target} ${JSON.stringify(headers)} ${answer.text}`);
    }
  }
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]) {
    assert.equal((await request(development.url, 'GET', '/api/me', { headers: { Host: host } })).status, 200, host);
  }
  assert.equal((await post(development, '/write?db=x&u=root&p=root', 'm,device=d n=1')).status, 204);
  await development.stop();
});

test('a sign-in gives a new session and ends the one the browser had: nothing planted before it lives on', async () => {
  const before = await signIn('anna');
  const after = await signIn('anna', { Cookie: before });
  assert.notEqual(before, after);
  assert.equal((await get(server, '/api/me', { headers: { Cookie: before } })).status, 401);
  assert.equal((await get(server, '/api/me', { headers: { Cookie: after } })).status, 200);
  const planted = `millstream=mls_${crypto.randomBytes(32).toString('base64url')}`;
  assert.notEqual(await signIn('anna', { Cookie: planted }), planted);
  assert.equal((await get(server, '/api/me', { headers: { Cookie: planted } })).status, 401);
});

test('a new password, a disabled user: sessions and streams end within five seconds', async () => {
  const directory = path.join(server.directory, 'data');
  const file = path.join(server.directory, 'new-password');
  fs.writeFileSync(file, 'another password\n', { mode: 0o600 });
  await addUser(server.directory, 'cora', { account: 'a', role: 'viewer', password });
  await until(async () => (await login(server, { user: 'cora', password })).status === 200, 'the server knows the new user', 10_000, 500);
  for (const [command, ...more] of [['passwd', '--password-file', file], ['disable']]) {
    const secret = command === 'passwd' ? password : 'another password';
    const cookie = sessionOf(await login(server, { user: 'cora', password: secret }));
    const stream = await Stream.open(server, '', { headers: { Cookie: cookie } });
    assert.equal(stream.status, 200);
    const begin = Date.now();
    const done = await run(['user', command, '--data-directory', directory, 'cora', ...more]);
    assert.equal(done.code, 0, done.output);
    await until(() => stream.closed, 'the stream ends', 10_000);
    assert.ok(Date.now() - begin < 5000, `${Date.now() - begin} ms`);
    assert.equal(stream.system('auth_expired').length, 1);
    assert.equal((await get(server, '/api/me', { headers: { Cookie: cookie } })).status, 401);
    assert.equal((await login(server, { user: 'cora', password: secret })).status, 401, 'the old way in is closed');
  }
});

test('sessions outlive a restart; they end by time, and when they are not used, but not while a stream is open', async () => {
  const other = await start(['--auth.session_max=14s', '--auth.session_idle=5s']);
  const [idle, streaming] = [sessionOf(await login(other, { user: 'anna', password })), sessionOf(await login(other, { user: 'anna', password }))];
  const begin = Date.now();
  let stream = await Stream.open(other, '', { headers: { Cookie: streaming } });
  await other.stop();
  await other.restart();
  stream = await Stream.open(other, '', { headers: { Cookie: streaming } });
  assert.equal(stream.status, 200, stream.text);
  await sleep(begin + 9000 - Date.now());
  assert.equal((await get(other, '/api/me', { headers: { Cookie: idle } })).status, 401);
  assert.ok(!stream.closed);
  assert.equal((await get(other, '/api/me', { headers: { Cookie: streaming } })).status, 200);
  await until(() => stream.closed, 'its time is up', 10_000);
  assert.ok(Math.abs(Date.now() - begin - 14_000) < 1500, `${Date.now() - begin} ms`);
  assert.equal(stream.system('auth_expired').length, 1);
  assert.equal((await get(other, '/api/me', { headers: { Cookie: streaming } })).status, 401);
  await other.stop();
});

test('who guesses waits longer each time, and is told for how long', async () => {
  const other = await start();
  const statuses = [];
  for (let i = 0; i < 5; ++i) {
    const answer = await login(other, wrong);
    statuses.push(answer.status);
    if (answer.status === 429) assert.ok(Number(answer.headers['retry-after']) >= 1, answer.headers['retry-after']);
  }
  assert.deepEqual(statuses, [401, 401, 401, 401, 429]);
  assert.equal((await login(other, { user: 'anna', password })).status, 429, 'the right one waits too');
  assert.equal((await login(other, { user: 'root', password })).status, 200, 'another user does not');
  await sleep(1100);
  assert.equal((await login(other, { user: 'anna', password })).status, 200);
  const flood = await Promise.all(Array.from({ length: 200 }, (_, i) => login(other, { user: `made-up-${i}`, password: 'whatever it is' })));
  const tried = flood.filter((answer) => answer.status === 401).length;
  assert.ok(tried >= 1 && tried <= 30, `${tried} of one address were tried`);
  assert.ok(flood.every((answer) => [401, 429].includes(answer.status)));
  assert.match((await get(other, '/metrics')).text, /millstream_logins_total\{outcome="throttled"\} [1-9]/);
  await other.stop();
});

test('under HTTPS the cookie is for this host and HTTPS alone', async () => {
  const directory = tempDirectory('server');
  await addUser(directory, 'anna', { account: 'a', role: 'viewer', password });
  const other = await Server.start({ development: false, directory, arguments: ['--tls.self_signed=true'] });
  const answer = await login(other, { user: 'anna', password });
  assert.match(answer.headers['set-cookie'][0], /^__Host-millstream=mls_[^;]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax; Secure$/);
  const cookie = sessionOf(answer);
  assert.equal((await get(other, '/api/me', { headers: { Cookie: cookie } })).status, 200);
  assert.equal((await get(other, '/api/me', { headers: { Cookie: cookie.replace('__Host-', '') } })).status, 401);
  await other.stop();
});

test('users are managed without a word of their passwords', async () => {
  const directory = tempDirectory('users');
  const data = path.join(directory, 'data');
  const file = path.join(directory, 'secret');
  const write = (text, mode = 0o600) => { fs.writeFileSync(file, text); fs.chmodSync(file, mode); };
  const add = (name, ...more) => run(['user', 'add', '--data-directory', data, '--account', 'a', '--password-file', file, name, ...more]);
  write(`${password}\n`);
  assert.equal((await add('anna', '--role', 'operator', '--sites', 'north,south')).code, 0);
  for (const [words, prepare, name = 'bob', ...more] of [
    [/already/, () => {}, 'anna'], [/at least 8/, () => write('short')], [/readable|can be read/, () => write(password, 0o644)],
    [/1 to 64/, () => write(password), 'b/ob'], [/--role/, () => {}, 'bob', '--role', 'root'], [/--account/, () => {}, 'bob', '--account', 'a/b'],
    [/not be the user's name/, () => write('bobbobbob'), 'bobbobbob'],
  ]) {
    prepare();
    const failed = await add(name, ...more);
    assert.equal(failed.code, 2);
    assert.match(failed.output, words);
    assert.ok(!failed.output.includes(password));
  }
  const list = await run(['user', 'list', '--data-directory', data]);
  assert.match(list.stdout, /^NAME +ACCOUNT +SITES +DEVICES +ROLES +CREATED +STATE\nanna +a +north,south +\* +operator +\S+ +enabled\n$/);
  assert.match((await run(['user', 'disable', '--data-directory', data, 'anna'])).stdout, /disabled anna/);
  assert.match((await run(['user', 'list', '--data-directory', data])).stdout, /disabled/);
  assert.equal((await run(['user', 'disable', '--data-directory', data, 'eve'])).code, 2);
  assert.match((await run(['user', 'list', '--data-directory', path.join(directory, 'nowhere')])).output, /no users are stored/);
});
