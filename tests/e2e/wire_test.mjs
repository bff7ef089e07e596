// What other people's clients need from the bytes of a stream, read raw: proxies that buffer, parsers that stumble over
// rare but legal forms, clients that stop for good at a clean end or at a 503.

import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { createParser } from 'eventsource-parser';
import { EventSource } from 'eventsource';
import { Server, Stream, atEnd, get, ingest, request, sleep, systemData, until } from './harness.mjs';

/** A stream as it comes over the wire. */
class Wire {
  static open(server, query = '', headers = {}) {
    const wire = new Wire();
    const lines = Object.entries({ Host: 'localhost', Accept: 'text/event-stream', ...headers }).map(([k, v]) => `${k}: ${v}\r\n`);
    wire.socket = net.connect(server.port, '127.0.0.1', () => {
      wire.socket.write(`GET /api/stream${query} HTTP/1.1\r\n${lines.join('')}\r\n`);
    });
    wire.socket.on('data', (bytes) => (wire.bytes = Buffer.concat([wire.bytes, bytes])));
    wire.socket.on('error', () => {});
    wire.socket.on('close', () => (wire.closed = true));
    atEnd(() => wire.socket.destroy());
    return wire;
  }

  bytes = Buffer.alloc(0);
  closed = false;

  get head() {
    const text = this.bytes.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    return end < 0 ? '' : text.slice(0, end + 2);
  }

  header(name) {
    return new RegExp(`^${name}: *(.*)\r$`, 'im').exec(this.head)?.[1];
  }

  /** The payloads of the chunks; insists that the framing is right as far as it goes. The last one is '' if it came. */
  get chunks() {
    const out = [];
    let at = this.head.length + 2;
    while (this.head && at < this.bytes.length) {
      const lineEnd = this.bytes.indexOf('\r\n', at);
      if (lineEnd < 0) break;
      const line = this.bytes.toString('latin1', at, lineEnd);
      assert.match(line, /^[0-9a-f]+$/i, 'a chunk begins with its size');
      const size = parseInt(line, 16);
      const end = lineEnd + 2 + size;
      if (this.bytes.length < end + 2) break;
      assert.equal(this.bytes.toString('latin1', end, end + 2), '\r\n');
      out.push(this.bytes.toString('utf8', lineEnd + 2, end));
      at = end + 2;
    }
    return out;
  }

  get text() {
    return this.chunks.join('');
  }

  /** Complete blocks, each as its lines, comments left out. */
  get blocks() {
    return this.text.split('\n\n').slice(0, -1).map((block) => block.split('\n').filter((line) => !line.startsWith(':')));
  }

  async until(probe, what) {
    await until(() => probe(this), what);
    return this;
  }
}

const hasHello = (wire) => wire.text.includes('"kind":"hello"');

test('the head keeps proxies from buffering, and the first bytes come at once', async () => {
  const server = await Server.start();
  const begun = Date.now();
  const wire = await Wire.open(server).until(hasHello, 'hello');
  assert.ok(Date.now() - begun < 1000);
  assert.match(wire.head, /^HTTP\/1\.1 200 /);
  assert.equal(wire.header('Content-Type'), 'text/event-stream; charset=utf-8');
  assert.equal(wire.header('Transfer-Encoding'), 'chunked');
  assert.equal(wire.header('Content-Length'), undefined);
  assert.equal(wire.header('X-Accel-Buffering'), 'no');
  assert.deepEqual(wire.header('Cache-Control').split(', ').sort(), ['no-store', 'no-transform']);
  assert.equal(wire.header('Content-Encoding'), undefined, 'compressed only when asked for by configuration');
  assert.notEqual(wire.text.charCodeAt(0), 0xfeff, 'no byte order mark');
  await server.stop();
});

test('retry stands in the first block, with data, and differs from viewer to viewer', async () => {
  const server = await Server.start();
  const retries = new Set();
  for (let i = 0; i < 20; ++i) {
    const wire = await Wire.open(server).until(hasHello, 'hello');
    const [first] = wire.blocks;
    const retry = first.find((line) => line.startsWith('retry:'));
    assert.match(retry, /^retry: ?\d+$/);
    const ms = Number(retry.slice(6));
    assert.ok(ms >= 2000 && ms <= 10_000, retry);
    retries.add(ms);
    assert.ok(first.includes('event: system') && first.some((line) => line.startsWith('data: {')));
    assert.ok(first.some((line) => /^id: ?\d+-\d+$/.test(line)), 'a reconnect resumes from here');
    wire.socket.destroy();
  }
  assert.ok(retries.size > 10, `${retries.size} different ones of 20`);
  await server.stop();
});

test('a quiet stream is kept alive by a comment of one line and by heartbeats without an id', async () => {
  const server = await Server.start({ arguments: ['--stream.comment_interval=1s', '--stream.heartbeat_interval=3s'] });
  const wire = await Wire.open(server, '?types=alert').until(
    ({ text }) => text.includes('"heartbeat"') && /(^|\n):hb\n/.test(text),
    'a comment and a heartbeat',
  );
  assert.doesNotMatch(wire.text, /:hb\n\n/, 'no empty line after it: some clients make an event of that');
  const heartbeat = wire.blocks.find((lines) => lines.some((line) => line.includes('"heartbeat"')));
  assert.ok(heartbeat.includes('event: system'));
  assert.ok(!heartbeat.some((line) => line.startsWith('id')), 'it does not move the cursor');
  for (const lines of wire.blocks) {
    assert.ok(lines.some((line) => line.startsWith('data: ')), `a block without data: ${lines}`);
    for (const line of lines) assert.match(line, /^(id|event|data|retry): /, 'no fields of our own making');
  }
  await server.stop();
});

test('each event comes in one piece, with its empty line in the same write', async () => {
  const server = await Server.start();
  const wire = await Wire.open(server, '?types=telemetry').until(hasHello, 'hello');
  for (let n = 0; n < 50; ++n) await ingest(server, { deviceId: 'a', fields: { n } });
  await wire.until(({ text }) => text.includes('"n":49'), 'all');
  for (const chunk of wire.chunks.slice(0, -1)) assert.ok(chunk.endsWith('\n\n') || chunk.endsWith(':hb\n'), JSON.stringify(chunk));
  assert.equal(wire.blocks.filter((lines) => lines.includes('event: telemetry')).length, 50);
  await server.stop();
});

test('line ends, NUL, a byte order mark and other traps inside values do not reach the framing', async () => {
  const server = await Server.start();
  const traps = ['\r', '\n', '\r\n', 'a\r\nevent: alert\r\ndata: forged\r\n\r\n', '\u0000', '\u0085', '\u2028\u2029', '\ufeff', 'id: 9-9\n\n', ': x', '😀\u{10ffff}'];
  const wire = await Wire.open(server, '?types=telemetry').until(hasHello, 'hello');
  await ingest(server, traps.map((s, n) => ({ deviceId: `trap-${n}`, fields: { s, n } })));
  await wire.until(({ text }) => text.includes(`"n":${traps.length - 1}`), 'all');
  assert.doesNotMatch(wire.text, /\r|\0/);
  const seen = new Map();
  createParser({
    onEvent: ({ event, data }) => {
      if (event !== 'telemetry') return assert.equal(event, 'system');
      const { fields } = JSON.parse(data).data;
      return seen.set(fields.n, fields.s);
    },
  }).feed(wire.text);
  assert.deepEqual([...seen.values()], traps);
  await server.stop();
});

test('an event above 32 KiB is refused where it is published, and no stream notices', async () => {
  const server = await Server.start();
  const wire = await Wire.open(server, '?types=telemetry').until(hasHello, 'hello');
  const answer = await request(server.url, 'POST', '/api/ingest', { body: JSON.stringify({ deviceId: 'a', fields: { big: 'x'.repeat(40_000) } }) });
  assert.equal(answer.status, 400, answer.text);
  await ingest(server, { deviceId: 'a', fields: { n: 1 } });
  await wire.until(({ text }) => text.includes('"n":1'), 'the next');
  assert.equal(wire.blocks.filter((lines) => lines.includes('event: telemetry')).length, 1);
  await server.stop();
});

test('unnamed=1 sends no event line, for clients that know only messages', async () => {
  const server = await Server.start();
  const wire = await Wire.open(server, '?unnamed=1').until(hasHello, 'hello');
  await ingest(server, { deviceId: 'a', fields: { n: 7 } });
  await wire.until(({ text }) => text.includes('"n":7'), 'the event');
  assert.doesNotMatch(wire.text, /^event:/m);
  const source = new EventSource(`${server.url}/api/stream?unnamed=1`);
  atEnd(() => source.close());
  const types = [];
  source.onmessage = ({ data }) => types.push(JSON.parse(data).type);
  await until(() => types.length > 0, 'a message');
  await ingest(server, { deviceId: 'a', fields: { n: 8 } });
  await until(() => types.includes('telemetry'), 'telemetry as a message');
  await server.stop();
});

test('every spelling of the cursor resumes, and the header beats the query', async () => {
  const server = await Server.start();
  const all = await Stream.open(server, '?types=telemetry');
  for (let n = 0; n < 6; ++n) await ingest(server, { deviceId: 'a', fields: { n } });
  await until(() => all.events('telemetry').length === 6, 'six events');
  const ids = all.events('telemetry').map((event) => event.id);
  const after = async (query, headers) => {
    const wire = await Wire.open(server, `?types=telemetry${query}`, headers).until(({ text }) => text.includes('"n":5'), `all after ${query}`);
    wire.socket.destroy();
    return wire.blocks.filter((lines) => lines.includes('event: telemetry')).length;
  };
  for (const name of ['lastEventId', 'last_event_id', 'Last-Event-ID']) assert.equal(await after(`&${name}=${ids[1]}`), 4, name);
  assert.equal(await after('', { 'Last-Event-ID': ids[2] }), 3);
  assert.equal(await after(`&lastEventId=${ids[0]}`, { 'Last-Event-ID': ids[4] }), 1, 'a browser that reconnects asks the old URL');
  await server.stop();
});

test('pad=1 begins with 2 KiB of comment for what buffers the first bytes', async () => {
  const server = await Server.start();
  const wire = await Wire.open(server, '?pad=1').until(hasHello, 'hello');
  assert.match(wire.text, /^:[^\n]{2000,}\n/);
  const parsed = [];
  createParser({ onEvent: (event) => parsed.push(event) }).feed(wire.text);
  assert.equal(JSON.parse(parsed[0].data).data?.kind ?? JSON.parse(parsed[0].data).kind, 'hello');
  await server.stop();
});

test('a drain says so, tells when to come back, and ends without the final chunk', async () => {
  const server = await Server.start();
  const wire = await Wire.open(server).until(hasHello, 'hello');
  const stopped = server.stop();
  await wire.until(({ closed }) => closed, 'the end');
  await stopped;
  const last = wire.blocks.at(-1);
  assert.ok(last.some((line) => line.includes('"kind":"draining"')), `${last}`);
  assert.ok(last.some((line) => /^retry: \d+$/.test(line)));
  assert.ok(!wire.chunks.includes(''), 'after a clean end some clients never come back');
});

test('without a free place a browser is told to come back, and others get 503', async () => {
  const server = await Server.start({ arguments: ['--stream.streams_max=1', '--server.io_threads=1'] });
  const first = await Wire.open(server).until(hasHello, 'hello');
  const second = await Wire.open(server).until(({ closed }) => closed, 'turned away');
  assert.match(second.head, /^HTTP\/1\.1 200 /, 'a 503 would end an EventSource for good');
  assert.match(second.text, /"kind":"overloaded"/);
  assert.match(second.text, /^retry: \d+$/m);
  const plain = await get(server, '/api/stream', { headers: { Accept: 'application/json' } });
  assert.equal(plain.status, 503);
  assert.ok(Number(plain.headers['retry-after']) > 0);
  first.socket.destroy();
  await until(async () => {
    const wire = Wire.open(server);
    await sleep(100);
    return hasHello(wire);
  }, 'a place is free again');
  await server.stop();
});

test('clients that send no Accept, or any, get the stream', async () => {
  const server = await Server.start();
  for (const accept of [undefined, '*/*', 'text/*', 'text/event-stream, */*;q=0.1']) {
    const socket = net.connect(server.port, '127.0.0.1', () => socket.write(`GET /api/stream HTTP/1.1\r\nHost: localhost\r\n${accept ? `Accept: ${accept}\r\n` : ''}\r\n`));
    let text = '';
    socket.on('data', (bytes) => (text += bytes));
    await until(() => text.includes('"hello"'), `hello for Accept ${accept}`);
    socket.destroy();
  }
  await server.stop();
});

test('a compressed stream comes at once through fetch and EventSource', async () => {
  const server = await Server.start({ arguments: ['--stream.gzip=true'] });
  const controller = new AbortController();
  atEnd(() => controller.abort());
  const response = await fetch(`${server.url}/api/stream?types=telemetry`, { headers: { 'Accept-Encoding': 'gzip' }, signal: controller.signal });
  assert.equal(response.headers.get('content-encoding'), 'gzip');
  let fetched = '';
  (async () => {
    for await (const part of response.body) fetched += Buffer.from(part).toString();
  })().catch(() => {});
  const source = new EventSource(`${server.url}/api/stream?types=telemetry`);
  atEnd(() => source.close());
  const seen = [];
  source.addEventListener('telemetry', ({ data }) => seen.push(JSON.parse(data).data.fields.n));
  await until(() => fetched.includes('"hello"') && source.readyState === EventSource.OPEN, 'both streams');
  for (let n = 0; n < 20; ++n) {
    const begun = Date.now();
    await ingest(server, { deviceId: 'a', fields: { n } });
    await until(() => fetched.includes(`"n":${n}}`) && seen.at(-1) === n, `event ${n}`, 2000, 5);
    assert.ok(Date.now() - begun < 1000, 'flushed, not gathered');
  }
  await server.stop();
});

test('a closed browser is noticed by its socket', async () => {
  const server = await Server.start();
  const stream = await Stream.open(server);
  await stream.waitFor((m) => systemData(m).kind === 'hello', 'hello');
  const viewers = async () => Number(/^millstream_stream_sessions (\d+)$/m.exec((await get(server, '/metrics')).text)[1]);
  assert.equal(await viewers(), 1);
  stream.close();
  await until(async () => (await viewers()) === 0, 'no session is left');
  await server.stop();
});
