// F4: fsync fails, or is slow, in the running server (strace puts the fault into its system calls). After a failure nothing
// is acked and nothing retried, however well the disk is again, the server says so loudly, streams and reads go on, and a
// restart has everything acked. On a slow disk acks wait, and nobody is shown an event before it is synced.
// ROUNDS: failures at a random sync, those of starting included (default 3). SECONDS_SLOW: on the slow disk (default 4).

import assert from 'node:assert/strict';
import test from 'node:test';
import { Child, Server, Stream, atEnd, get, tempDirectory, until } from '../e2e/harness.mjs';
import { Ledger, assertStored, between, count, metric, needs, numberOf, repeatWith } from './ledger.mjs';

needs('strace', ['-o', '/dev/null', 'true'], 'needs strace, and to be allowed to trace');
const rounds = count('ROUNDS', 3);
const seconds = count('SECONDS_SLOW', 4);
repeatWith({ ROUNDS: rounds, SECONDS_SLOW: seconds });

const traced = 'fsync,fdatasync';
const faultOf = (what) => ['-e', `trace=${traced}`, '-e', `inject=${traced}:${what}`, '-o', '/dev/null'];

/** Puts a fault into the syncs of a running server. Gives what ends it: the disk is well again. */
async function inject(server, what) {
  const tracer = new Child('strace', ['-f', '-p', String(server.child.pid), ...faultOf(what)]);
  atEnd(() => tracer.stop());
  await until(() => /attached/.test(tracer.output), `strace attaches: ${tracer.output}`);
  return () => tracer.stop();
}

const ours = (stream) => stream.events().filter((event) => numberOf(event) !== undefined);
const failureLine = /level=error msg="events cannot be stored".*(disk I\/O error|read-only)/;

test('after a failed sync nothing is acked until a restart, and everything else goes on', async () => {
  const server = await Server.start();
  const ledger = new Ledger();
  const viewer = await Stream.open(server, '?siteId=plant&types=telemetry,system&heartbeat=1');
  let firstRefusal = Infinity;
  let refusals = 0;
  const late = []; // acked though sent after a refusal had arrived
  ledger.start(server, {
    onAnswer: ({ ok, numbers, status, sentAt, answeredAt }) => {
      if (ok && sentAt > firstRefusal) late.push(...numbers);
      if (ok) return;
      assert.equal(status, 503);
      ++refusals;
      firstRefusal = Math.min(firstRefusal, answeredAt);
    },
  });
  await ledger.sleepUnlessFailed(500);
  const heal = await inject(server, 'error=EIO');
  await until(() => refusals > 20, 'the failure shows');
  const acked = ledger.acked.size;
  await heal(); // a sync would say yes now to what it once lost
  const refusalsBefore = refusals;
  await until(() => refusals > refusalsBefore + 20, 'it goes on refusing on a disk that is well again');
  await ledger.stop();
  assert.equal(ledger.acked.size, acked, 'nothing more was acked');
  assert.deepEqual(late, [], 'nothing was acked after the first refusal');
  assert.ok(acked > 0);

  for (const way of ['json', 'v1', 'v2', 'v3', 'publish']) {
    const { status, answer } = await ledger.send(server, { way });
    assert.equal(status, 503, answer.text);
    assert.match(answer.text, /read-only until a restart/, `${way} says why`);
  }
  assert.match(server.child.output, failureLine, 'the log says so');
  assert.equal(await metric(server, 'millstream_log_read_only'), 1, 'and a gauge');

  const audit = await assertStored(server, ledger, 'read-only');
  assert.deepEqual(audit.refusedYetStored(), [], 'what is refused is shown to nobody');
  assert.deepEqual(ours(viewer).map(numberOf), [...audit.stored.keys()], 'the stream that was open showed what is stored');
  const beats = viewer.system('heartbeat').length;
  await until(() => viewer.system('heartbeat').length > beats, 'and lives');
  const [first] = audit.stored.values();
  const resumed = await Stream.open(server, '?siteId=plant&types=telemetry,system', { lastEventId: first });
  await until(() => ours(resumed).length === audit.stored.size - 1, 'a stream that resumes gets everything');
  assert.deepEqual([...resumed.system('gap'), ...viewer.system('gap')], []);
  assert.equal((await get(server, '/api/latest')).status, 200);
  const ready = (await get(server, '/ready')).status;

  await server.kill9();
  await server.restart();
  const after = await assertStored(server, ledger, 'after the restart');
  const lost = after.lost().length;
  for (const event of ours(viewer)) assert.ok(after.stored.has(numberOf(event)), 'what was shown stays');
  assert.ok((await ledger.send(server)).ok, 'and points are taken again');
  assert.equal(await metric(server, 'millstream_log_read_only'), 0);
  console.log(`fsync EIO: ${acked} acked, ${lost} lost, ${late.length} acked after the failure, ${refusals} requests refused; ` +
    `/ready said ${ready} meanwhile; after the restart ${after.refusedYetStored().length} of ${ledger.refused.size} refused points are there`);
  await server.stop();
});

test(`a sync that fails at any moment, of starting too, costs nothing acked (${rounds} rounds)`, async () => {
  for (let round = 1; round <= rounds; ++round) {
    const directory = tempDirectory('sync-error');
    const when = between(1, 40);
    const ledger = new Ledger();
    const under = ['strace', '-D', '-f', ...faultOf(`error=EIO:when=${when}+`)];
    let server;
    try {
      server = await Server.start({ directory, under });
    } catch (error) {
      assert.match(error.message, /the server ended at once/);
      assert.match(error.message, /\nmillstream: .*/, 'it says why it does not start');
    }
    if (server) {
      let refusals = 0;
      ledger.start(server, { onAnswer: ({ ok }) => (refusals += ok ? 0 : 1) });
      await until(() => refusals > 5, `sync ${when} fails`, 30_000);
      await ledger.stop();
      await assertStored(server, ledger, `round ${round}, read-only`);
      await server.kill9();
    }
    const healed = await Server.start({ directory });
    await assertStored(healed, ledger, `round ${round}, after the restart`);
    assert.ok((await ledger.send(healed)).ok, 'points are taken again');
    await healed.stop();
    console.log(`round ${round}: sync ${when} of a thread and all later ones fail: ` +
      (server ? `${ledger.acked.size} acked, 0 lost` : 'does not start, and says so'));
  }
});

test('on a slow disk acks wait for it, and nobody is shown an event before it is synced', async () => {
  const delayMs = 200;
  const server = await Server.start();
  const ledger = new Ledger();
  const viewer = await Stream.open(server, '?siteId=plant&types=telemetry,system');
  const arrivedAt = new Map();
  const watch = setInterval(() => {
    for (const message of viewer.messages.splice(0)) {
      const n = message.id === undefined ? undefined : numberOf(message.data);
      if (n !== undefined) arrivedAt.set(n, performance.now());
    }
  }, 1);
  atEnd(() => clearInterval(watch));
  const heal = await inject(server, `delay_exit=${delayMs * 1000}`);
  const answers = [];
  ledger.start(server, { onAnswer: (answer) => answers.push(answer) });
  await ledger.sleepUnlessFailed(seconds * 1000);
  await ledger.stop();
  await until(() => arrivedAt.size === ledger.acked.size, 'the viewer has everything');
  await heal();
  clearInterval(watch);

  const waits = answers.map(({ sentAt, answeredAt }) => answeredAt - sentAt).sort((a, b) => a - b);
  const fanOut = []; // after the ack: both leave when the sync is done
  for (const { numbers, sentAt, answeredAt } of answers) {
    for (const n of numbers) {
      assert.ok(arrivedAt.get(n) - sentAt >= delayMs, `${n} was shown ${arrivedAt.get(n) - sentAt} ms after it was sent`);
      fanOut.push(arrivedAt.get(n) - answeredAt);
    }
  }
  fanOut.sort((a, b) => a - b);
  assert.ok(waits[0] >= delayMs, `an ack came after ${waits[0]} ms`);
  assert.ok(answers.length > 5 && answers.every(({ ok }) => ok));
  const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))].toFixed(1);
  const audit = await assertStored(server, ledger, 'at the end');
  console.log(`fsync +${delayMs} ms: ${ledger.acked.size} acked, ${audit.lost().length} lost; ack p50 ${at(waits, 0.5)} ms, p99 ${at(waits, 0.99)} ms; ` +
    `shown after the ack p50 ${at(fanOut, 0.5)} ms, p99 ${at(fanOut, 0.99)} ms`);
  await server.stop();
});
