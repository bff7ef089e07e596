// Four readers of the same stream agree on 20 000 random events with every character that ever broke a parser: Chromium,
// the npm packages `eventsource` and `eventsource-parser`, and our own strict one in `millstream tail`. And wherever the
// network cuts the bytes, a reader sees the same.

import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { createParser } from 'eventsource-parser';
import { EventSource } from 'eventsource';
import { launchChromium } from './chromium.mjs';
import { Child, Server, atEnd, binary, ingest, until } from './harness.mjs';

const seed = Number(process.env.SEED ?? 20_260_301);
const events = Number(process.env.EVENTS ?? 20_000);
const query = 'types=telemetry';

/** xorshift: the same payloads for the same seed. */
function randomness(state) {
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const pieces = ['\r', '\n', '\r\n', '\n\n', '\0', '\ufeff', '\u2028', '\u2029', '\u0085', 'data: ', 'id: 1-1', 'event: x', ':', ' ', '"', '\\', '/', '</script>',
  '\u{1f600}', '\u{10ffff}', '\ufffd', '\u00e4', '\u0301', '\u202e', '\x7f', '\x1f', '\t', 'retry: 1', 'plain text', '0', '{}', '\ue000'];

function payload(random) {
  let text = '';
  for (let n = random(12); n > 0; --n) text += random(4) ? pieces[random(pieces.length)] : String.fromCodePoint(32 + random(0x2fff));
  return text;
}

/** What one reader has seen, in order. */
class Seen {
  events = [];

  add(id, data) {
    this.events.push(`${id}\n${data}`);
  }

  get count() {
    return this.events.length;
  }

  /** Fails at the first event that the other has read otherwise. */
  assertSame(other, name) {
    for (let i = 0; i < Math.max(this.count, other.count); ++i) {
      assert.equal(this.events[i], other.events[i], `${name}, event ${i}`);
    }
  }
}

/** The body of a stream, chunk framing removed. */
function bodyOf(bytes) {
  let at = bytes.indexOf('\r\n\r\n') + 4;
  const parts = [];
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return Buffer.concat(parts);
    const size = parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (bytes.length < lineEnd + 2 + size + 2) return Buffer.concat(parts);
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

test(`four readers agree on ${events} random events (seed ${seed})`, async () => {
  const server = await Server.start();
  const browser = await launchChromium();
  const page = await browser.newPage();
  await page.goto(`${server.url}/health`); // a page of the same origin that follows no stream of its own
  await page.evaluate((q) => {
    window.seen = [];
    window.source = new EventSource(`/api/stream?${q}`);
    window.source.addEventListener('telemetry', (event) => window.seen.push([event.lastEventId, event.data]));
  }, query);
  await page.waitForFunction(() => window.source.readyState === 1);

  const source = new EventSource(`${server.url}/api/stream?${query}`);
  atEnd(() => source.close());
  const byPackage = new Seen();
  source.addEventListener('telemetry', (event) => byPackage.add(event.lastEventId, event.data));
  await until(() => source.readyState === EventSource.OPEN, 'eventsource is open');

  const tail = new Child(binary, ['tail', server.url, '--types', 'telemetry', '--json', '--count', `${events}`]);
  atEnd(() => tail.stop(1000));

  const parts = [];
  const socket = net.connect(server.port, '127.0.0.1', () => socket.write(`GET /api/stream?${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`));
  atEnd(() => socket.destroy());
  socket.on('data', (part) => parts.push(part));
  await until(async () => (await fetch(`${server.url}/metrics`).then((r) => r.text())).includes('millstream_stream_sessions 4\n'), 'all four follow');

  const random = randomness(seed);
  const sent = [];
  for (let from = 0; from < events; from += 500) {
    const points = [];
    for (let n = from; n < Math.min(from + 500, events); ++n) {
      points.push({ deviceId: `d${n}`, siteId: 'oracle', fields: { s: payload(random), n } });
      sent.push(points.at(-1).fields.s);
    }
    await ingest(server, points);
  }

  const byParser = new Seen();
  const asJson = new Seen();
  const values = [];
  await until(() => byPackage.count >= events, 'eventsource has all', 60_000);
  await until(async () => (await page.evaluate(() => window.seen.length)) >= events, 'Chromium has all', 60_000);
  await until(() => Buffer.concat(parts).includes(`"n":${events - 1}}`), 'the raw stream has all', 60_000);
  const body = bodyOf(Buffer.concat(parts));
  createParser({
    onEvent: ({ id, event, data }) => {
      if (event !== 'telemetry') return;
      byParser.add(id, data);
      asJson.add(id, JSON.stringify(JSON.parse(data)));
      values.push(JSON.parse(data).data.fields.s);
    },
  }).feed(body.toString('utf8'));
  const byChromium = new Seen();
  for (const [id, data] of await page.evaluate(() => window.seen)) byChromium.add(id, data);
  await tail.wait(60_000, 'tail ends by itself');
  const byTail = new Seen();
  for (const line of tail.stdout.split('\n').filter(Boolean)) {
    const event = JSON.parse(line);
    if (event.type === 'telemetry') byTail.add(event.id, JSON.stringify(event)); // it writes JSON of its own
  }

  assert.deepEqual(values, sent, 'what was sent is what is read');
  const counts = { chromium: byChromium.count, eventsource: byPackage.count, parser: byParser.count, tail: byTail.count };
  assert.deepEqual(counts, { chromium: events, eventsource: events, parser: events, tail: events });
  byChromium.assertSame(byParser, 'Chromium');
  byPackage.assertSame(byParser, 'eventsource');
  byTail.assertSame(asJson, 'tail');

  // Every cut of the first blocks, inside a character too.
  const start = body.subarray(0, 4096);
  const read = (parts) => {
    const out = [];
    const parser = createParser({ onEvent: ({ id, event, data }) => out.push(`${id}|${event}|${data}`) });
    const decoder = new TextDecoder();
    for (const part of parts) parser.feed(decoder.decode(part, { stream: true }));
    return out.join('\n');
  };
  const whole = read([start]);
  assert.ok(whole.split('\n').length > 5);
  for (let cut = 1; cut < start.length; ++cut) assert.equal(read([start.subarray(0, cut), start.subarray(cut)]), whole, `cut at ${cut}`);
  await server.stop();
});
