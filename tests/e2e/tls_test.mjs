// HTTPS as a user meets it: the self-signed convenience, certificates from files, renewal without losing a viewer.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { Child, Server, atEnd, binary, get, ingest, raw, run, tempDirectory, until } from './harness.mjs';

/** Follows the stream over https; `text` grows. `options.ca`: whom to trust. */
function follow(server, options) {
  const viewer = { text: '', ended: false };
  const outgoing = https.get(`${server.url}/api/stream`, { agent: false, ...options }, (response) => {
    viewer.response = response;
    response.setEncoding('utf8');
    response.on('data', (text) => (viewer.text += text));
    response.on('close', () => (viewer.ended = true));
  });
  outgoing.on('error', (error) => (viewer.error = error));
  atEnd(() => outgoing.destroy());
  return viewer;
}

function shownCertificate(server) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect(server.port, '127.0.0.1', { rejectUnauthorized: false }, () => {
      resolve(new X509Certificate(socket.getPeerCertificate(true).raw));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

const point = (value) => ({ deviceId: 'pump', fields: { T1: value } });
const selfSigned = (server) => path.join(server.directory, 'data/self-signed.pem');

/** A certificate of our own for files; the server makes them well enough. */
async function makeCertificate(directory) {
  const server = await Server.start({ arguments: ['--tls', 'self-signed'] });
  const pem = fs.readFileSync(selfSigned(server), 'utf8');
  await server.stop();
  const split = pem.indexOf('-----BEGIN CERTIFICATE-----');
  const made = { certificate: pem.slice(split), key: pem.slice(0, split) };
  made.install = () => {
    fs.writeFileSync(path.join(directory, 'chain.pem'), made.certificate);
    fs.writeFileSync(path.join(directory, 'key.pem'), made.key, { mode: 0o600 });
  };
  return made;
}

test('self-signed: one word, a private file, the same certificate after a restart', async () => {
  const server = await Server.start({ arguments: ['--tls', 'self-signed'] });
  assert.equal(server.scheme, 'https');
  assert.equal(fs.statSync(selfSigned(server)).mode & 0o777, 0o600);
  const ca = fs.readFileSync(selfSigned(server));
  const viewer = follow(server, { ca }); // checked against the name 127.0.0.1, too
  await until(() => viewer.text.includes('event: system'), 'hello');
  await ingest(server, point(1));
  await until(() => viewer.text.includes('"T1":1'), 'the event');
  const before = (await shownCertificate(server)).fingerprint256;
  await server.stop();
  await server.restart();
  assert.equal((await shownCertificate(server)).fingerprint256, before);
});

test('curl and our own commands trust it when they are given it', async () => {
  const server = await Server.start({ arguments: ['--tls', 'self-signed'] });
  const curl = new Child('curl', ['-sS', '--noproxy', '*', '--cacert', selfSigned(server), `${server.url}/health`]);
  assert.deepEqual(await curl.wait(5000, 'curl'), { code: 0, signal: null }, curl.output);
  const tail = new Child(binary, ['tail', server.url, '--ca-file', selfSigned(server), '--count', '1', '--json']);
  const simulate = new Child(binary, ['simulate', '--url', server.url, '--ca-file', selfSigned(server), '--devices', '1',
    '--interval', '100ms', '--duration', '3s']);
  assert.deepEqual(await tail.wait(10_000, 'tail'), { code: 0, signal: null }, tail.output);
  assert.match(tail.stdout, /"type":"telemetry"/);
  assert.deepEqual(await simulate.wait(10_000, 'simulate'), { code: 0, signal: null }, simulate.output);
  const stranger = await run(['tail', server.url, '--count', '1'], { timeoutMs: 3000 });
  assert.notEqual(stranger.code, 0);
  assert.match(stranger.output, /certificate/i);
});

test('plain HTTP on the port is told to use https', async () => {
  const server = await Server.start({ arguments: ['--tls', 'self-signed'] });
  const answer = await raw(server, 'GET /health HTTP/1.1\r\nHost: h\r\n\r\n');
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.match(answer, /https:\/\//);
});

test('SIGHUP takes a new certificate; viewers stay; a bad one is refused and the old one stays', async () => {
  const directory = tempDirectory('certificate');
  const [first, second] = [await makeCertificate(directory), await makeCertificate(directory)];
  first.install();
  const server = await Server.start({
    arguments: [`--tls.certificate_file=${directory}/chain.pem`, `--tls.key_file=${directory}/key.pem`],
  });
  const viewer = follow(server, { ca: first.certificate });
  await until(() => viewer.text.includes('event: system'), 'hello');
  second.install();
  server.child.kill('SIGHUP');
  const wanted = new X509Certificate(second.certificate).fingerprint256;
  await until(async () => (await shownCertificate(server)).fingerprint256 === wanted, 'the new certificate is shown');

  fs.writeFileSync(path.join(directory, 'key.pem'), first.key); // belongs to the other certificate
  server.child.kill('SIGHUP');
  await until(() => /the new certificate is not used/.test(server.child.output), 'the refusal is in the log');
  assert.equal((await shownCertificate(server)).fingerprint256, wanted);
  const metrics = (await get(server, '/metrics')).text;
  assert.match(metrics, /^millstream_tls_certificate_expires_seconds \d{10}$/m);

  await ingest(server, point(2));
  await until(() => viewer.text.includes('"T1":2'), 'the first viewer is still followed');
  assert.equal(viewer.ended, false);
});

test('what cannot work refuses to start and names the file', async () => {
  const directory = tempDirectory('certificate');
  (await makeCertificate(directory)).install();
  const files = [`--tls.certificate_file=${directory}/chain.pem`, `--tls.key_file=${directory}/key.pem`];
  const start = (...flags) =>
    run(['serve', '--auth.development=true', `--server.data_directory=${directory}/data`,
      '--server.listen=127.0.0.1:0', ...flags]);
  fs.chmodSync(path.join(directory, 'key.pem'), 0o644);
  const open = await start(...files);
  assert.equal(open.code, 2);
  assert.match(open.output, /key\.pem can be read by others/);
  fs.chmodSync(path.join(directory, 'key.pem'), 0o600);
  fs.writeFileSync(path.join(directory, 'chain.pem'), 'no certificate');
  const wrong = await start(...files);
  assert.equal(wrong.code, 2);
  assert.match(wrong.output, /chain\.pem: no certificate in PEM form/);
  const half = await start(files[0]);
  assert.equal(half.code, 2);
  assert.match(half.output, /go together/);
  const word = await start('--tls', 'magic');
  assert.equal(word.code, 2);
});
