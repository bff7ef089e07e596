// Tokens that must not be taken, against a server that takes HS256 from a secret and RS256, PS256, ES256 and EdDSA from a
// key set, and from that of a second issuer, whose keys have the same names. Every one is told the same.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { Server, atEnd, bearer, get, jwtSecret, tempDirectory } from './harness.mjs';

const issuer = 'https://id.example';
const audience = 'millstream';
const now = () => Math.floor(Date.now() / 1000);
const b64 = (text) => Buffer.from(text).toString('base64url');
const keys = {
  rs: crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ps: crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
  es: crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ed: crypto.generateKeyPairSync('ed25519'),
};
const second = 'https://second.example/realms/b';
const secondAudience = 'millstream-b';
const secondKeys = {
  rs: crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
  es: crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ed: crypto.generateKeyPairSync('ed25519'),
};
const algorithms = { rs: 'RS256', ps: 'PS256', es: 'ES256', ed: 'EdDSA' };
const jwk = (kid, from = keys) => ({ ...from[kid].publicKey.export({ format: 'jwk' }), kid, alg: algorithms[kid] });

function sign(kid, text, { key = keys[kid].privateKey, digest = 'sha256', salt = 32 } = {}) {
  if (kid === 'ed') return crypto.sign(null, Buffer.from(text), key);
  const padding = kid === 'ps' ? { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: salt } : {};
  return crypto.sign(digest, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363', ...padding });
}
const hmac = (text, secret = jwtSecret, digest = 'sha256') => crypto.createHmac(digest, secret).update(text).digest();
const claims = (more = {}) => JSON.stringify({ sub: 'anna', accountId: 'a', iss: issuer, aud: audience, exp: now() + 600, ...more });

/** header and body: JSON text. signature: bytes of the signed text. */
const make = (header, body, signature) => `${b64(header)}.${b64(body)}.${signature(`${b64(header)}.${b64(body)}`).toString('base64url')}`;
const hs = (header = {}, body = claims(), secret = jwtSecret) =>
  make(typeof header === 'string' ? header : JSON.stringify({ alg: 'HS256', typ: 'JWT', ...header }), body, (text) => hmac(text, secret));
const by = (kid, header = {}, body = claims(), options = {}) =>
  make(JSON.stringify({ alg: algorithms[kid], kid, ...header }), body, (text) => sign(kid, text, options));
const unsigned = (header, signature = '') => `${b64(JSON.stringify(header))}.${b64(claims())}.${signature}`;

const secondClaims = (more = {}) => claims({ iss: second, aud: secondAudience, accountId: undefined, tenant: 'b', ...more });
const bySecond = (kid, body = secondClaims(), header = {}) => by(kid, header, body, { key: secondKeys[kid].privateKey });

const good = Object.fromEntries([
  ['hs', hs()], ...Object.keys(keys).map((kid) => [kid, by(kid)]),
  ...Object.keys(secondKeys).map((kid) => [`${kid} of the second issuer`, bySecond(kid)]),
]);
const pem = (kid, type) => keys[kid].publicKey.export({ format: 'pem', type });
const der = (kid) => keys[kid].publicKey.export({ format: 'der', type: 'spki' });
const cut = (token, part, change) => token.split('.').map((text, i) => (i === part ? change(text) : text)).join('.');
const other = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });

const hostile = {
  // Nobody signed it.
  'alg none': unsigned({ alg: 'none' }), 'alg None': unsigned({ alg: 'None' }), 'alg nOnE': unsigned({ alg: 'nOnE' }),
  'alg NONE with a signature': unsigned({ alg: 'NONE' }, good.hs.split('.')[2]),
  'alg empty': unsigned({ alg: '' }), 'no alg': unsigned({ typ: 'JWT' }), 'alg null': unsigned({ alg: null }),
  'alg a list': hs({ alg: ['HS256'] }), 'alg a number': hs({ alg: 256 }), 'alg hs256': hs({ alg: 'hs256' }),
  'alg with a space': hs({ alg: 'HS256 ' }), 'alg HS384': hs({ alg: 'HS384' }), 'alg HS512': hs({ alg: 'HS512' }),
  'alg RS512': by('rs', { alg: 'RS512' }), 'alg ES256K': by('es', { alg: 'ES256K' }), 'alg twice': hs('{"alg":"none","alg":"HS256"}'),
  'empty signature': cut(good.hs, 2, () => ''), 'signature of zeros': cut(good.hs, 2, () => b64(Buffer.alloc(32))),
  'half a signature': cut(good.hs, 2, (s) => s.slice(0, 22)), 'a longer signature': cut(good.hs, 2, (s) => `${s}AA`),
  'another token\'s signature': cut(good.hs, 2, () => hs({}, claims({ accountId: 'b' })).split('.')[2]),
  'claims changed': cut(good.hs, 1, () => b64(claims({ accountId: 'b', roles: ['admin'] }))),
  'header changed': cut(good.hs, 0, () => b64('{"alg":"HS256","typ":"JWT","x":1}')),
  'another secret': hs({}, claims(), 'another-secret-of-more-than-thirty-two-bytes'), 'an empty secret': hs({}, claims(), ''),
  'psychic ES256': cut(good.es, 2, () => b64(Buffer.alloc(64))), 'ES256 in DER': by('es', {}, claims()).replace(/[^.]+$/, () =>
    crypto.sign('sha256', Buffer.from(good.es.split('.').slice(0, 2).join('.')), keys.es.privateKey).toString('base64url')),
  'ES256 of 63 bytes': cut(good.es, 2, () => b64(Buffer.alloc(63, 1))), 'EdDSA of zeros': cut(good.ed, 2, () => b64(Buffer.alloc(64))),
  'RS256 of zeros': cut(good.rs, 2, () => b64(Buffer.alloc(256))), 'RS256 of ones': cut(good.rs, 2, () => b64(Buffer.from('00'.repeat(255) + '01', 'hex'))),
  'another EC key': by('es', {}, claims(), { key: other.privateKey }),
  'PS256 with a salt of nothing': by('ps', {}, claims(), { salt: 0 }), 'RS256 over SHA-1': by('rs', {}, claims(), { digest: 'sha1' }),
  // One kind of key taken for another.
  'HS256 with the RSA key as PEM': hs({ kid: 'rs' }, claims(), pem('rs', 'spki')),
  'HS256 with the RSA key as PKCS 1': hs({ kid: 'rs' }, claims(), pem('rs', 'pkcs1')),
  'HS256 with the RSA key as DER': hs({ kid: 'rs' }, claims(), der('rs')),
  'HS256 with the EC key as PEM': hs({ kid: 'es' }, claims(), pem('es', 'spki')),
  'HS256 with the key set': hs({ kid: 'rs' }, claims(), JSON.stringify({ keys: ['rs', 'ps', 'es', 'ed'].map((kid) => jwk(kid)) })),
  'HS256 with the modulus': hs({ kid: 'rs' }, claims(), Buffer.from(jwk('rs').n, 'base64url')),
  'RS256 with the PS256 key': make(JSON.stringify({ alg: 'RS256', kid: 'ps' }), claims(), (text) => sign('rs', text, { key: keys.ps.privateKey })),
  'PS256 with the RS256 key': make(JSON.stringify({ alg: 'PS256', kid: 'rs' }), claims(), (text) => sign('ps', text, { key: keys.rs.privateKey })),
  'EdDSA said, ES256 signed': by('es', { alg: 'EdDSA' }), 'RS256 said, HS256 signed': hs({ alg: 'RS256', kid: 'rs' }),
  // Keys that the token brings along or names.
  'kid of nobody': by('rs', { kid: 'nobody' }), 'kid of a path': by('rs', { kid: '../../etc/passwd' }),
  'kid of SQL': by('rs', { kid: "rs' OR '1'='1" }), 'kid with NUL': by('rs', { kid: 'rs\u0000' }), 'kid empty': by('rs', { kid: '' }),
  'kid a number': by('rs', { kid: 1 }), 'kid an object': by('rs', { kid: { rs: 1 } }), 'kid of 1000 letters': by('rs', { kid: 'r'.repeat(1000) }),
  'own jwk': by('es', { jwk: other.publicKey.export({ format: 'jwk' }) }, claims(), { key: other.privateKey }),
  'own jku': by('es', { jku: 'http://127.0.0.1:1/keys' }, claims(), { key: other.privateKey }),
  'own x5u': by('es', { x5u: 'http://127.0.0.1:1/x' }, claims(), { key: other.privateKey }),
  'own x5c': by('es', { x5c: ['AAAA'] }, claims(), { key: other.privateKey }),
  'crit': hs({ crit: ['exp'], exp: 1 }), 'crit empty': hs({ crit: [] }), 'b64 false': hs({ b64: false }), 'typ of something else': hs({ typ: 'JOSE' }),
  // Times.
  'expired': hs({}, claims({ exp: now() - 61 })), 'exp missing': hs({}, claims({ exp: undefined })), 'exp a string': hs({}, claims({ exp: '9999999999' })),
  'exp a fraction': hs({}, claims().replace(/"exp":\d+/, '"exp":9999999999.5')), 'exp 1e400': hs({}, claims().replace(/"exp":\d+/, '"exp":1e400')),
  'exp negative': hs({}, claims({ exp: -1 })), 'exp beyond all years': hs({}, claims({ exp: 1e15 })), 'exp null': hs({}, claims({ exp: null })),
  'exp true': hs({}, claims({ exp: true })), 'nbf to come': hs({}, claims({ nbf: now() + 120 })), 'nbf a string': hs({}, claims({ nbf: '0' })),
  'iat a list': hs({}, claims({ iat: [1] })), 'exp twice': hs({}, claims().replace('{', `{"exp":1,`)),
  // Whom it is from, for and about.
  'iss missing': hs({}, claims({ iss: undefined })), 'iss with a slash more': hs({}, claims({ iss: `${issuer}/` })), 'iss a list': hs({}, claims({ iss: [issuer] })),
  'aud missing': hs({}, claims({ aud: undefined })), 'aud another': hs({}, claims({ aud: 'other' })), 'aud of others': hs({}, claims({ aud: ['x', 'y'] })),
  'aud an object': hs({}, claims({ aud: { millstream: 1 } })), 'no account': hs({}, claims({ accountId: undefined })),
  'account *': hs({}, claims({ accountId: '*' })), 'account empty': hs({}, claims({ accountId: '' })), 'account a list': hs({}, claims({ accountId: ['a'] })),
  'account with a slash': hs({}, claims({ accountId: 'a/site:b' })), 'account twice': hs({}, claims().replace('{', '{"accountId":"b",')),
  'roles unknown': hs({}, claims({ roles: ['root'] })), 'roles a string': hs({}, claims({ roles: 'admin' })), 'roles empty': hs({}, claims({ roles: [] })),
  'sites empty': hs({}, claims({ sites: [] })), 'sites *': hs({}, claims({ sites: ['*'] })), 'devices a number': hs({}, claims({ devices: [1] })),
  'sub with a line break': hs({}, claims({ sub: 'a\nb' })), 'sub of 1000 letters': hs({}, claims({ sub: 'a'.repeat(1000) })),
  // Two issuers.
  ...Object.fromEntries(Object.keys(secondKeys).flatMap((kid) => [
    [`the first issuer's ${kid} for the second`, by(kid, {}, secondClaims())],
    [`the first issuer's ${kid} for the second, unnamed`, by(kid, { kid: undefined }, secondClaims())],
    [`the second issuer's ${kid} for the first`, bySecond(kid, claims())],
    [`the second issuer's ${kid} for the first, unnamed`, bySecond(kid, claims(), { kid: undefined })],
  ])),
  'the PS256 key, which the second issuer has not': by('ps', {}, secondClaims()),
  'the secret for the second issuer': hs({}, secondClaims()), 'the secret for the second, in the first\'s words': hs({}, claims({ iss: second })),
  'the secret for the second, with a kid': hs({ kid: 'rs' }, secondClaims()),
  'HS256 with the second\'s RSA key': hs({ kid: 'rs' }, secondClaims(), secondKeys.rs.publicKey.export({ format: 'pem', type: 'spki' })),
  'HS256 with the second\'s key set': hs({ kid: 'rs' }, secondClaims(), JSON.stringify({ keys: ['rs', 'es', 'ed'].map((kid) => jwk(kid, secondKeys)) })),
  'the second with the first\'s audience': bySecond('es', secondClaims({ aud: audience })),
  'the first with the second\'s audience': by('es', {}, claims({ aud: secondAudience })),
  'the second with the first\'s claim of the account': bySecond('es', secondClaims({ tenant: undefined, accountId: 'a' })),
  'the first with the second\'s claim of the account': by('es', {}, claims({ accountId: undefined, tenant: 'b' })),
  'the second with roles that are none': bySecond('es', secondClaims({ roles: ['root'] })),
  'the second, expired': bySecond('es', secondClaims({ exp: now() - 61 })),
  'the second with a slash more': bySecond('es', secondClaims({ iss: `${second}/` })),
  'the second with a segment more': bySecond('es', secondClaims({ iss: `${second}/../a` })),
  'the second in capitals': bySecond('es', secondClaims({ iss: second.toUpperCase() })),
  'the second with NUL': bySecond('es', secondClaims({ iss: `${second}\u0000` })),
  'both issuers in a list': bySecond('es', secondClaims({ iss: [second, issuer] })),
  'both issuers, one after the other': bySecond('es', secondClaims().replace('{', `{"iss":${JSON.stringify(issuer)},`)),
  'iss an object': bySecond('es', secondClaims({ iss: { iss: second } })), 'iss null': bySecond('es', secondClaims({ iss: null })),
  'iss empty': bySecond('es', secondClaims({ iss: '' })), 'iss of a third': bySecond('es', secondClaims({ iss: 'https://third.example' })),
  'iss a file': bySecond('es', secondClaims({ iss: 'file:///etc/passwd' })),
  'iss a part of the second': bySecond('es', secondClaims({ iss: second.slice(0, -1) })),
  'iss in the header alone': bySecond('es', secondClaims({ iss: undefined }), { iss: second }),
  'the second, claims changed': cut(bySecond('es'), 1, () => b64(secondClaims({ tenant: 'a' }))),
  'the second, signed by nobody': cut(bySecond('es'), 2, () => b64(Buffer.alloc(64))),
  // Its form.
  'two parts': good.hs.split('.').slice(0, 2).join('.'), 'four parts': `${good.hs}.AA`, 'five parts (JWE)': `${good.hs}.AA.AA`,
  'padding': cut(good.hs, 2, (s) => `${s}=`), 'standard base64': cut(good.hs, 2, () => '++//'.repeat(10)), 'not canonical': cut(good.hs, 2, (s) => `${s.slice(0, -1)}${String.fromCharCode(s.charCodeAt(s.length - 1) + 1)}`),
  'empty header': cut(good.hs, 0, () => ''), 'empty claims': cut(good.hs, 1, () => ''), 'header not JSON': hs('alg:HS256'), 'header a list': hs('["HS256"]'),
  'claims not JSON': hs({}, 'accountId'), 'claims a list': hs({}, `[${claims()}]`), 'claims with a tail': hs({}, `${claims()}x`), 'claims not UTF-8': hs({}, Buffer.from([0x7b, 0xff, 0x7d])),
  'nested deeply': hs({}, claims({ deep: JSON.parse('['.repeat(50) + ']'.repeat(50)) })), 'longer than 4 KiB': hs({}, claims({ pad: 'x'.repeat(5000) })),
  'a byte order mark': hs({}, `\ufeff${claims()}`), 'only dots': '..', 'one dot': '.', 'a key\'s prefix': `ms_${'a'.repeat(12)}_${'b'.repeat(43)}`,
};

test(`${Object.keys(hostile).length} hostile tokens: none is taken, all are told the same, none is logged`, async () => {
  const file = path.join(tempDirectory('hostile'), 'jwks.json');
  fs.writeFileSync(file, JSON.stringify({ keys: ['rs', 'ps', 'es', 'ed'].map((kid) => jwk(kid)) }), { mode: 0o644 });
  const secondFile = path.join(path.dirname(file), 'second.json');
  fs.writeFileSync(secondFile, JSON.stringify({ keys: ['rs', 'es', 'ed'].map((kid) => jwk(kid, secondKeys)) }), { mode: 0o644 });
  let calls = 0;  // a token that names an address is not to be asked there
  const trap = net.createServer((socket) => { ++calls; socket.destroy(); });
  await new Promise((resolve) => trap.listen(0, '127.0.0.1', resolve));
  atEnd(() => trap.close());
  const at = `http://127.0.0.1:${trap.address().port}/keys`;
  hostile['a trap as jku'] = by('es', { jku: at, x5u: at }, claims({ iss: at }), { key: other.privateKey });
  hostile['a trap as the second\'s iss'] = bySecond('es', secondClaims({ iss: at }));
  hostile['a trap behind the second\'s iss'] = bySecond('es', secondClaims({ iss: `${second}@${at.slice(7)}` }), { jku: at, kid: 'new' });
  const server = await Server.start({
    config: `[[issuers]]\nissuer = "${second}"\naudience = "${secondAudience}"\njwks_file = "${secondFile}"\naccount_claim = "tenant"\n`,
    development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret },
    arguments: [`--auth.jwks_file=${file}`, `--auth.jwt_issuer=${issuer}`, `--auth.jwt_audience=${audience}`, '--log.level=debug'],
  });
  for (const [kind, token] of Object.entries(good)) {
    const answer = await get(server, '/api/latest', { headers: bearer(token) });
    assert.equal(answer.status, 200, `the good token of ${kind}: ${answer.text}`);
  }
  assert.ok(Object.keys(hostile).length >= 140);
  const told = new Set();
  for (const [name, token] of Object.entries(hostile)) {
    for (const target of ['/api/latest', '/api/stream']) {
      const answer = await get(server, target, { headers: bearer(token) });
      assert.equal(answer.status, 401, `${name}: ${answer.text}`);
      told.add(answer.text);
    }
  }
  assert.equal(told.size, 1, [...told].join('\n'));
  assert.equal(calls, 0);
  for (const [name, token] of Object.entries(hostile)) {
    if (token.length > 40) assert.ok(!server.child.output.includes(token.slice(-40)), name);
  }
  await server.stop();
});
