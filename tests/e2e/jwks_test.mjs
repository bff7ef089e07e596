// Tokens of identity providers: public keys from a file or by URL, exchanged while the server runs; several providers.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { Server, Stream, atEnd, bearer, get, jwt, jwtSecret, run, tempDirectory, until } from './harness.mjs';

const directory = tempDirectory('jwks');
const file = path.join(directory, 'jwks.json');
const audience = 'millstream';
const issuer = 'https://id.example';
const kinds = {
  RS256: () => crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: () => crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => crypto.generateKeyPairSync('ed25519'),
};
const signing = {
  RS256: (key) => ['sha256', { key }],
  PS256: (key) => ['sha256', { key, padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
  ES256: (key) => ['sha256', { key, dsaEncoding: 'ieee-p1363' }],
  EdDSA: (key) => [null, { key }],
};

function signer(alg, kid) {
  const { publicKey, privateKey } = kinds[alg]();
  const encode = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
  return {
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
    token(claims = {}) {
      const text = `${encode({ alg, kid, typ: 'JWT' })}.${encode({
        sub: 'anna', accountId: 'a', iss: issuer, aud: audience, exp: Math.floor(Date.now() / 1000) + 600, ...claims,
      })}`;
      const [digest, options] = signing[alg](privateKey);
      return `${text}.${crypto.sign(digest, Buffer.from(text), options).toString('base64url')}`;
    },
  };
}

function publish(signers, mode = 0o644) {
  fs.writeFileSync(`${file}.new`, JSON.stringify({ keys: signers.map((s) => s.jwk) }), { mode });
  fs.renameSync(`${file}.new`, file);
}
const flags = [`--auth.jwks_file=${file}`, `--auth.jwt_issuer=${issuer}`, `--auth.jwt_audience=${audience}`];
const environment = { MILLSTREAM_AUTH_JWKS_FILE: file, MILLSTREAM_AUTH_JWT_ISSUER: issuer };
const whole = { ...environment, MILLSTREAM_AUTH_JWT_AUDIENCE: audience };

test('tokens of every algorithm open streams, and keys are exchanged without a restart', async () => {
  const signers = Object.keys(kinds).map((alg) => signer(alg, `key-${alg}`));
  publish(signers);
  const server = await Server.start({ development: false, arguments: flags });
  const status = async (token) => (await get(server, '/api/latest', { headers: bearer(token) })).status;
  for (const { jwk, token } of signers) {
    const stream = await Stream.open(server, '', { headers: bearer(token()) });
    assert.equal(stream.status, 200, `${jwk.alg} ${stream.text}`);
    stream.close();
    assert.equal(await status(token({ iss: 'https://other.example' })), 401, jwk.alg);
    assert.equal(await status(token({ aud: 'other' })), 401, jwk.alg);
    assert.equal(await status(signer(jwk.alg, jwk.kid).token()), 401, `${jwk.alg}: another key of that name`);
  }
  const [first] = signers;
  const next = signer('ES256', 'next');
  assert.equal(await status(next.token()), 401);
  publish([first, next]);
  await until(async () => (await status(next.token())) === 200, 'the new key is known');
  assert.equal(await status(first.token()), 200, 'the one before still is');
  publish([next]);
  await until(async () => (await status(first.token())) === 401, 'the old key is gone');

  // What cannot be used leaves what is in use.
  fs.writeFileSync(file, '{"keys":[');
  await until(() => server.child.output.includes('the new public keys are not used'), 'it is said');
  assert.equal(await status(next.token()), 200);
  fs.rmSync(file);
  await until(() => server.child.output.split('the new public keys are not used').length === 3, 'it is said again');
  assert.equal(await status(next.token()), 200);
  await server.stop();
});

test('a key file that cannot be trusted or read is refused at the start', async () => {
  const one = signer('ES256', 'one');
  for (const [prepare, env, pattern] of [
    [() => fs.rmSync(file, { force: true }), whole, /cannot read .*jwks\.json/],
    [() => fs.writeFileSync(file, '{"keys":[]}'), whole, /jwks\.json: no key for RS256/],
    [() => publish([one]), environment, /jwks_file needs auth\.jwt_issuer and auth\.jwt_audience/],
    [() => { publish([one]); fs.chmodSync(file, 0o666); }, whole, /can be written by others/],
  ]) {
    prepare();
    const checked = await run(['check-config'], { env });
    assert.equal(checked.code, 2, checked.output);
    assert.match(checked.output, pattern);
  }
});

// --- by URL ----------------------------------------------------------------------------------------------------------

/** An identity provider: a real HTTP(S) server. `answer` may be replaced to make it misbehave. */
class Provider {
  static async start(signers, tls) {
    const provider = new Provider();
    provider.answer = provider.publish(signers);
    provider.server = (tls ? https : http).createServer(tls ?? {}, (request, response) => {
      provider.requests.push({ at: Date.now(), path: request.url });
      provider.answer(request, response);
    });
    await new Promise((resolve) => provider.server.listen(0, '127.0.0.1', resolve));
    provider.url = `${tls ? 'https' : 'http'}://127.0.0.1:${provider.server.address().port}/keys`;
    atEnd(() => provider.close());
    return provider;
  }

  requests = [];

  publish(signers) {
    const text = JSON.stringify({ keys: signers.map((s) => s.jwk) });
    return (this.answer = (request, response) => response.setHeader('Content-Type', 'application/json').end(text));
  }

  /** Until so many more requests have been answered. */
  async asked(times) {
    const goal = this.requests.length + times;
    await until(() => this.requests.length >= goal, `the provider is asked ${times} more times`, 20_000);
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

/** Where nobody should call. */
async function openTrap() {
  const trap = { calls: 0 };
  const listener = net.createServer((socket) => { ++trap.calls; socket.destroy(); });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  trap.url = `http://127.0.0.1:${listener.address().port}/keys`;
  atEnd(() => listener.close());
  return trap;
}

const statusOf = async (server, token) => (await get(server, '/api/latest', { headers: bearer(token) })).status;
const startWith = (provider, settings = {}) => Server.start({
  development: false,
  arguments: Object.entries({ jwks_url: provider.url, jwt_issuer: issuer, jwt_audience: audience, ...settings })
    .map(([key, value]) => `--auth.${key}=${value}`),
});
async function metric(server, name) {
  const line = (await get(server, '/metrics')).text.split('\n').find((l) => l.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}
const fetches = (server, outcome) => metric(server, `millstream_jwks_fetches_total{outcome="${outcome}"}`);

test('keys by URL are fetched anew, and the old and the new one are good while both are in the set', async () => {
  const [first, next] = [signer('ES256', 'first'), signer('RS256', 'next')];
  const provider = await Provider.start([first]);
  const server = await startWith(provider, { jwks_refresh: '1s', jwks_refetch_min: '1h' });
  assert.equal(await statusOf(server, first.token()), 200, 'the keys are there before the first request');
  assert.equal(await metric(server, 'millstream_jwks_keys'), 1);

  provider.publish([first, next]);
  await provider.asked(2); // the second has the answer of the first behind it
  assert.equal(await statusOf(server, first.token()), 200);
  assert.equal(await statusOf(server, next.token()), 200);
  assert.equal(await metric(server, 'millstream_jwks_keys'), 2);

  provider.publish([next]);
  await provider.asked(2);
  assert.equal(await statusOf(server, first.token()), 401);
  assert.equal(await statusOf(server, next.token()), 200);
  const gaps = provider.requests.slice(1).map(({ at }, i) => at - provider.requests[i].at).sort((a, b) => a - b);
  assert.ok(gaps[Math.floor(gaps.length / 2)] >= 900, `no more often than asked for: ${gaps}`);
  assert.ok(await fetches(server, 'ok') >= 5);
  assert.equal(await fetches(server, 'failed'), 0);
  await server.stop();
});

test('an unknown key has its issuer asked once in a while, and the request itself does not wait', async () => {
  const [first, next] = [signer('ES256', 'first'), signer('ES256', 'next')];
  const provider = await Provider.start([first]);
  const server = await startWith(provider, { jwks_refetch_min: '2s' });
  assert.equal(provider.requests.length, 1);

  provider.answer = () => {}; // it hangs: whoever waited for it would be seen
  const before = Date.now();
  assert.equal(await statusOf(server, next.token()), 401);
  assert.ok(Date.now() - before < 1000);
  await until(() => provider.requests.length === 2, 'the provider is asked at once');
  assert.equal(await statusOf(server, first.token()), 200, 'the known key works meanwhile');
  provider.server.closeAllConnections();
  provider.publish([first, next]);
  await until(async () => (await statusOf(server, next.token())) === 200, 'the new key is known');

  // Whoever makes up names of keys does not make us call more often, and others' issuers not at all.
  const stranger = signer('ES256', 'x');
  const end = Date.now() + 5000;
  for (let n = 0; Date.now() < end; ++n) {
    const forged = signer('ES256', `made-up-${n}`);
    assert.equal(await statusOf(server, forged.token()), 401);
    assert.equal(await statusOf(server, stranger.token({ iss: 'https://other.example' })), 401);
  }
  const times = provider.requests.map(({ at }) => at);
  for (let i = 2; i < times.length; ++i) assert.ok(times[i] - times[i - 1] >= 1900, `${times}`);
  assert.ok(times.length >= 4 && times.length <= 7, `${times.length} requests`);
  assert.ok(provider.requests.every((r) => r.path === '/keys'));
  await server.stop();
});

test('whatever a provider does, the last good keys stay, and it is said why', async () => {
  const one = signer('EdDSA', 'one');
  const provider = await Provider.start([one]);
  const server = await startWith(provider, { jwks_refresh: '1s' });
  const trap = await openTrap();
  const good = JSON.stringify({ keys: [one.jwk] });
  for (const [what, answer, said] of [
    ['an error', (q, r) => r.writeHead(500).end(good), 'the provider answered 500'],
    ['a redirect', (q, r) => r.writeHead(302, { Location: trap.url }).end(good), 'redirects are not followed'],
    ['half a set', (q, r) => r.end(good.slice(0, 40)), 'not a JSON Web Key Set'],
    ['an empty set', (q, r) => r.end('{"keys":[]}'), 'no key for RS256'],
    ['a set too large', (q, r) => r.end(`${good}${' '.repeat(256 << 10)}`), 'more than 256 KiB'],
    ['a set without end', (q, r) => { for (let i = 0; i < 32; ++i) r.write(' '.repeat(1 << 16)); }, 'more than 256 KiB'],
    ['a broken connection', (q, r) => { r.writeHead(200, { 'Content-Length': 9999 }); r.write(good); setTimeout(() => r.destroy(), 50); }, 'remaining'],
    ['nothing', (q, r) => r.destroy(), 'Empty reply'],
  ]) {
    const failed = await fetches(server, 'failed');
    provider.answer = answer;
    await until(async () => (await fetches(server, 'failed')) > failed, `${what} is noticed`, 15_000);
    assert.equal(await statusOf(server, one.token()), 200, what);
    assert.ok(server.child.output.includes(said), `${what}: ${server.child.output.split('\n').slice(-4).join('\n')}`);
  }
  await provider.close();
  const failed = await fetches(server, 'failed');
  await until(async () => (await fetches(server, 'failed')) > failed + 1, 'nobody there is noticed', 15_000);
  assert.equal(await statusOf(server, one.token()), 200);
  assert.equal(await metric(server, 'millstream_jwks_keys'), 1);
  assert.equal(trap.calls, 0, 'the redirect was not followed');
  const lines = server.child.output.split('\n').filter((l) => l.includes('cannot be fetched'));
  assert.ok(lines.length <= 12, `a failure that goes on is not said again and again:\n${lines.join('\n')}`);
  await server.stop();
});

test('providers that hang hold up neither the start for long nor any request', async () => {
  const one = signer('ES256', 'one');
  const provider = await Provider.start([one]);
  const dripping = await Provider.start([one]);
  provider.answer = () => {};
  dripping.answer = (request, response) => {
    const timer = setInterval(() => response.write(' '), 100); // never silent, never done
    response.on('close', () => clearInterval(timer));
  };
  const before = Date.now();
  const server = await Server.start({
    development: false,
    config: [provider, dripping].map(({ url }, i) =>
      `[[issuers]]\nissuer = "${issuer}/${i}"\naudience = "${audience}"\njwks_url = "${url}"\n`).join('\n'),
  });
  const took = Date.now() - before;
  assert.ok(took > 4500 && took < 9000, `both together, once: ${took} ms`);
  assert.match(server.child.output, /level=warning msg="(serving before|public keys cannot be fetched)/);
  await provider.asked(1);
  for (let i = 0; i < 20; ++i) {
    const asked = Date.now();
    assert.equal((await get(server, '/health')).status, 200);
    assert.equal(await statusOf(server, one.token({ iss: `${issuer}/0` })), 401);
    assert.ok(Date.now() - asked < 1000, 'nothing waits for a provider');
  }
  assert.equal(await metric(server, 'millstream_jwks_keys'), 0);
  provider.publish([one]);
  provider.server.closeAllConnections();
  await until(async () => (await statusOf(server, one.token({ iss: `${issuer}/0` }))) === 200, 'the first success', 15_000);
  assert.equal(await statusOf(server, one.token({ iss: `${issuer}/1` })), 401, 'the other still hangs');
  const stopping = Date.now();
  await server.stop();
  assert.ok(Date.now() - stopping < 5000, 'nor do they hold up the end');
});

test('two providers whose keys have the same name: each signs for itself alone', async () => {
  const maker = await Server.start({ arguments: ['--tls', 'self-signed'] });
  const pemFile = path.join(directory, 'provider.pem');
  const pem = fs.readFileSync(path.join(maker.directory, 'data/self-signed.pem'), 'utf8');
  await maker.stop();
  const certificate = pem.slice(pem.indexOf('-----BEGIN CERTIFICATE-----'));
  fs.writeFileSync(pemFile, certificate);

  const names = { a: 'https://a.example', b: 'https://b.example/realms/b', c: 'https://c.example' };
  const [a, b, c] = ['a', 'b', 'c'].map(() => signer('ES256', 'same'));
  const atA = await Provider.start([a]);
  const atB = await Provider.start([b], { key: pem, cert: certificate });
  const atC = await Provider.start([c], { key: pem, cert: certificate });
  const trap = await openTrap();
  const server = await Server.start({
    development: false,
    env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret },
    config: `
[[issuers]]
issuer = "${names.a}"
audience = "for-a"
jwks_url = "${atA.url}"
[[issuers]]
issuer = "${names.b}"
audience = "for-b"
jwks_url = "${atB.url}"
jwks_ca_file = "${pemFile}"
account_claim = "https://m.example/tenant"
roles_claim = "groups"
[[issuers]]  # nobody the system trusts vouches for this one
issuer = "${names.c}"
audience = "for-c"
jwks_url = "${atC.url}"
`,
  });
  const forA = { iss: names.a, aud: 'for-a' };
  const forB = { iss: names.b, aud: ['x', 'for-b'], accountId: undefined, 'https://m.example/tenant': 'b', groups: ['operator'] };
  assert.equal(await statusOf(server, a.token(forA)), 200);
  assert.equal(await statusOf(server, b.token(forB)), 200);
  assert.match(server.child.output, /cannot be fetched.*c\.example.*certificate/);
  assert.equal(atC.requests.length, 0, 'not even asked');
  const asked = [atA, atB].map((p) => p.requests.length);
  for (const [what, token] of Object.entries({
    'A signs for B': a.token(forB), 'B signs for A': b.token(forA),
    'A for A with the audience of B': a.token({ ...forA, aud: 'for-b' }), 'B with the claims of A': b.token({ iss: names.b, aud: 'for-b' }),
    'C, whose keys could not be fetched': c.token({ iss: names.c, aud: 'for-c' }), 'C signs for A': c.token(forA),
    'A with a slash more': a.token({ ...forA, iss: `${names.a}/` }), 'A in capitals': a.token({ ...forA, iss: names.a.toUpperCase() }),
    'two issuers': a.token({ ...forA, iss: [names.a, names.b] }), 'no issuer': a.token({ ...forA, iss: undefined }),
    'the address of the keys': a.token({ ...forA, iss: atA.url }), 'an address of nobody\'s': a.token({ ...forA, iss: trap.url }),
    'an address around ours': a.token({ ...forA, iss: `${names.a}@${trap.url.slice(7)}` }),
    'the secret for A': jwt({ accountId: 'a', iss: names.a, aud: 'for-a' }), 'the secret for B': jwt({ accountId: 'a', iss: names.b, aud: 'for-b' }),
  })) {
    assert.equal(await statusOf(server, token), 401, what);
  }
  assert.equal(await statusOf(server, jwt({ accountId: 'a' })), 200, 'the secret for itself');
  assert.deepEqual([atA, atB].map((p) => p.requests.length), asked, 'no token had anyone asked');
  assert.equal(trap.calls, 0);
  await server.stop();
});

test('what is set for providers is checked without asking them', async () => {
  const provider = await Provider.start([signer('ES256', 'one')]);
  const file = path.join(directory, 'issuers.toml');
  const entry = (lines, name = issuer) => `[[issuers]]\nissuer = "${name}"\naudience = "${audience}"\n${lines}\n`;
  for (const [toml, code, pattern] of [
    [entry(`jwks_url = "${provider.url}"`) + entry('jwks_url = "https://id.invalid/keys"', 'other'), 0, /is good/],
    [entry('jwks_url = "http://id.example/keys"'), 2, /issuers\.toml:4: issuers\.jwks_url: must be https/],
    [entry('jwks_url = "https://a:b@id.example/keys"'), 2, /issuers\.toml:4: issuers\.jwks_url: must hold no user or password/],
    [entry(''), 2, /issuers\.toml:1: one of issuers\.jwks_file and issuers\.jwks_url is needed/],
    [entry(`jwks_url = "${provider.url}"`) + entry(`jwks_url = "${provider.url}"`), 2, /issuers\.toml:5: .*another issuer/],
    [entry(`jwks_url = "${provider.url}"`) + `[auth]\njwt_issuer = "${issuer}"\n`, 2, /also one of the \[\[issuers\]\]/],
    [entry(`jwks_url = "${provider.url}"\njwks_ca_file = "/dev/null"`), 2, /no certificate can be read/],
    [entry('jwks_file = "/nowhere/keys.json"'), 2, /cannot read \/nowhere\/keys\.json/],
  ]) {
    fs.writeFileSync(file, toml);
    const checked = await run(['check-config', '--config', file]);
    assert.equal(checked.code, code, checked.output);
    assert.match(checked.output, pattern);
  }
  assert.equal(provider.requests.length, 0);
});
