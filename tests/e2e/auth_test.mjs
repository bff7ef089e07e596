// Without development mode: who is let in, what each may do, and what must not start at all.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { before } from 'node:test';
import {
  Child, Server, Stream, bearer, binary, get, ingest, jwt, jwtSecret, post, raw, run, sleep, tempDirectory, until,
} from './harness.mjs';

const keyParts = /^ms_([a-z0-9]{12})_(.{43})$/; // its secret may hold "_" itself
let server;
let deviceKey;
const secretEnvironment = { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret };
const viewerA = (more = {}) => bearer(jwt({ accountId: 'a', roles: ['viewer'], ...more }));
const ingestA = (more = {}) => bearer(jwt({ accountId: 'a', roles: ['ingest'], ...more }));
const ingestB = bearer(jwt({ accountId: 'b', roles: ['ingest'] }));
const viewerB = bearer(jwt({ accountId: 'b', roles: ['viewer'] }));

before(async () => {
  server = await Server.start({ development: false, env: secretEnvironment });
  await ingest(server, { deviceId: 'pump', siteId: 'north', fields: { T1: 1 } }, { headers: ingestA() });
  await ingest(server, { deviceId: 'fan', siteId: 'south', fields: { T1: 2 } }, { headers: ingestA() });
  await ingest(server, { deviceId: 'pump', siteId: 'north', fields: { secret: 42 } }, { headers: ingestB });
});

const readers = ['/api/events/backfill', '/api/latest', '/api/devices', '/api/devices/pump', '/api/series?deviceId=pump'];

for (const target of ['/api/stream', ...readers]) {
  test(`${target} answers 401 without a credential and with a wrong one`, async () => {
    const good = jwt({ accountId: 'a', roles: ['viewer'] });
    const wrong = [
      {},
      bearer('nonsense'),
      bearer('ms_000000000000_ffffffffffffffffffffffffffffffff'),
      bearer(jwt({ accountId: 'a', roles: ['admin'] }, { secret: 'another-secret-of-more-than-thirty-two-bytes' })),
      bearer(jwt({ accountId: 'a', roles: ['admin'] }, { expiresInS: -120 })),
      bearer(jwt({ accountId: 'a', roles: ['admin'] }, { header: { alg: 'none', typ: 'JWT' } })),
      bearer(jwt({ roles: ['admin'] })),
      bearer(good.slice(0, -1)),
      bearer(good.split('.').slice(0, 2).join('.') + '.'),
      { Authorization: `Basic ${Buffer.from('root:root').toString('base64')}` },
    ];
    const texts = new Set();
    for (const headers of wrong) {
      const answer = await get(server, target, { headers: { Accept: 'text/event-stream', ...headers } });
      assert.equal(answer.status, 401, JSON.stringify(headers) + answer.text);
      assert.ok(answer.headers['www-authenticate']);
      texts.add(answer.text);
    }
    assert.equal(texts.size, 1, 'every bad credential is told the same');
  });
}

test('a viewer of account A who asks for account B is refused by the selector\'s name', async () => {
  for (const [query, name] of [
    ['topics=account:b', 'account:b'],
    ['topics=account:a,account:b/site:*', 'account:b/site:*'],
    ['topics=account:*', 'account:*'],
    ['accountId=b', 'b'],
  ]) {
    const stream = await Stream.open(server, `?${query}`, { headers: viewerA() });
    if (query === 'topics=account:*') {
      // "*" means all that I may see: allowed, and narrowed to the own account.
      assert.equal(stream.status, 200, stream.text);
      stream.close();
      continue;
    }
    assert.equal(stream.status, 403, `${query}: ${stream.text}`);
    assert.ok(JSON.parse(stream.text).detail.includes(name), stream.text);
  }
  for (const target of ['/api/events/backfill?topic=account:b', '/api/latest?topic=account:b/site:north/device:pump']) {
    const answer = await get(server, target, { headers: viewerA() });
    assert.equal(answer.status, 403, target + answer.text);
    assert.ok(answer.json().detail.includes('account:b'), answer.text);
  }
});

test('no endpoint gives a viewer of A one byte of B', async () => {
  for (const target of readers) {
    const answer = await get(server, target, { headers: viewerA() });
    assert.equal(answer.status, 200, target + answer.text);
    assert.ok(!answer.text.includes('secret') && !answer.text.includes('account:b'), `${target}: ${answer.text}`);
  }
  const own = await get(server, '/api/latest', { headers: viewerB });
  assert.ok(own.text.includes('secret'), 'B itself sees it');

  const stream = await Stream.open(server, '?snapshot=latest&since=2020-01-01T00:00:00Z', { headers: viewerA() });
  await ingest(server, { deviceId: 'pump', siteId: 'north', fields: { secret: 43 } }, { headers: ingestB });
  await ingest(server, { deviceId: 'pump', siteId: 'north', fields: { T1: 99 } }, { headers: ingestA() });
  await stream.waitFor((m) => m.event === 'telemetry' && m.data.data.fields.T1 === 99, 'the own event');
  assert.ok(!JSON.stringify(stream.messages).includes('secret'));
  assert.ok(!JSON.stringify(stream.messages).includes('account:b'));
  stream.close();
});

test('a stream ends within a second of its token, and none begins after', async () => {
  const token = jwt({ accountId: 'a', roles: ['viewer'] }, { expiresInS: 3 });
  const endsAt = JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).exp * 1000;
  const stream = await Stream.open(server, '', { headers: bearer(token) });
  assert.equal(stream.status, 200, stream.text);
  await stream.waitFor((m) => m.data.data.kind === 'auth_expiring', 'the warning');
  await until(() => stream.closed, 'the stream ends');
  const late = Date.now() - endsAt;
  assert.ok(late >= 0 && late < 1000, `${late} ms after exp`);
  assert.equal(stream.system('auth_expired').length, 1);
  assert.equal((await Stream.open(server, '', { headers: bearer(token) })).status, 401, 'the leeway is not for streams');
  assert.equal((await post(server, '/api/stream-token', '', { headers: bearer(token) })).status, 401, 'nor for tickets');
  assert.equal((await get(server, '/api/latest', { headers: bearer(token) })).status, 200, 'but for requests');
});

test('a fresh token of the same subject lets a stream go on, and no other does', async () => {
  const token = (more, expiresInS) => bearer(jwt({ accountId: 'a', roles: ['viewer'], sub: 'anna', ...more }, { expiresInS }));
  const stream = await Stream.open(server, '?siteId=north', { headers: token({}, 3) });
  const hello = await stream.waitFor((m) => m.data.data.kind === 'hello', 'the hello');
  const renew = (headers, id = hello.data.data.streamId) => post(server, `/api/stream/${id}/renew`, '', { headers });
  assert.equal((await renew({})).status, 401);
  assert.equal((await renew(token({ sub: 'eve' }, 600))).status, 404);
  assert.equal((await renew(token({ accountId: 'b' }, 600))).status, 404);
  assert.equal((await renew(token({ sites: ['south'] }, 600))).status, 403);
  assert.equal((await renew(token({}, 600), '1-1')).status, 404);
  const renewed = await renew(token({ sites: ['north', 'south'] }, 600));
  assert.equal(renewed.status, 200, renewed.text);
  assert.ok(Date.parse(renewed.json().expiresAt) > Date.now() + 590_000);
  await sleep(3500);
  assert.ok(!stream.closed, 'past the end of its first token');
  assert.equal(stream.system('auth_expired').length, 0);
  stream.close();
});

test('a token for one site sees that site alone', async () => {
  const headers = viewerA({ sites: ['north'] });
  const { devices } = (await get(server, '/api/devices', { headers })).json();
  assert.deepEqual(devices.map((device) => device.deviceId), ['pump']);
  assert.equal((await get(server, '/api/devices/fan', { headers })).status, 404, 'as if it did not exist');
  const refused = await Stream.open(server, '?siteId=south', { headers });
  assert.equal(refused.status, 403, refused.text);
  assert.ok(refused.text.includes('south'));
});

test('a role that may write may not read, and the other way round', async () => {
  for (const target of ['/api/stream', ...readers]) {
    assert.equal((await get(server, target, { headers: ingestA() })).status, 403, target);
  }
  const point = JSON.stringify({ deviceId: 'pump', siteId: 'north', fields: { T1: 7 } });
  assert.equal((await post(server, '/api/ingest', point, { headers: viewerA() })).status, 403);
  assert.equal((await post(server, '/write?db=x', 'm,device=pump n=1', { headers: viewerA() })).status, 403);
});

test('who may not write is told so before the body is sent', async () => {
  for (const [target, headers, status] of [
    ['/api/ingest', {}, 401],
    ['/api/ingest', viewerA(), 403],
    ['/api/events', {}, 401],
    ['/api/events', viewerA(), 403],
    ['/write?db=x', {}, 401],
    ['/write?db=x&u=root&p=root', {}, 401],
    ['/write?db=x', viewerA(), 403],
    ['/api/v2/write?bucket=b&org=o', {}, 401],
    ['/api/v2/write?bucket=b&org=o', viewerA(), 403],
    ['/api/v3/write_lp?db=x', {}, 401],
    ['/api/v3/write_lp?db=x', viewerA(), 403],
  ]) {
    const length = target === '/api/events' ? 1 << 15 : 1 << 20;
    const lines = Object.entries({ Host: 'x', 'Content-Length': length, ...headers }).map(([name, value]) => `${name}: ${value}`);
    const answer = await raw(server, `POST ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), target);
    assert.match(answer, /\r\nConnection: close\r\n/i, target);
  }
});

test('a token for one device cannot write another', async () => {
  const headers = ingestA({ sites: ['north'], devices: ['pump'] });
  const points = JSON.stringify([
    { deviceId: 'pump', siteId: 'north', fields: { T1: 5 } },
    { deviceId: 'fan', siteId: 'south', fields: { T1: 666.25 } },
  ]);
  const answer = await post(server, '/api/ingest', points, { headers });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json().accepted, 1);
  assert.equal(answer.json().rejected[0].index, 1);
  // When nothing could be stored, the answer is about the rights and not about the bad point before it.
  const none = JSON.stringify([{ deviceId: 'pump' }, { deviceId: 'fan', siteId: 'south', fields: { T1: 666.25 } }]);
  const refused = await post(server, '/api/ingest', none, { headers });
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.json().detail, /fan/);
  assert.equal(refused.json().errors.length, 2);
  const lines = await post(server, '/write?db=x', 'm,device=pump\nm,device=fan,site=south n=666.25', { headers });
  assert.equal(lines.status, 403, lines.text);
  assert.match(lines.json().error, /fan/);
  for (const partial of [true, false]) {
    const v3 = await post(server, `/api/v3/write_lp?db=x&accept_partial=${partial}`, 'm,device=fan,site=south n=666.25', { headers });
    assert.equal(v3.status, 403, v3.text);
    assert.match(v3.json().error, /fan/);
  }
  const { events } = (await get(server, '/api/events/backfill?types=telemetry', { headers: viewerA() })).json();
  assert.ok(!JSON.stringify(events).includes('666.25')); // which is in no id and no time
});

test('a key made on the command line writes but does not read, and ends when revoked', async () => {
  const data = path.join(server.directory, 'data');
  const made = await run(['key', 'create', '--data-directory', data, '--account', 'a', '--role', 'ingest', '--name', 'roof']);
  assert.equal(made.code, 0, made.output);
  [deviceKey] = /ms_[a-z0-9]{12}_\S+/.exec(made.stdout) ?? [];
  assert.ok(deviceKey, made.output);
  const point = (n) => JSON.stringify({ deviceId: 'roof', siteId: 'north', fields: { n } });
  // The server looks for new keys every few seconds.
  let answer;
  for (let i = 0; i < 100; ++i) {
    answer = await post(server, '/api/ingest', point(i), { headers: bearer(deviceKey) });
    if (answer.status !== 401) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(answer.status, 200, answer.text);
  assert.equal((await get(server, '/api/latest', { headers: bearer(deviceKey) })).status, 403);

  const influxForms = [
    ['/write?db=x', { Authorization: `Token ${deviceKey}` }],
    ['/write?db=x', { Authorization: `Token anyone:${deviceKey}` }],
    ['/write?db=x', { Authorization: `Basic ${Buffer.from(`anyone:${deviceKey}`).toString('base64')}` }],
    [`/write?db=x&u=anyone&p=${deviceKey}`, {}],
    ['/api/v2/write?bucket=b&org=o', { Authorization: `Token ${deviceKey}` }],
    ['/api/v3/write_lp?db=x', { Authorization: `Bearer ${deviceKey}` }],
    ['/api/v3/write_lp?db=x', { Authorization: `Token ${deviceKey}` }],
    ['/api/v3/write_lp?db=x', { Authorization: `Basic ${Buffer.from(`anyone:${deviceKey}`).toString('base64')}` }],
    [`/api/v3/write_lp?db=x&p=${deviceKey}`, {}],
  ];
  for (const [target, headers] of influxForms) {
    const written = await post(server, target, 'm,device=roof,site=north n=1', { headers });
    assert.equal(written.status, 204, `${target} ${JSON.stringify(headers)} ${written.text}`);
  }
  assert.equal((await post(server, '/write?db=x', 'm,device=roof n=1')).status, 401);
  assert.equal((await post(server, '/write?db=x&u=root&p=root', 'm,device=roof n=1')).status, 401);
  const v3 = await post(server, '/api/v3/write_lp?db=x', 'm,device=roof n=1');
  assert.equal(v3.status, 401);
  assert.equal(v3.headers['www-authenticate'], 'Basic realm="InfluxDB"');

  const listed = await run(['key', 'list', '--data-directory', data]);
  assert.equal(listed.code, 0, listed.output);
  const [, id, secret] = keyParts.exec(deviceKey);
  assert.ok(listed.stdout.includes(id) && !listed.stdout.includes(secret), listed.stdout);
  const revoked = await run(['key', 'revoke', '--data-directory', data, id]);
  assert.equal(revoked.code, 0, revoked.output);
  for (let i = 0; i < 100; ++i) {
    answer = await post(server, '/api/ingest', point(i), { headers: bearer(deviceKey) });
    if (answer.status === 401) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(answer.status, 401, 'a revoked key ends');
});

test('a revoked key ends the streams opened with it, and no others', async () => {
  const data = path.join(server.directory, 'data');
  const open = async () => {
    const made = await run(['key', 'create', '--data-directory', data, '--account', 'a', '--role', 'viewer', '--name', 'wall']);
    const [key] = /ms_[a-z0-9]{12}_\S+/.exec(made.stdout) ?? [];
    assert.ok(key, made.output);
    const answers = async () => (await get(server, '/api/latest', { headers: bearer(key) })).status === 200;
    await until(answers, 'the server knows the key');
    return { id: key.split('_')[1], stream: await Stream.open(server, '?snapshot=latest', { headers: bearer(key) }) };
  };
  const [revoked, kept] = [await open(), await open()];
  for (const { stream } of [revoked, kept]) {
    await stream.waitFor((m) => m.data.data.kind === 'snapshot', 'the end of the snapshot');
  }
  assert.equal((await run(['key', 'revoke', '--data-directory', data, revoked.id])).code, 0);
  await until(() => revoked.stream.closed, 'the stream ends');
  assert.equal(revoked.stream.system('auth_expired').length, 1);
  assert.ok(!kept.stream.closed);
  assert.equal(kept.stream.system('auth_expired').length, 0);
  kept.stream.close();
});

test('no secret is in the log or on disk in the clear', async () => {
  assert.ok(deviceKey);
  const [, , secret] = keyParts.exec(deviceKey);
  assert.ok(!server.child.output.includes(secret) && !server.child.output.includes(jwtSecret));
  const cmdline = fs.readFileSync(`/proc/${server.child.pid}/cmdline`, 'latin1');
  assert.ok(!cmdline.includes(jwtSecret));
  const files = fs.readdirSync(path.join(server.directory, 'data'), { recursive: true, withFileTypes: true });
  for (const file of files.filter((entry) => entry.isFile())) {
    const bytes = fs.readFileSync(path.join(file.parentPath ?? file.path, file.name), 'latin1');
    assert.ok(!bytes.includes(secret) && !bytes.includes(jwtSecret), file.name);
  }
});

// --- what must not start ---

async function refusal(flags, env = {}) {
  const data = tempDirectory('refused');
  const child = new Child(binary, ['serve', `--server.data_directory=${data}/data`, ...flags], {
    env: { PATH: process.env.PATH, ...env },
  });
  const { code } = await child.wait(10_000, flags.join(' '));
  return { code, lines: child.output.trim().split('\n') };
}

const refused = [
  ['development mode on every address', ['--auth.development=true', '--server.listen=0.0.0.0:0'], {}, /development/],
  ['development mode on IPv6 any', ['--auth.development=true', '--server.listen=[::]:0'], {}, /development/],
  ['a short secret', ['--server.listen=127.0.0.1:0'], { MILLSTREAM_AUTH_JWT_SECRET: 'short' }, /secret/],
  ['a key in PEM form as the secret', ['--server.listen=127.0.0.1:0'],
    { MILLSTREAM_AUTH_JWT_SECRET: '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----' }, /secret|PEM/],
  ['the secret as a flag', ['--server.listen=127.0.0.1:0', `--auth.jwt_secret=${jwtSecret}`], {}, /jwt_secret/],
  ['an unknown key', ['--auth.development=true', '--server.listn=127.0.0.1:0'], {}, /listn/],
  ['a value out of range', ['--auth.development=true', '--server.listen=127.0.0.1:99999'], {}, /listen/],
];
for (const [what, flags, env, pattern] of refused) {
  test(`the server refuses to start with ${what}, in one line, with exit 2`, async () => {
    const { code, lines } = await refusal(flags, env);
    assert.equal(code, 2, lines.join('\n'));
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0], pattern);
    assert.ok(!lines[0].includes(jwtSecret));
  });
}
