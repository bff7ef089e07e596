// kill -9 in the middle of concurrent ingest, ROUNDS times (default 10): what was acked is there, once, and a viewer that
// resumes across the kills by Last-Event-ID misses nothing acked and sees nothing twice.

import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { Server, Stream, assertStrictlyRising, backfillAll, post, quickRetry, sleep, until } from './harness.mjs';

const rounds = Number(process.env.ROUNDS ?? 10);
const writers = 6;
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
console.log(`repeat with: SEED=${seed} ROUNDS=${rounds}`);
let state = seed >>> 0;
const random = () => {  // xorshift32
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
};
state = (state * 2654435761) >>> 0 || 1;

test(`nothing acked is lost or doubled over ${rounds} kills`, async () => {
  const server = await Server.start({ arguments: quickRetry });
  const acked = new Set();
  const attempted = new Set();
  let counter = 0;
  let running = true;

  // Each writer keeps one connection alive and has one batch under way; every point carries its own number.
  async function write(writer) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (running) {
      const numbers = Array.from({ length: 1 + Math.floor(random() * 40) }, () => ++counter);
      const points = numbers.map((n, i) => ({ deviceId: `w${writer}-${i}`, siteId: 'plant', fields: { n } }));
      numbers.forEach((n) => attempted.add(n));
      try {
        const answer = await post(server, '/api/ingest', JSON.stringify(points), { agent, timeoutMs: 5000 });
        if (answer.status === 200) {
          assert.equal(answer.json().accepted, points.length);
          numbers.forEach((n) => acked.add(n));
        } else {
          assert.equal(answer.status, 503, answer.text);
        }
      } catch (error) {
        if (error.code === 'ERR_ASSERTION') throw error;
        await sleep(20); // the server is gone for the moment
      }
    }
    agent.destroy();
  }

  // The viewer reconnects by hand with the last id it saw, as a browser does.
  const seen = [];
  const gaps = [];
  let connections = 0;
  async function view() {
    let lastEventId;
    while (running) {
      let stream;
      try {
        stream = await Stream.open(server, '?siteId=plant&types=telemetry,system', { lastEventId });
      } catch {
        await sleep(20);
        continue;
      }
      assert.equal(stream.status, 200, stream.text);
      ++connections;
      await until(() => stream.closed || !running, 'the stream ends', 600_000, 10);
      if (!running) await sleep(1500); // let the rest arrive
      stream.close();
      for (const event of stream.events('telemetry')) seen.push({ id: event.id, n: event.data.fields.n });
      gaps.push(...stream.system('gap'));
      lastEventId = stream.lastEventId || lastEventId;
    }
  }

  const viewing = view();
  await until(() => connections > 0, 'the viewer is connected');
  const work = [viewing, ...Array.from({ length: writers }, (_, i) => write(i))];
  const failed = Promise.all(work).then(() => undefined);
  failed.catch(() => {}); // reported by the await below
  const events = []; // of the log, read on from `position` each round
  const stored = new Set();
  let position;
  async function readOn() {
    const page = await backfillAll(server, { types: 'telemetry', ...(position ? { since: position } : {}) });
    for (const event of page.events) {
      events.push(event);
      stored.add(event.data.fields.n);
    }
    position = page.last;
  }
  try {
    for (let round = 1; round <= rounds; ++round) {
      await Promise.race([sleep(50 + random() * 450), failed]);
      await server.kill9();
      const promised = [...acked]; // what is acked from now on may come after the reading below
      const started = Date.now();
      await server.restart();
      const readyMs = Date.now() - started;
      await readOn();
      assert.deepEqual(promised.filter((n) => !stored.has(n)), [], `round ${round}: acked and lost`);
      console.log(`round ${round}: ${promised.length} acked so far, ready again after ${readyMs} ms`);
    }
    await sleep(300);
  } finally {
    running = false;
  }
  await failed;
  await readOn();

  const numbers = events.map((event) => event.data.fields.n);
  assert.equal(new Set(numbers).size, numbers.length, 'nothing is stored twice');
  for (const n of numbers) assert.ok(attempted.has(n), `${n} was never sent`);
  assert.ok(acked.size > rounds * 10, `the test did work: ${acked.size} points acked`);

  assert.deepEqual(gaps, [], 'no gap was declared');
  assertStrictlyRising(seen.map((event) => event.id));
  const shown = new Set(seen.map((event) => event.n));
  const unseen = [...acked].filter((n) => !shown.has(n));
  assert.deepEqual(unseen, [], 'the viewer saw everything that was acked');
  assert.deepEqual(seen.map((event) => event.id), events.map((event) => event.id).slice(-seen.length),
    'and exactly what is stored');
  assert.ok(connections > rounds, `the viewer was cut by every kill: ${connections} connections`);
  console.log(`${acked.size} points acked, ${seen.length} events seen, ${connections} connections`);
  await server.stop();
});
