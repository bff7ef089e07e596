// What other servers were broken by, each as a test of its own, named after the advisory. The lesson is what is tested.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import test, { before } from 'node:test';
import zlib from 'node:zlib';
import { Server, Stream, addUser, bearer, get, ingest, jwt, jwtSecret, login, post, raw, request, run, sleep, tempDirectory, until } from './harness.mjs';

const environment = { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret };
const of = (accountId, roles = ['viewer', 'ingest']) => bearer(jwt({ accountId, roles }));
let server;
before(async () => {
  server = await Server.start({ development: false, env: environment });
  for (const account of ['a', 'b']) {
    await ingest(server, { deviceId: 'pump', siteId: 'north', fields: { note: `of ${account}` } }, { headers: of(account) });
  }
});

const rssKiB = (of = server) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${of.child.pid}/status`, 'utf8'))[1]);

/** Whether the server would start. Gives {code, output}. */
async function tryServe(args, env = {}) {
  const directory = tempDirectory('refused');
  const result = await run(['check-config'], { env: { MILLSTREAM_SERVER_DATA_DIRECTORY: path.join(directory, 'data'), ...env } });
  const started = await run(['serve', '--server.listen=127.0.0.1:0', `--server.data_directory=${path.join(directory, 'data')}`, ...args],
    { env, timeoutMs: 5000 });
  return { ...started, checked: result };
}

test('InfluxDB CVE-2019-20933: with an empty, short or absent secret nobody can sign in, so nothing starts', async () => {
  for (const secret of ['', 'x', '12345678', 'a'.repeat(31), '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n']) {
    const refused = await tryServe([], { MILLSTREAM_AUTH_JWT_SECRET: secret });
    assert.equal(refused.code, 2, JSON.stringify(secret));
    assert.equal(refused.output.trim().split('\n').length, 1, refused.output);
    assert.ok(secret.length < 5 || !refused.output.includes(secret), 'it is not shown');
  }
  assert.equal((await tryServe([])).code, 2, 'nothing configured');
  assert.equal((await get(server, '/api/latest', { headers: bearer(jwt({ accountId: 'a', roles: ['admin'] }, { secret: '' })) })).status, 401);
});

test('Mosquitto CVE-2018-12550: a file of credentials that is empty, absent or broken lets nobody in', async () => {
  const directory = tempDirectory('files');
  const file = (name, text, mode = 0o600) => {
    const at = path.join(directory, name);
    fs.writeFileSync(at, text, { mode });
    return at;
  };
  const issuer = ['--auth.jwt_issuer=https://id.example', '--auth.jwt_audience=x'];
  for (const args of [
    [`--auth.jwt_secret_file=${file('empty', '')}`], [`--auth.jwt_secret_file=${file('newlines', '\n\n\n')}`], [`--auth.jwt_secret_file=${directory}`],
    [`--auth.jwt_secret_file=${path.join(directory, 'absent')}`], ['--auth.jwt_secret_file='], [`--auth.jwt_secret_file=${file('open', jwtSecret, 0o644)}`],
    [`--auth.jwks_file=${file('empty.json', '', 0o644)}`, ...issuer], [`--auth.jwks_file=${file('none.json', '{"keys":[]}', 0o644)}`, ...issuer],
    [`--auth.jwks_file=${file('half.json', '{"keys":[{"kty":"RSA"', 0o644)}`, ...issuer], [`--auth.jwks_file=${path.join(directory, 'absent.json')}`, ...issuer],
  ]) {
    const refused = await tryServe(args);
    assert.equal(refused.code, 2, `${args}: ${refused.output}`);
  }
  const config = file('millstream.toml', '');
  assert.equal((await tryServe(['--config', config])).code, 2, 'an empty configuration');
});

test('Mosquitto CVE-2017-9868: no file and no directory of ours can be read by others', async () => {
  await addUser(server.directory, 'anna', { account: 'a', password: 'correct horse battery' });
  await post(server, '/api/stream-token', '', { headers: of('a') });
  const entries = fs.readdirSync(path.join(server.directory, 'data'), { recursive: true, withFileTypes: true });
  assert.ok(entries.length >= 4);
  for (const entry of [{ name: 'data', parentPath: server.directory }, ...entries]) {
    const at = path.join(entry.parentPath ?? entry.path, entry.name);
    const mode = fs.statSync(at).mode & 0o777;
    // Below a directory that only its owner may enter, what is readable by others is so for nobody.
    assert.equal(mode & (at.endsWith('.db') || at.endsWith('/data') ? 0o077 : 0o022), 0, `${at} ${mode.toString(8)}`);
  }
});

test('Centrifugo GHSA-q926-c743-49qj: every insecure switch says so at the start, and in a gauge', async () => {
  const gauges = ['development_mode', 'cookies', 'certificate'].map((name) => `millstream_insecure_${name}`).concat('millstream_unsynced_commits');
  const values = async (of) => {
    const { text } = await get(of, '/metrics');
    return Object.fromEntries(gauges.map((name) => [name, Number(new RegExp(`^${name} (\\d)`, 'm').exec(text)[1])]));
  };
  assert.deepEqual(Object.values(await values(server)), [0, 0, 0, 0]);
  for (const [gauge, words, flags] of [
    ['millstream_insecure_development_mode', /DEVELOPMENT MODE/, ['--auth.development=true']],
    ['millstream_insecure_certificate', /self-signed/, ['--tls.self_signed=true']],
    ['millstream_unsynced_commits', /sync_commits is off/, ['--storage.sync_commits=false']],
  ]) {
    const insecure = await Server.start({ development: false, env: environment, arguments: flags });
    assert.match(insecure.child.output, words);
    const found = await values(insecure);
    assert.deepEqual(Object.keys(found).filter((name) => found[name] === 1), [gauge]);
    await insecure.stop();
  }
});

test('Grafana Live CVE-2026-28379: 200 viewers who come and go at once leave the server as it was', async () => {
  const headers = of('a');
  let done = false;
  const publishing = (async () => {
    for (let i = 0; !done; ++i) await ingest(server, { deviceId: `d${i % 5}`, siteId: 'north', fields: { x: i } }, { headers });
  })();
  for (let round = 0; round < 5; ++round) {
    const streams = await Promise.all(Array.from({ length: 200 }, (_, i) =>
      Stream.open(server, i % 2 ? '?snapshot=latest' : `?deviceId=d${i % 5}`, { headers })));
    assert.ok(streams.every((stream) => stream.status === 200));
    await sleep(20);
    for (const stream of streams) stream.close();
  }
  done = true;
  await publishing;
  await until(async () => /millstream_stream_sessions 0\b/.test((await get(server, '/metrics')).text), 'all are gone');
});

/** Sends `mebibytes` of a body without end, until the server has had enough. Gives the status, or 0 when it was cut off. */
function flood(target, headers, mebibytes) {
  return new Promise((resolve) => {
    let status = 0;
    const outgoing = http.request({ host: '127.0.0.1', port: server.port, method: 'POST', path: target, headers, agent: false }, (answer) => {
      status = answer.statusCode;
      answer.resume();
      outgoing.destroy();
    });
    outgoing.on('error', () => {});
    outgoing.on('close', () => resolve(status));
    const piece = Buffer.alloc(1 << 20, ' ');
    let sent = 0;
    const more = () => {
      while (!outgoing.destroyed && sent < mebibytes) {
        ++sent;
        if (!outgoing.write(piece)) return outgoing.once('drain', more);
      }
      outgoing.end();
    };
    more();
  });
}

test('Grafana CVE-2026-28376, CVE-2026-27880: a body of a gibibyte is refused before it is held', async () => {
  const json = { ...of('a', ['ingest', 'admin']), 'Content-Type': 'application/json' };
  for (const target of ['/api/ingest', '/api/login', '/api/stream-token', '/api/keys', '/api/logout', '/query', '/api/stream', '/api/nowhere']) {
    await flood(target, json, 2);  // what is allocated once is not counted
    const before = rssKiB();
    const status = await flood(target, json, 1024);
    assert.ok([0, 404, 405, 413].includes(status), `${target}: ${status}`);
    // The largest body taken is 1 MiB, in a buffer that doubles as it grows.
    assert.ok(rssKiB() - before <= 4096, `${target}: ${rssKiB() - before} KiB more`);
  }
  const bomb = zlib.gzipSync(Buffer.alloc(512 << 20, ' '), { level: 9 });
  const before = rssKiB();
  for (const [target, status] of [['/api/ingest', 413], ['/write?db=x', 413]]) {
    const answer = await post(server, target, bomb.subarray(0, 1 << 20), { headers: { ...json, 'Content-Encoding': 'gzip' } });
    assert.equal(answer.status, status, answer.text);
  }
  assert.ok(rssKiB() - before <= 40 << 10, `${rssKiB() - before} KiB more, where a line body may have 25 MiB`);
});

test('Grafana CVE-2022-39328: of 20 000 requests of two tenants at once none is answered with the other\'s rights', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 50 });
  let mixed = 0;
  const ask = async (account) => {
    const answer = await request(server.url, 'GET', '/api/me', { headers: headers[account], agent });
    if (answer.status !== 200 || answer.json().account !== account) ++mixed;
  };
  const headers = { a: of('a'), b: of('b') };
  for (let i = 0; i < 20_000; i += 200) {
    await Promise.all(Array.from({ length: 200 }, (_, n) => ask(n % 2 ? 'a' : 'b')));
  }
  agent.destroy();
  assert.equal(mixed, 0);
});

test('NATS CVE-2026-27571: whoever has not said who they are holds no memory', async () => {
  const before = rssKiB();
  const sockets = Array.from({ length: 400 }, () => net.connect(server.port, '127.0.0.1'));
  const half = `POST /api/ingest HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(12_000)}\r\n`;
  const strangers = `POST /api/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n${' '.repeat(64_000)}`;
  sockets.forEach((socket, i) => {
    socket.on('error', () => {});
    socket.write(i % 2 ? half : strangers);
  });
  await sleep(1000);
  const more = rssKiB() - before;
  assert.ok(more <= 400 * 32, `${more} KiB for 400 connections`);
  assert.equal((await get(server, '/health')).status, 200);
  for (const socket of sockets) socket.destroy();
  const answer = await raw(server, strangers, 1000);
  assert.match(answer, /^HTTP\/1\.1 401 /, 'refused on the head alone');
});

test('NATS CVE-2026-58213: no control character of a parameter becomes protocol', async () => {
  const headers = of('a');
  for (const [name, bytes] of [['CR', '%0d'], ['LF', '%0a'], ['CRLF', '%0d%0a'], ['NUL', '%00'], ['LS', '%e2%80%a8']]) {
    for (const target of ['topics=account:a', 'fields=note', 'types=telemetry', 'lastEventId=1-1', 'since=0', 'ticket=mt_', 'snapshot=latest', 'siteId=n']) {
      const injected = `${target}${bytes}${bytes}event: forged${bytes}data: {}${bytes}${bytes}`.replaceAll(' ', '%20');
      const text = await raw(server, `GET /api/stream?${injected} HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers.Authorization}\r\n\r\n`, 60);
      assert.doesNotMatch(text, /^event: forged/m, `${name} ${target}`);
      assert.doesNotMatch(text.split('\r\n\r\n')[0], /forged/, `${name} ${target}`);
    }
    const id = await raw(server, `GET /api/stream HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers.Authorization}\r\nLast-Event-ID: 1-1${decodeURIComponent(bytes)}event: forged\r\n\r\n`, 60);
    assert.doesNotMatch(id, /^event: forged/m, name);
  }
});

test('Mosquitto CVE-2017-7650, Moquette CVE-2026-85724: no name is a wildcard', async () => {
  for (const name of ['*', '#', '+', 'a/*', '../b', 'account:b', '%', '']) {
    const asked = await get(server, '/api/latest', { headers: bearer(jwt({ accountId: name, roles: ['admin'] })) });
    assert.equal(asked.status, 401, `account ${name}`);
    for (const claims of [{ sites: [name] }, { devices: [name] }]) {
      const refused = await get(server, '/api/latest', { headers: bearer(jwt({ accountId: 'a', roles: ['viewer'], ...claims })) });
      assert.equal(refused.status, 401, JSON.stringify(claims));
      assert.ok(!refused.text.includes('of b'));
    }
    const point = await post(server, '/api/ingest', JSON.stringify({ deviceId: name || '*', siteId: name || '*', fields: { x: 1 } }), { headers: of('a') });
    assert.equal(point.status, 400, `device ${name}`);
    const subject = await get(server, '/api/latest', { headers: bearer(jwt({ accountId: 'a', sub: name || '*', roles: ['viewer'] })) });
    assert.ok(!subject.text.includes('of b'), `sub ${name}`);
  }
});

test('Mercure: an event id of another tenant, or of nobody, gives nothing away', async () => {
  const stranger = await get(server, '/api/events/backfill?since=0&types=telemetry', { headers: of('b') });
  const theirs = stranger.json().events.map((event) => event.id);
  assert.ok(theirs.length >= 1);
  for (const id of [...theirs, '9999999999999-0', '0-0', '1-1', 'nonsense', `${theirs[0]}-x`]) {
    const stream = await Stream.open(server, '', { headers: of('a'), lastEventId: id });
    assert.equal(stream.status, 200);
    await stream.waitFor((m) => m.event === 'system', 'the hello');
    await sleep(50);
    stream.close();
    const text = JSON.stringify(stream.messages.filter((m) => m.event !== 'system'));
    assert.ok(!text.includes('of b'), id);
    for (const other of theirs) assert.ok(!text.includes(`"${other}"`), id);
  }
});

test('Centrifugo CVE-2026-71485: what a client says of itself in a header counts for nothing', async () => {
  const made = { 'X-User': 'root', 'X-Remote-User': 'root', 'X-Forwarded-User': 'root', 'X-Account-Id': 'b', 'X-Forwarded-For': '127.0.0.1', Forwarded: 'for=127.0.0.1',
    'X-Original-URL': '/api/latest?accountId=b', 'X-Rewrite-URL': '/api/latest?accountId=b', 'X-HTTP-Method-Override': 'DELETE' };
  assert.equal((await get(server, '/api/me', { headers: made })).status, 401);
  const me = (await get(server, '/api/me', { headers: { ...of('a'), ...made } })).json();
  assert.equal(me.account, 'a');
  assert.ok(!(await get(server, '/api/latest', { headers: { ...of('a'), ...made } })).text.includes('of b'));
  // Nor does it give a guesser another address.
  await until(async () => (await login(server, { user: 'anna', password: 'correct horse battery' })).status === 200, 'anna is known', 6000, 300);
  const statuses = [];
  for (let i = 0; i < 12; ++i) {
    statuses.push((await login(server, { user: `nobody-${i}`, password: 'guess number one' }, { 'X-Forwarded-For': `10.0.0.${i}` })).status);
  }
  assert.ok(statuses.includes(429), `${statuses}`);
});
