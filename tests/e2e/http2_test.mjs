// HTTP/2 with clients that others wrote: curl and Node's own, under TLS and in the clear.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http2 from 'node:http2';
import path from 'node:path';
import test from 'node:test';
import { Child, Server, atEnd, get, ingest, sleep, until } from './harness.mjs';

const streams = 200;

function connect(server, options = {}) {
  const session = http2.connect(server.url, { rejectUnauthorized: false, ...options });
  session.on('error', () => {});
  atEnd(() => session.destroy());
  return session;
}

/** One event stream; `text` grows, `ended` says how it ended. */
function follow(session, target = '/api/stream') {
  const viewer = { text: '', ended: undefined };
  viewer.stream = session.request({ ':path': target });
  viewer.stream.setEncoding('utf8');
  viewer.stream.on('response', (headers) => (viewer.headers = headers));
  viewer.stream.on('data', (text) => (viewer.text += text));
  viewer.stream.on('error', (error) => (viewer.error = error));
  viewer.stream.on('close', () => (viewer.ended = viewer.stream.rstCode));
  return viewer;
}

const ids = (text) => [...text.matchAll(/^id: (\S+)$/gm)].map((match) => match[1]);

for (const [name, flags] of [['under TLS', ['--tls', 'self-signed']], ['in the clear', []]]) {
  test(`${name}: ${streams} streams of one connection get every event once and in order`, async () => {
    const server = await Server.start({ arguments: flags });
    const session = connect(server);
    const viewers = Array.from({ length: streams }, () => follow(session));
    await until(() => viewers.every((viewer) => viewer.text.includes('"kind":"hello"')), 'every hello');
    assert.equal(viewers[0].headers['content-type'], 'text/event-stream; charset=utf-8');
    assert.equal(viewers[0].headers.connection, undefined);
    for (let i = 0; i < 20; ++i) await ingest(server, { deviceId: 'pump', fields: { T1: i } });
    await until(() => viewers.every((viewer) => viewer.text.includes('"T1":19')), 'the last event everywhere');
    await sleep(200); // engines' conclusions
    const first = ids(viewers[0].text);
    assert.ok(first.length >= 20);
    for (const viewer of viewers) assert.deepEqual(ids(viewer.text), first);
    assert.match((await get(server, '/metrics')).text, new RegExp(`^millstream_http_streams ${streams}$`, 'm'));
    session.destroy();
    await until(async () => /^millstream_http_streams 0$/m.test((await get(server, '/metrics')).text), 'all have left');
  });
}

test('a stream nobody reads is slow by itself; its siblings are not', async () => {
  const server = await Server.start({ arguments: ['--stream.session_queue_bytes_max=64KiB', '--stream.slow_timeout=60s'] });
  const session = connect(server);
  const [stalled, healthy] = [follow(session), follow(session)];
  await until(() => healthy.text.includes('"kind":"hello"') && stalled.text.includes('"kind":"hello"'), 'both hellos');
  stalled.stream.pause();
  const fields = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`field${i}`, i + 0.5]));
  for (let i = 0; i < 300; ++i) await ingest(server, { deviceId: 'pump', fields: { ...fields, T1: i } });
  await until(() => healthy.text.includes('"T1":299'), 'the last event at the healthy one');
  const seen = [...healthy.text.matchAll(/"T1":(\d+)/g)].map((match) => Number(match[1]));
  assert.deepEqual(seen, Array.from({ length: 300 }, (_, i) => i));
  assert.doesNotMatch(healthy.text, /"kind":"slow"/);
  stalled.stream.resume();
  await until(() => stalled.text.includes('"T1":299'), 'the stalled one catches up');
  assert.match(stalled.text, /"kind":"slow"/);
});

test('a server that stops tells its streams, ends none of them cleanly, and the next takes them on', async () => {
  const server = await Server.start();
  const viewer = follow(connect(server));
  await until(() => viewer.text.includes('"kind":"hello"'), 'hello');
  await ingest(server, { deviceId: 'pump', fields: { T1: 1 } });
  await until(() => viewer.text.includes('"T1":1'), 'the event');
  await server.stop();
  await until(() => viewer.ended !== undefined, 'the end');
  assert.match(viewer.text, /"kind":"draining"/);
  assert.notEqual(viewer.ended, http2.constants.NGHTTP2_NO_ERROR); // EventSource takes a clean end for good in places
  await server.restart();
  await ingest(server, { deviceId: 'pump', fields: { T1: 2 } });
  const last = ids(viewer.text).at(-1);
  const next = follow(connect(server), `/api/stream?lastEventId=${last}`);
  await until(() => next.text.includes('"T1":2'), 'the event it missed');
  assert.doesNotMatch(next.text, /"T1":1\b/);
});

test('curl chooses HTTP/2 by itself under TLS', async () => {
  const server = await Server.start({ arguments: ['--tls', 'self-signed'] });
  const ca = path.join(server.directory, 'data/self-signed.pem');
  assert.ok(fs.existsSync(ca));
  const write = ['-sS', '--noproxy', '*', '--cacert', ca, '-o', '/dev/null', '-w', '%{http_version} %{http_code}\n'];
  const curl = new Child('curl', [...write, `${server.url}/health`]);
  assert.deepEqual(await curl.wait(5000, 'curl'), { code: 0, signal: null }, curl.output);
  assert.equal(curl.stdout.trim(), '2 200');
});
