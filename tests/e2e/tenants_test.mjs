// Three tenants, every endpoint that reads, and selectors of every kind of ill will: nobody gets a byte of another's,
// over HTTP/1.1 and over HTTP/2.

import assert from 'node:assert/strict';
import http2 from 'node:http2';
import net from 'node:net';
import test, { after, before } from 'node:test';
import { Server, addUser, bearer, ingest, jwt, jwtSecret, login, post, request, sessionOf, tempDirectory, until } from './harness.mjs';

const tenants = ['a', 'b', 'c'];
const marker = (tenant) => `only-for-${tenant}-eyes`;
const streamMs = 150;
const answerMs = 3000;
let server;
let session;
const credentials = {}; // of an admin of each tenant: a token, a session and a key

before(async () => {
  const directory = tempDirectory('tenants');
  await addUser(directory, 'bea', { account: 'b', role: 'admin', password: 'correct horse battery' });
  server = await Server.start({ development: false, directory, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  for (const tenant of tenants) {
    const headers = bearer(jwt({ accountId: tenant, roles: ['ingest'] }));
    // The same names in every tenant: only the account tells them apart.
    await ingest(server, { deviceId: 'pump', siteId: 'plant', fields: { note: marker(tenant) } }, { headers });
    await ingest(server, { deviceId: `own-${tenant}`, siteId: `site-${tenant}`, fields: { note: marker(tenant) } }, { headers });
  }
  credentials.a = bearer(jwt({ accountId: 'a', roles: ['viewer', 'operator', 'admin'] }));
  credentials.b = { Cookie: sessionOf(await login(server, { user: 'bea', password: 'correct horse battery' })) };
  for (const tenant of tenants) {
    const rule = await post(server, '/api/rules', JSON.stringify({ id: `own-${tenant}`, name: marker(tenant),
      when: { all: [{ field: 'T1' }] }, levels: [{ severity: 'info', op: '>', value: 1 }] }),
      { headers: bearer(jwt({ accountId: tenant, roles: ['admin'] })) });
    assert.equal(rule.status, 201, rule.text);
    const made = await post(server, '/api/keys', JSON.stringify({ name: marker(tenant), roles: ['admin'] }),
      { headers: bearer(jwt({ accountId: tenant, roles: ['admin'] })) });
    assert.equal(made.status, 201, made.text);
    const admin = bearer(jwt({ accountId: tenant, roles: ['admin'] }));
    for (const [siteId, deviceId] of [['plant', 'pump'], [`site-${tenant}`, `own-${tenant}`]]) {
      const alert = { alertId: `scada:${deviceId}`, ruleId: 'scada:r', ruleName: 'R', deviceId, state: 'firing', severity: 'critical',
        message: marker(tenant), field: 'f', value: 1, threshold: 0, startedAt: '2026-01-27T12:34:56Z' };
      const event = { topic: `account:${tenant}/site:${siteId}/device:${deviceId}`, type: 'alert', data: alert };
      assert.equal((await post(server, '/api/events', JSON.stringify(event), { headers: admin })).status, 202);
    }
    const silence = await post(server, '/api/silences',
      JSON.stringify({ topic: `account:${tenant}`, duration: '1h', comment: marker(tenant) }), { headers: admin });
    assert.equal(silence.status, 201, silence.text);
    if (tenant === 'c') credentials.c = bearer(made.json().key);
  }
  session = http2.connect(server.url);
  session.on('error', () => {});
});
after(() => session.destroy());

/** Over HTTP/1.1 as the bytes are, since a client would tidy them up. Gives {status, text}: all, or what comes within
 * `ms` of the first byte. */
function over1(target, headers, ms = answerMs) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(server.port, '127.0.0.1');
    let text = '';
    const lines = Object.entries({ Host: 'x', Connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.setEncoding('utf8');
    socket.on('data', (part) => (text += part));
    socket.once('data', () => setTimeout(() => socket.destroy(), ms));
    socket.on('error', reject);
    socket.on('close', () => resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), text }));
    socket.write(`GET ${target} HTTP/1.1\r\n${lines.join('')}\r\n`);
    setTimeout(() => socket.destroy(), answerMs);
  });
}

function over2(target, headers, ms = answerMs) {
  return new Promise((resolve) => {
    const answer = { status: 0, text: '' };
    const stream = session.request({ ':path': target, ...headers });
    stream.setEncoding('utf8');
    const cut = () => stream.close(http2.constants.NGHTTP2_CANCEL);
    stream.on('response', (head) => {
      answer.status = head[':status'];
      setTimeout(cut, ms);
    });
    stream.on('data', (part) => (answer.text += part));
    stream.on('error', () => {});
    stream.on('close', () => resolve(answer));
    stream.end();
    setTimeout(cut, answerMs);
  });
}

const since = 'since=2020-01-01T00:00:00Z';
// Where a selector goes: {topic} a pattern, {name} a device or site by itself. "csv " in front: asked for as CSV.
const endpoints = [
  `/api/stream?${since}&topics={topic}`, `/api/stream?snapshot=latest&topics={topic}`, `/api/stream?${since}&siteId={name}`,
  `/api/stream?${since}&deviceId={name}`, `/api/stream?${since}&accountId={account}`,
  `/api/events/backfill?${since}&topic={topic}`, `/api/events/backfill?${since}&siteId={name}&accountId={account}`,
  '/api/latest?topic={topic}', '/api/latest?deviceId={name}', '/api/latest?accountId={account}',
  '/api/devices?topic={topic}', '/api/devices?siteId={name}', '/api/devices/{name}', '/api/devices/{account}/{name}',
  '/api/series?deviceId={name}', '/api/series?deviceId={name}&accountId={account}', '/api/series?topic={topic}',
  '/api/me?accountId={account}', '/api/keys?accountId={account}', '/api/keys/{name}', '/api/keys/{name}/rotate', '/api/keys',
  `/api/replay?speed=max&${since}&topics={topic}`, `/api/replay?speed=max&${since}&siteId={name}`,
  `/api/replay?speed=max&${since}&deviceId={name}&accountId={account}`,
  ...[`/api/events/backfill?${since}&topic={topic}`, `/api/events/backfill?${since}&siteId={name}&accountId={account}`,
    '/api/latest?topic={topic}', '/api/latest?accountId={account}', '/api/devices?topic={topic}', '/api/devices?siteId={name}',
    '/api/series?deviceId={name}&accountId={account}'].map((target) => `csv ${target}`),
  '/api/rules', '/api/rules?topic={topic}', '/api/rules?siteId={name}', '/api/rules?accountId={account}', '/api/rules/{name}',
  '/api/alerts?topic={topic}', '/api/alerts?siteId={name}', '/api/alerts?deviceId={name}&accountId={account}', '/api/alerts?rule={name}',
  'csv /api/alerts?topic={topic}', 'csv /api/alerts?accountId={account}', '/api/alerts/scada:{name}', '/api/alerts/{name}',
  '/api/alerts/{name}/ack', '/api/silences?active={name}', '/api/silences', '/api/silences/{name}',
  '/api/stats?topic={topic}', '/api/explain?topic={topic}', '/api/explain?topic={topic}&stream=1',
];
const spellings = (other) => [
  { topic: `account:${other}`, name: `own-${other}`, account: other },
  { topic: `account:${other}/site:site-${other}/device:own-${other}`, name: `site-${other}`, account: other },
  { topic: 'account:*', name: '*', account: '*' },
  { topic: `account:*/site:site-${other}`, name: 'own-*', account: `${other}*` },
  { topic: `account:${other}%2fsite:plant`, name: `..%2f${other}%2fpump`, account: `${other}%2f` },
  { topic: `account:a/../account:${other}`, name: '..', account: `../${other}` },
  { topic: `account:${other}//site:plant`, name: `//${other}`, account: `${other}//` },
  { topic: `account:${other}%00`, name: 'pump%00', account: `${other}%00` },
  { topic: `account:${encodeURIComponent({ a: 'а', b: 'ƅ', c: 'с' }[other])}`, name: 'pum%D1%80', account: '%D0%B0' },
  { topic: `account:${other.repeat(129)}`, name: 'p'.repeat(129), account: other.repeat(129) },
  { topic: `account:a,account:b,account:c`, name: 'pump,own-b', account: 'a,b,c' },
  { topic: `account:${other.toUpperCase()}`, name: 'PUMP', account: other.toUpperCase() },
  { topic: `account:${other}/site:*/device:*&accountId=${other}`, name: `pump&accountId=${other}`, account: `a&accountId=${other}` },
  { topic: `%25account:${other}`, name: '%2525', account: '%25' },
];

for (const [protocol, ask] of [['HTTP/1.1', over1], ['HTTP/2', over2]]) {
  test(`no selector gives one tenant a byte of another over ${protocol}`, { timeout: 90_000 }, async () => {
    let asked = 0;
    let own = 0;
    const leaks = [];
    for (const tenant of tenants) {
      const headers = credentials[tenant];
      for (const other of tenants) {
        const targets = spellings(other).flatMap((words) => endpoints.map((endpoint) =>
          endpoint.replaceAll(/\{(\w+)\}/g, (_, name) => words[name])));
        for (let i = 0; i < targets.length; i += 40) {
          await Promise.all(targets.slice(i, i + 40).map(async (target) => {
            const [path, csv] = target.split(/^csv /).reverse();
            const { status, text } = await ask(path, csv === undefined ? headers : { ...headers, Accept: 'text/csv' },
              path.startsWith('/api/stream') ? streamMs : answerMs);
            if (csv !== undefined && status === 200) assert.ok(!text.includes('"asOf"') && !text.includes('"events"'), text);
            ++asked;
            if (![200, 400, 403, 404, 405, 422].includes(status)) leaks.push(`${tenant} ${target}: status ${status}`);
            if (text.includes(marker(tenant))) ++own;
            for (const stranger of tenants.filter((t) => t !== tenant)) {
              if (text.includes(marker(stranger))) leaks.push(`${tenant} ${target}: ${text}`);
            }
          }));
        }
      }
    }
    assert.deepEqual(leaks.slice(0, 5), [], `${leaks.length} leaks`);
    assert.equal(asked, 9 * endpoints.length * 14);
    assert.ok(own > 100, `its own it does see (${own} times)`);
  });
}

test('a tenant\'s administrator changes no alert and no silence of another', async () => {
  const of = async (path) => (await request(server.url, 'GET', path, { headers: bearer(jwt({ accountId: 'b', roles: ['admin'] })) })).json();
  const everything = async () => ({ alerts: (await of('/api/alerts')).alerts, silences: (await of('/api/silences')).silences });
  const before = await everything();
  assert.deepEqual([before.alerts.length, before.silences.length], [2, 1]);
  const headers = credentials.a;
  for (const id of [...before.alerts.map((alert) => alert.firstEvent), 'scada:own-b']) {
    for (const action of ['ack', 'unack', 'close']) {
      assert.equal((await post(server, `/api/alerts/${id}/${action}`, '', { headers })).status, 404);
    }
  }
  assert.equal((await request(server.url, 'DELETE', `/api/silences/${before.silences[0].id}`, { headers })).status, 404);
  assert.equal((await post(server, '/api/silences', JSON.stringify({ topic: 'account:b', duration: '1h' }), { headers })).status, 400);
  assert.deepEqual(await everything(), before);
});

test('a tenant\'s administrator ends, replaces and makes no key of another', async () => {
  const keysOf = async (tenant) => JSON.parse((await over1('/api/keys', bearer(jwt({ accountId: tenant, roles: ['admin'] })))).text.split('\r\n\r\n').pop()).keys;
  const before = { b: await keysOf('b'), c: await keysOf('c') };
  const headers = credentials.a;
  for (const { id } of [...before.b, ...before.c]) {
    assert.equal((await request(server.url, 'DELETE', `/api/keys/${id}`, { headers })).status, 404);
    assert.equal((await post(server, `/api/keys/${id}/rotate`, '', { headers })).status, 404);
  }
  for (const body of [{ account: 'b' }, { accountId: 'b' }]) {
    assert.equal((await post(server, '/api/keys', JSON.stringify({ name: 'x', roles: ['viewer'], ...body }), { headers })).status, 400);
  }
  const ids = (keys) => keys.map((key) => [key.id, key.revoked, key.expiresAt]);
  for (const tenant of ['b', 'c']) assert.deepEqual(ids(await keysOf(tenant)), ids(before[tenant]));
});

test('a tenant\'s administrator writes into no other tenant', async () => {
  const headers = bearer(jwt({ accountId: 'a', roles: ['admin'] }));
  const bodies = [
    ['/api/ingest', '{"deviceId":"pump","siteId":"plant","accountId":"b","fields":{"x":"from-a"}}'],
    ['/api/ingest?accountId=b', '{"deviceId":"pump","siteId":"plant","fields":{"x":"from-a"}}'],
    ['/api/ingest', '{"deviceId":"account:b/site:plant/device:pump","fields":{"x":"from-a"}}'],
    ['/api/ingest', '{"deviceId":"pump","siteId":"../b","fields":{"x":"from-a"}}'],
    ['/write?db=b', 'm,account=b,site=plant,device=pump x="from-a"'],
    ['/api/v2/write?bucket=b&org=b', 'm,account=b,site=plant,device=pump x="from-a"'],
    ['/api/v3/write_lp?db=b', 'm,account=b,site=plant,device=pump x="from-a"'],
    ...['account:b', 'account:c', 'account:b/site:plant', 'account:b/site:plant/device:pump'].flatMap((topic) => [
      ['/api/events', JSON.stringify({ topic, type: 'system', data: { kind: 'notice', x: 'from-a' } })],
      ['/api/events', JSON.stringify({ topic, type: 'alert', data: { alertId: 'x:from-a', ruleId: 'x:from-a', ruleName: '', deviceId: 'pump',
        state: 'firing', severity: 'critical', message: 'from-a', field: '', value: 0, threshold: 0, startedAt: '2026-01-27T12:34:56Z' } })],
    ]),
    ['/api/events', '{"topic":"account:a","topic":"account:b","type":"system","data":{"kind":"notice","x":"from-a"}}'],
  ];
  for (const [target, body] of bodies) await post(server, target, body, { headers });
  for (const tenant of ['b', 'c']) {
    for (const target of ['/api/latest', `/api/events/backfill?${since}`]) {
      const { text } = await over1(target, bearer(jwt({ accountId: tenant, roles: ['viewer'] })));
      assert.ok(text.includes(marker(tenant)));
      assert.ok(!text.includes('from-a'), tenant);
    }
  }
  const seen = async () => (await over1('/api/latest', headers)).text.includes('from-a');
  await until(seen, 'in its own account it does write');
});
