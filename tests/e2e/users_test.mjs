// Users over HTTP: added within one's own rights, listed, disabled, given another password; whoever is signed in learns of it.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { Server, Stream, addUser, bearer, get, jwt, jwtSecret, login, post, request, sessionOf, until } from './harness.mjs';

const admin = (claims = {}) => bearer(jwt({ accountId: 'a', roles: ['admin'], ...claims }));
const password = 'a long enough password';
let server;
before(async () => {
  server = await Server.start({ development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
});

const add = (body, headers = admin()) => post(server, '/api/users', typeof body === 'string' ? body : JSON.stringify(body), { headers });
const put = (target, body, headers = admin()) =>
  request(server.url, 'PUT', `/api/users/${target}`, { headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
const list = async (headers = admin()) => (await get(server, '/api/users', { headers })).json().users;
const signsIn = (user, secret = password) => login(server, { user, password: secret });
const sees = async (cookie) => (await get(server, '/api/me', { headers: { Cookie: cookie } })).status === 200;

test('a user is added, listed without a secret, and signs in with just these rights', async () => {
  const made = await add({ name: 'anna@site.example', password, roles: ['viewer', 'operator'], sites: ['north'] });
  assert.equal(made.status, 201, made.text);
  assert.equal(made.headers['cache-control'], 'no-store');
  const { createdAt, ...shown } = made.json();
  assert.ok(Math.abs(Date.now() - Date.parse(createdAt)) < 10_000);
  assert.deepEqual(shown, { name: 'anna@site.example', account: 'a', roles: ['viewer', 'operator'], sites: ['north'], devices: null, expiresAt: null, disabled: false });
  assert.deepEqual(await list(), [made.json()]);
  const me = (await get(server, '/api/me', { headers: { Cookie: sessionOf(await signsIn('anna@site.example')) } })).json();
  assert.deepEqual([me.kind, me.subject, me.account, me.roles, me.sites], ['session', 'user:anna@site.example', 'a', ['viewer', 'operator'], ['north']]);
  assert.ok(!/argon2|password/.test(made.text + JSON.stringify(await list())));
  assert.ok(!server.child.output.includes(password), 'a password is in no log');
});

test('what is wrong is said, with the member; nobody adds a user who may do more', async () => {
  const narrow = admin({ sites: ['north'] });
  for (const [body, headers, status, words] of [
    [{ name: 'x', password, roles: ['viewer'] }, bearer(jwt({ accountId: 'a', roles: ['operator', 'viewer'] })), 403, /role admin/],
    [{ name: 'x', password, roles: ['viewer'] }, {}, 401, /credential/],
    [{ name: 'x', password, roles: ['viewer'], sites: ['south'] }, narrow, 403, /sites/],
    [{ name: 'a b', password, roles: ['viewer'] }, admin(), 400, /^name: .*1 to 64/], [{ name: '', password, roles: ['viewer'] }, admin(), 400, /^name/],
    [{ password, roles: ['viewer'] }, admin(), 400, /name: is needed/], [{ name: 'x', roles: ['viewer'] }, admin(), 400, /password: is needed/],
    [{ name: 'x', password: 'short', roles: ['viewer'] }, admin(), 400, /^password: at least 8 characters are needed$/],
    [{ name: 'long-name', password: 'long-name', roles: ['viewer'] }, admin(), 400, /^password: must not be the user's name$/],
    [{ name: '..', password, roles: ['viewer'] }, admin(), 400, /^name: /],
    [{ name: 'x', password: 12345678, roles: ['viewer'] }, admin(), 400, /^password: /], [{ name: 'x', password }, admin(), 400, /roles: is needed/],
    [{ name: 'x', password, roles: ['root'] }, admin(), 400, /^roles/], [{ name: 'x', password, roles: ['viewer'], account: 'b' }, admin(), 400, /unknown member/],
    [{ name: 'anna@site.example', password, roles: ['viewer'] }, admin({ accountId: 'b' }), 409, /already/], ['{', admin(), 400, /JSON/],
  ]) {
    const answer = await add(body, headers);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.json().detail, words);
    assert.ok(!answer.text.includes(password));
  }
  for (const [target, body, words] of [
    ['anna@site.example', '{}', /disabled: is needed/], ['anna@site.example', { disabled: 'yes' }, /disabled: neither true nor false/],
    ['anna@site.example', { roles: ['admin'] }, /unknown member/], ['anna@site.example/password', { password: 'short' }, /password/],
  ]) {
    const answer = await put(target, body);
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.json().detail, words);
  }
});

test('each account sees and changes its own users only', async () => {
  assert.equal((await add({ name: 'whole', password, roles: ['viewer'] })).status, 201);
  const names = async (headers) => (await list(headers)).map(({ name }) => name);
  for (const stranger of [admin({ accountId: 'b' }), admin({ sites: ['south'] })]) {
    assert.ok(!(await names(stranger)).includes('whole'));
    for (const [target, body] of [['whole', { disabled: true }], ['whole/password', { password }], ['nobody', { disabled: true }]]) {
      assert.equal((await put(target, body, stranger)).status, 404);
    }
  }
  assert.deepEqual(await names(admin({ sites: ['north'] })), ['anna@site.example']);
  assert.equal((await signsIn('whole')).status, 200, 'nothing has changed');
});

test('whoever sets passwords without end keeps nobody else from signing in', async () => {
  const attack = admin({ accountId: 'noisy' });
  assert.equal((await add({ name: 'victim', password, roles: ['viewer'] }, attack)).status, 201);
  let flooding = true;
  const answers = {};
  const flood = Promise.all(Array.from({ length: 64 }, async () => {
    while (flooding) {
      const { status } = await put('victim/password', { password }, attack);
      answers[status] = (answers[status] ?? 0) + 1;
    }
  }));
  await until(() => answers[503] > 0, 'the queue is full', 20_000);
  for (let i = 0; i < 5; ++i) assert.equal((await signsIn('whole')).status, 200, JSON.stringify(answers));
  flooding = false;
  await flood;
});

test('disabling and another password end sessions and streams; nobody disables themselves', async () => {
  assert.equal((await add({ name: 'boss', password, roles: ['admin', 'viewer'] })).status, 201);
  const boss = { Cookie: sessionOf(await signsIn('boss')), Origin: server.url };
  assert.equal((await put('boss', { disabled: true }, boss)).status, 409);
  const last = await put('boss', { disabled: true });
  assert.equal(last.status, 409, 'the last admin stays, whoever asks');
  assert.match(last.json().detail, /last admin/);
  for (const from of [{}, { Origin: 'https://evil.example' }, { Origin: server.url, 'Sec-Fetch-Site': 'cross-site' }]) {
    const { Cookie } = boss;
    assert.equal((await put('whole', { disabled: true }, { Cookie, ...from })).status, 403, JSON.stringify(from));
  }
  assert.equal((await put('boss', { disabled: false }, boss)).status, 200, 'nothing changed, and nothing ended');
  assert.ok(await sees(boss.Cookie));

  for (const end of [() => put('whole', { disabled: true }, boss), () => put('whole/password', { password: `${password} 2` }, boss)]) {
    const cookie = sessionOf(await signsIn('whole'));
    const stream = await Stream.open(server, '', { headers: { Cookie: cookie } });
    const answer = await end();
    assert.ok([200, 204].includes(answer.status), answer.text);
    assert.equal(await sees(cookie), false, 'at once');
    await until(() => stream.closed, 'its stream ends', 10_000);
    assert.equal((await signsIn('whole')).status, 401);
    assert.equal((await put('whole', { disabled: false }, boss)).status, 200);
  }
  assert.equal((await signsIn('whole', `${password} 2`)).status, 200);
  await server.stop();
  await server.restart();
  assert.equal((await signsIn('whole', `${password} 2`)).status, 200, 'it is stored');
  await addUser(server.directory, 'by-hand', { account: 'a', password });
  await until(async () => (await list()).some(({ name }) => name === 'by-hand'), 'the command line is noticed');
});
