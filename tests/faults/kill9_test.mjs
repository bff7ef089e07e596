// F1: kill -9 in the middle of concurrent ingest, ROUNDS times (default 10): what was acked is there, once, the files are
// sound, and a viewer that resumes across the kills by Last-Event-ID misses nothing acked and sees nothing twice.
// READY_MS_MAX: how long it may take until the server is ready again (default: as long as the harness waits).

import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { Server, Stream, assertStrictlyRising, backfillAll, quickRetry, sleep, until } from '../e2e/harness.mjs';
import { Audit, Ledger, assertSound, assertStored, count, numberOf, random, repeatWith } from './ledger.mjs';

const rounds = count('ROUNDS', 10);
const readyMsMax = count('READY_MS_MAX', 20_000);
repeatWith({ ROUNDS: rounds });

test(`nothing acked is lost or doubled over ${rounds} kills`, async () => {
  const server = await Server.start({ arguments: quickRetry });
  const data = path.join(server.directory, 'data');
  const ledger = new Ledger();

  // The viewer reconnects by hand with the last id it saw, as a browser does.
  const seen = [];
  const gaps = [];
  let connections = 0;
  let watching = true;
  async function view() {
    let lastEventId;
    while (watching) {
      let stream;
      try {
        stream = await Stream.open(server, '?siteId=plant&types=telemetry,system', { lastEventId });
      } catch {
        await sleep(20);
        continue;
      }
      assert.equal(stream.status, 200, stream.text);
      ++connections;
      await until(() => stream.closed || !watching, 'the stream ends', 3_600_000, 10);
      if (!watching) await sleep(1500); // let the rest arrive
      stream.close();
      for (const event of stream.events()) if (numberOf(event) !== undefined) seen.push(event);
      gaps.push(...stream.system('gap'));
      lastEventId = stream.lastEventId || lastEventId;
    }
  }

  const viewing = view();
  viewing.catch(() => {}); // awaited below
  await until(() => connections > 0, 'the viewer is connected');
  ledger.start(server);
  const audit = new Audit(ledger);
  let position; // up to where the audit has read
  let slowestMs = 0;
  let checks = 0;
  async function readOn() {
    const page = await backfillAll(server, { types: 'telemetry,system', ...(position ? { since: position } : {}) });
    audit.add(page.events);
    position = page.last;
  }
  try {
    for (let round = 1; round <= rounds; ++round) {
      await ledger.sleepUnlessFailed(50 + random() * 450);
      await server.kill9();
      const promised = [...ledger.acked]; // what is acked from now on may come after the reading below
      checks += assertSound(data, `round ${round}`);
      const started = Date.now();
      await server.restart();
      const readyMs = Date.now() - started;
      slowestMs = Math.max(slowestMs, readyMs);
      await readOn();
      audit.assertWhole(`round ${round}`, promised);
      assert.ok(readyMs <= readyMsMax, `round ${round}: ready again only after ${readyMs} ms`);
      console.log(`round ${round}: ${promised.length} acked so far, ready again after ${readyMs} ms`);
    }
    await sleep(300);
  } finally {
    await ledger.stop();
    watching = false;
  }
  await viewing;

  const whole = await assertStored(server, ledger, 'at the end, all of it once more');
  assert.ok(ledger.acked.size > rounds * 10, `the test did work: ${ledger.acked.size} points acked`);

  assert.deepEqual(gaps, [], 'no gap was declared');
  assertStrictlyRising(seen.map((event) => event.id));
  const shown = new Set(seen.map(numberOf));
  assert.deepEqual([...ledger.acked].filter((n) => !shown.has(n)), [], 'the viewer saw everything that was acked');
  assert.deepEqual(seen.map((event) => event.id), [...whole.stored.values()], 'and exactly what is stored');
  assert.ok(connections > rounds, `the viewer was cut by every kill: ${connections} connections`);
  console.log(`kill -9: ${rounds} rounds, ${ledger.acked.size} acked, ${whole.lost().length} lost, ${whole.doubled.length} doubled, ` +
    `${whole.wrong.length} wrong; ready after ${slowestMs} ms at worst; ${checks} databases sound; ` +
    `the viewer saw ${seen.length} over ${connections} connections`);
  await server.stop();
});
