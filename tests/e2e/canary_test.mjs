// Secrets go in through every door there is, at debug level: none comes out in the log, an answer, the metrics, the
// command line or on disk.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http2 from 'node:http2';
import path from 'node:path';
import test from 'node:test';
import { Server, addUser, bearer, get, jwt, jwtSecret, login, post, raw, request, run, sleep, until } from './harness.mjs';

test('of more than 20 secrets none is found anywhere it should not be', async () => {
  const server = await Server.start({
    development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret }, arguments: ['--log.level=debug'],
  });
  const secrets = {};
  const secret = (name) => (secrets[name] ??= `canary-${crypto.randomBytes(18).toString('hex')}`);
  const answers = [];
  const ask = async (name, method, target, { headers = {}, body } = {}) => {
    const answer = await request(server.url, method, target, { headers, body });
    answers.push([name, `${answer.text}${JSON.stringify(answer.headers)}`]);
    return answer;
  };
  const base64 = (text) => Buffer.from(text).toString('base64');

  // What nobody knows.
  for (const [name, headers] of [
    ['bearer', { Authorization: `Bearer ${secret('bearer')}` }],
    ['bearer of three parts', { Authorization: `Bearer a.${secret('bearer of three parts')}.b` }],
    ['basic', { Authorization: `Basic ${base64(`root:${secret('basic')}`)}` }],
    ['basic as it is', { Authorization: `Basic ${secret('basic as it is')}` }],
    ['token', { Authorization: `Token ${secret('token')}` }],
    ['token with user', { Authorization: `Token anna:${secret('token with user')}` }],
    ['unknown scheme', { Authorization: `Digest ${secret('unknown scheme')}` }],
    ['cookie', { Cookie: `__Host-session=${secret('cookie')}` }],
    ['proxy', { 'Proxy-Authorization': `Basic ${secret('proxy')}` }],
    ['key header', { 'X-Api-Key': secret('key header') }],
    ['key', { Authorization: `Bearer ms_${'a'.repeat(12)}_${secret('key').slice(0, 43)}` }],
  ]) {
    for (const [method, target] of [['GET', '/api/latest'], ['GET', '/api/stream'], ['POST', '/api/ingest'], ['POST', '/write?db=x'],
      ['POST', '/api/v2/write?bucket=b&org=o'], ['POST', '/api/v3/write_lp?db=x'], ['POST', '/api/events'], ['POST', '/api/stream-token'], ['POST', '/api/stream/1-1/renew']]) {
      const answer = await ask(name, method, target, { headers, body: method === 'POST' ? '{' : undefined });
      assert.ok(answer.status >= 400 && answer.status < 500, `${name} ${target} ${answer.status}`);
    }
  }
  for (const [name, target] of [
    ['ticket', `/api/stream?ticket=${secret('ticket')}`], ['ticket of its form', `/api/stream?ticket=mt_${secret('ticket of its form').slice(0, 43)}`],
    ['token in the query', `/api/stream?token=${secret('token in the query')}`], ['access_token', `/api/latest?access_token=${secret('access_token')}`],
    ['key in the query', `/api/latest?key=${secret('key in the query')}`], ['Influx password', `/query?q=SHOW+DATABASES&u=root&p=${secret('Influx password')}`],
    ['Influx write password', `/write?db=x&u=root&p=${secret('Influx write password')}`],
  ]) await ask(name, target.startsWith('/write') ? 'POST' : 'GET', target, { body: target.startsWith('/write') ? 'm n=1' : undefined });
  await raw(server, `GET /api/latest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret('broken head')}\r\n broken\r\n\r\n`, 500);
  await raw(server, `GET /api/latest?token=${secret('broken target')}%zz HTTP/1.1\r\nHost: x\r\n\r\n`, 500);
  await raw(server, `GET / HTTP/9.9\r\nAuthorization: ${secret('broken version')}\r\n\r\n`, 500);

  const session = http2.connect(server.url);
  session.on('error', () => {});
  for (const headers of [{ authorization: `Bearer ${secret('HTTP/2 bearer')}` }, { cookie: `session=${secret('HTTP/2 cookie')}` }]) {
    const stream = session.request({ ':path': `/api/stream?ticket=${secret('HTTP/2 ticket')}`, ...headers });
    stream.resume();
    stream.on('error', () => {});
    await new Promise((resolve) => stream.on('close', resolve));
  }
  session.close();

  // Sign-ins that fail, in every way they can.
  const json = { 'Content-Type': 'application/json' };
  for (const [name, body, headers] of [
    ['password', (text) => JSON.stringify({ user: 'anna', password: text }), json], ['password of nobody', (text) => JSON.stringify({ user: 'nobody', password: text }), json],
    ['password as user', (text) => JSON.stringify({ user: text, password: 'x' }), json], ['password that is a list', (text) => JSON.stringify({ user: 'anna', password: [text] }), json],
    ['password in a form', (text) => `user=anna&password=${text}`, { 'Content-Type': 'application/x-www-form-urlencoded' }],
    ['password twice', (text) => `{"user":"anna","password":"${text}","password":"x"}`, json], ['password cut off', (text) => `{"user":"anna","password":"${text}`, json],
    ['password from elsewhere', (text) => JSON.stringify({ user: 'anna', password: text }), { ...json, Origin: 'https://evil.example' }],
  ]) {
    const answer = await ask(name, 'POST', '/api/login', { headers, body: body(secret(name)) });
    assert.ok([400, 401, 403, 415, 429].includes(answer.status), `${name} ${answer.status}`);
  }
  await ask('password in the query', 'POST', `/api/login?user=anna&password=${secret('password in the query')}`, { headers: json, body: '{}' });
  for (const name of ['session', 'session of its form']) {
    const value = name === 'session' ? secret(name) : `mls_${secret(name).slice(0, 43)}`;
    for (const [method, target] of [['GET', '/api/me'], ['GET', '/api/stream'], ['POST', '/api/logout'], ['POST', '/api/keys']]) {
      await ask(name, method, target, { headers: { Cookie: `millstream=${value}`, Origin: server.url } });
    }
  }

  // What is good: a user and her session, a token, a key, a ticket.
  secrets['good password'] = `canary-${crypto.randomBytes(18).toString('hex')}`;
  await addUser(server.directory, 'bea', { account: 'a', role: 'admin', password: secrets['good password'] });
  const signedIn = await until(async () => {
    const answer = await login(server, { user: 'bea', password: secrets['good password'] });
    return answer.status === 200 && answer;
  }, 'bea is known', 10_000, 1100);
  answers.push(['good password', signedIn.text]);
  const cookie = signedIn.headers['set-cookie'][0].split(';')[0];
  secrets['good session'] = cookie.split('mls_')[1];
  await ask('good session', 'GET', '/api/me', { headers: { Cookie: cookie } });
  await ask('good session', 'GET', '/api/keys', { headers: { Cookie: cookie } });
  const byHttp = await request(server.url, 'POST', '/api/keys', { headers: { Cookie: cookie, Origin: server.url }, body: '{"name":"x","roles":["viewer"]}' });
  secrets['key by HTTP'] = byHttp.json().key.split('_').slice(2).join('_');
  await ask('key by HTTP', 'GET', '/api/keys', { headers: { Cookie: cookie } });
  const token = jwt({ accountId: 'a', roles: ['viewer', 'ingest'] });
  secrets['good token'] = token.split('.')[2];
  await ask('good token', 'GET', '/api/latest', { headers: bearer(token) });
  await ask('good token', 'POST', '/api/ingest', { headers: bearer(token), body: '{"deviceId":"pump","fields":{"x":1}}' });
  const made = await run(['key', 'create', '--data-directory', path.join(server.directory, 'data'), '--account', 'a', '--role', 'viewer', '--name', 'x']);
  const [key] = /ms_[a-z0-9]{12}_\S+/.exec(made.stdout);
  secrets['good key'] = key.split('_').slice(2).join('_');
  await until(async () => (await get(server, '/api/latest', { headers: bearer(key) })).status === 200, 'the key is known');
  const { ticket } = (await post(server, '/api/stream-token', '', { headers: bearer(key) })).json();
  secrets['good ticket'] = ticket.slice(3);
  const used = await raw(server, `GET /api/stream?ticket=${ticket} HTTP/1.1\r\nHost: x\r\n\r\n`, 300);
  assert.match(used, /^HTTP\/1\.1 200 /);
  answers.push(['good ticket', used]);
  await ask('good ticket', 'GET', `/api/stream?ticket=${ticket}`);
  secrets['the secret of tokens'] = jwtSecret;

  await sleep(200);
  const places = [...answers, ['the log', server.child.output], ['metrics', (await get(server, '/metrics')).text],
    ['stats', (await get(server, '/api/stats', { headers: bearer(jwt({ accountId: 'a', roles: ['admin'] })) })).text],
    ['cmdline', fs.readFileSync(`/proc/${server.child.pid}/cmdline`, 'latin1')]];
  const files = fs.readdirSync(server.directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const file of files) {
    const where = path.join(file.parentPath ?? file.path, file.name);
    places.push([where, fs.readFileSync(where, 'latin1')]);
  }
  assert.ok(Object.keys(secrets).length > 20 && files.length >= 3);
  assert.ok(server.child.output.includes('credential refused'), 'the log does speak of them');
  for (const [place, text] of places) {
    for (const [name, value] of Object.entries(secrets)) {
      for (const spelling of [value, value.slice(0, 20), base64(value).slice(0, 24)]) {
        assert.ok(!text.includes(spelling), `${name} is in ${place}`);
      }
    }
  }
  await server.stop();
});
