// Tokens of an identity provider: public keys from a file, exchanged while the server runs.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Server, Stream, bearer, get, run, tempDirectory, until } from './harness.mjs';

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
