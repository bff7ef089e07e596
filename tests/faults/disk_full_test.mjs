// F3: the disk fills up under ingest and gets room again: refused clearly on every way in, streams and reads go on, nothing
// acked is lost, and the same process takes points again within seconds. So it does when it was started on the full disk,
// after a kill and after a stop. Prints a transcript.
// SIZE_MB: the disk at first (default 16).

import assert from 'node:assert/strict';
import test from 'node:test';
import { Server, Stream, get, post, systemData, until } from '../e2e/harness.mjs';
import { MemoryDisk, withOwnMounts } from './disks.mjs';
import { Ledger, assertStored, count, metric, numberOf, repeatWith } from './ledger.mjs';

withOwnMounts({ root: false });
const megabytes = count('SIZE_MB', 16);
const healedMsMax = 5000;
repeatWith({ SIZE_MB: megabytes });

const begin = performance.now();
function say(words) {
  console.log(`${new Date().toISOString()} +${((performance.now() - begin) / 1000).toFixed(2).padStart(6)} s  ${words}`);
}
const mib = (bytes) => `${(bytes / (1 << 20)).toFixed(1)} MiB`;

/** Fills the disk until nothing is taken any more, on all ways at once. */
async function fill(server, ledger, disk) {
  const refusals = new Map(); // way -> status
  ledger.start(server, {
    refusals: [503, 507],
    onAnswer: ({ way, ok, status, answer }) => {
      if (ok || refusals.has(way)) return;
      refusals.set(way, status);
      say(`${way}: ${status} ${answer.headers['content-type']}, Retry-After ${answer.headers['retry-after']}: ${answer.text.trim()}`);
    },
  });
  await until(() => refusals.size === 6, 'every way in refuses', 120_000);
  await ledger.stop();
  say(`full: ${ledger.acked.size} points acked, ${mib(disk.freeBytes())} free`);
}

/** The first refusal on this way: a small write may still find a page with room. */
function refusal(server, ledger, way) {
  return until(async () => {
    const sent = await ledger.send(server, { way });
    return sent.ok ? undefined : sent;
  }, `${way} refuses`);
}

/** Each way in refuses as its clients can understand. */
async function assertRefusals(server, ledger) {
  for (const way of ['json', 'batch', 'publish']) {
    const { status, answer } = await refusal(server, ledger, way);
    assert.equal(status, 507, `${way}: ${answer.text}`);
    assert.match(answer.headers['content-type'], /^application\/problem\+json/);
    assert.ok(Number(answer.headers['retry-after']) > 0, 'says when to come again');
    assert.equal(answer.json().status, 507);
    assert.equal(answer.json().code, 'storage_full');
    assert.match(answer.json().detail, /full/, answer.text);
  }
  for (const way of ['v1', 'v2', 'v3']) {
    const { status, answer } = await refusal(server, ledger, way);
    assert.equal(status, 503, `${way}: a Telegraf would drop the batch on 507: ${answer.text}`);
    assert.match(answer.text, /full/, 'and says why');
  }
}

async function assertReadsGoOn(server, ledger, viewer) {
  const audit = await assertStored(server, ledger, 'while the disk is full');
  assert.deepEqual(audit.refusedYetStored(), [], 'what is refused is not stored');
  say(`backfill gives all ${audit.stored.size} points, and none that was refused`);
  for (const target of ['/api/latest', '/api/devices', '/api/series?deviceId=d7&siteId=plant&fields=v', '/metrics', '/health']) {
    assert.equal((await get(server, target)).status, 200, target);
  }
  say('latest, devices, series, metrics and health answer 200');
  const beats = viewer.system('heartbeat').length;
  await until(() => viewer.system('heartbeat').length > beats, 'the stream that was open lives');
  // However many fit: a stream resumes over at most so many as it may.
  const ids = [...audit.stored.values()].slice(-5000);
  const resumed = await Stream.open(server, '?siteId=plant&types=telemetry,system', { lastEventId: ids[0] });
  await until(() => resumed.events().filter((event) => numberOf(event) !== undefined).length === ids.length - 1,
    'a stream that resumes gets everything');
  resumed.close();
  assert.deepEqual(resumed.system('gap'), []);
  say(`the open stream lives, and one that resumed got all ${ids.length - 1} since its last`);
}

/** What operators read, by program and by hand: the server stays in service. */
async function assertStorage(server, storage) {
  const ready = await get(server, '/ready');
  assert.equal(ready.status, 200);
  assert.equal(ready.json().storage, storage);
  assert.equal((await get(server, '/api/stats')).json().storage, storage);
  return ready;
}

function toldDegraded(viewer, storage) {
  return until(() => viewer.system('degraded').some((m) => systemData(m).storage === storage), `the stream says that storage is ${storage}`);
}

async function assertTold(server, viewer) {
  assert.match(server.child.output, /level=error msg="events cannot be stored".*full/, 'the log says so');
  assert.ok((await metric(server, 'millstream_log_commit_failures_total')) > 0, 'and a metric');
  assert.equal(await metric(server, 'millstream_log_storage_full'), 1);
  const ready = await assertStorage(server, 'full');
  await toldDegraded(viewer, 'full');
  const kinds = [...new Set(viewer.messages.filter((m) => m.event === 'system').map((m) => systemData(m).kind))];
  say(`told by a log line and by millstream_log_commit_failures_total; /ready says ${ready.text}; ` +
    `the stream's system events were: ${kinds.join(', ')}`);
}

/** Room again: the same process takes every way within seconds. */
async function assertHeals(server, ledger, disk, to) {
  const { pid } = server.child;
  disk.resize(to);
  const room = performance.now();
  say(`resized to ${to} MiB`);
  for (const way of ['json', 'batch', 'publish', 'v1', 'v2', 'v3']) {
    await until(async () => (await ledger.send(server, { way })).ok, `${way} is taken again`, healedMsMax);
  }
  say(`every way in is taken again after ${Math.round(performance.now() - room)} ms, by the same process`);
  await assertStorage(server, 'ok');
  assert.equal(server.child.pid, pid);
  assert.ok(server.child.running());
}

/** What is drawn from events goes on as well: the engines had waited for their checkpoint. */
async function assertEnginesGoOn(server) {
  const sent = await post(server, '/api/ingest', '{"deviceId":"after","siteId":"plant","fields":{"v":1}}');
  assert.equal(sent.status, 200, sent.text);
  await until(async () => (await get(server, '/api/devices/after?siteId=plant')).status === 200, 'the engines have stepped it', 20_000);
  say('a new device is known');
}

/** A browser's stream: it comes back with its ticket and the last id it saw. */
async function openWithTicket(server) {
  const { url } = (await post(server, '/api/stream-token', '')).json();
  const path = `${url}&siteId=plant`;
  const stream = await Stream.open(server, '', { path });
  await until(() => stream.lastEventId, 'the stream says hello');
  return { path, lastEventId: stream.lastEventId };
}

/** A server that starts without room serves what is there and refuses what is new. */
async function assertStartsFull(server, ledger, browser) {
  await server.restart();
  say('started on the full disk');
  const audit = await assertStored(server, ledger, 'after a start on a full disk');
  const back = await Stream.open(server, '', browser);
  assert.equal(back.status, 200, `a browser that comes back is served: ${back.text}`);
  back.close();
  await assertRefusals(server, ledger);
  await assertStorage(server, 'full');
  say(`backfill gives all ${audit.stored.size} points, a browser came back with its ticket, every way in refuses`);
}

test('a full disk refuses clearly, reads go on, and room heals it without a restart', async () => {
  const disk = new MemoryDisk(megabytes);
  const ledger = new Ledger({ noteBytes: 600 });
  const server = await Server.start({ directory: disk.path });
  const viewer = await Stream.open(server, '?siteId=plant&types=telemetry,system&heartbeat=1');
  say(`started, pid ${server.child.pid}, on ${megabytes} MiB`);

  await fill(server, ledger, disk);
  await assertRefusals(server, ledger);
  await assertReadsGoOn(server, ledger, viewer);
  await assertTold(server, viewer);
  await assertHeals(server, ledger, disk, megabytes * 2);
  assert.match(server.child.output, /msg="events can be stored again"/, 'and says that it does');
  await toldDegraded(viewer, 'ok');

  say('once more, and killed while the disk is full');
  const browser = await openWithTicket(server);
  await fill(server, ledger, disk);
  await until(() => viewer.events().filter((event) => numberOf(event) !== undefined).length >= ledger.acked.size, 'the viewer has it all');
  const shown = new Set(viewer.events().map(numberOf));
  assert.deepEqual([...ledger.acked].filter((n) => !shown.has(n)), [], 'the viewer saw everything that was acked');
  assert.deepEqual(viewer.system('gap'), []);
  await server.kill9();
  await assertStartsFull(server, ledger, browser);
  say('stopped in good order while the disk is full');
  await server.stop();
  await assertStartsFull(server, ledger, browser);
  await assertHeals(server, ledger, disk, megabytes * 4);
  await assertEnginesGoOn(server);
  await assertStored(server, ledger, 'with room after the kill');

  await server.stop();
  await server.restart();
  const end = await assertStored(server, ledger, 'at the end');
  assert.deepEqual(end.refusedYetStored(), [], 'what is refused is not stored');
  say(`restarted: ${ledger.acked.size} acked, ${end.lost().length} lost, ${end.doubled.length} doubled; ${ledger.refused.size} refused, none of them there`);
  await server.stop();
});
