// F5: the stored files are damaged, with the server stopped and while it runs: bits flipped, files cut short, removed or
// exchanged for others. No event is served that was not stored like that, every other hour stays whole, and what is missing
// is told: a log line and a metric, by the pages of a backfill, and on a resumed stream by a gap. What is known not to hold
// is marked TODO below, with the reason; such a test still runs and shows what it found.
// FLIPS: bits flipped in a stopped server's files, one a start (default 10). RUNNING: the same while it runs (default 3).

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { before } from 'node:test';
import { Server, Stream, backfillAll, compareIds, get, systemData, tempDirectory, sleep, until } from '../e2e/harness.mjs';
import { Ledger, assertStored, between, count, metric, numberOf, oneOf, repeatWith, skip } from './ledger.mjs';

const library = findLibrary();
if (!library) skip('needs faketime, to have several hours in the log at once');
const flips = count('FLIPS', 10);
const flipsRunning = count('RUNNING', 3);
repeatWith({ FLIPS: flips, RUNNING: flipsRunning });

function findLibrary() {
  return fs.readdirSync('/usr/lib')
    .map((machine) => `/usr/lib/${machine}/faketime/libfaketimeMT.so.1`)
    .find((file) => fs.existsSync(file));
}
const hoursAgo = (n) => ({ LD_PRELOAD: library, FAKETIME: `-${n}h`, FAKETIME_DONT_FAKE_MONOTONIC: '1' });
const hourOf = (id) => Math.floor(Number(id.split('-')[0]) / 3_600_000);
const ours = (events) => events.filter((event) => numberOf(event) !== undefined);
const words = JSON.stringify;

// --- a log of several hours ------------------------------------------------------------------------------------------

const ledger = new Ledger();
const olds = tempDirectory('damage-older'); // hour files as they were earlier
let pristine; // a data directory: hours that are over, and one that a crash left open
let stored; // id -> event, of all that is in it
let hours; // of it, as numbers
let open; // the last of them
let sentBefore; // the last number that is in it

const nameOf = (hour) => `events-${hour}.db`;
const logOf = (data) => path.join(data, 'log');

async function write(server, requests) {
  for (let i = 0; i < requests; ++i) {
    const { way, ok, status, answer } = await ledger.send(server);
    assert.ok(ok, `${way}: ${status} ${answer.text}`);
  }
}

before(async () => {
  // All of it within one hour of the clock, so that each part is in the hour it is meant for.
  await until(() => 3_600_000 - (Date.now() % 3_600_000) > 40_000, 'the next hour', 60_000, 500);
  const directory = tempDirectory('damage');
  pristine = path.join(directory, 'data');
  const keepOlder = () => fs.cpSync(logOf(pristine), olds, { recursive: true });
  for (const ago of [4, 3, 2, 1]) {
    const server = await Server.start({ directory, env: hoursAgo(ago) });
    await write(server, 20);
    await server.stop();
    if (ago === 2) keepOlder();
    await server.restart();
    await write(server, 20);
    await server.stop();
  }
  const server = await Server.start({ directory });
  await write(server, 20);
  await server.stop();
  fs.cpSync(logOf(pristine), path.join(olds, 'open'), { recursive: true });
  await server.restart();
  await write(server, 40);
  await assertStored(server, ledger, 'before any damage');
  stored = new Map(ours((await backfillAll(server)).events).map((event) => [event.id, event]));
  // How far an hour got is noted in another file a second later at most: of what came after that, a WAL that is cut short
  // leaves no trace.
  await sleep(2000);
  await server.kill9();
  sentBefore = ledger.sent;
  hours = [...new Set([...stored.keys()].map(hourOf))].sort((a, b) => a - b);
  assert.ok(hours.length >= 5, `several hours: ${hours}`);
  open = hours.at(-1);
  assert.ok(fs.existsSync(path.join(logOf(pristine), `${nameOf(open)}-wal`)), 'the crash left the open hour with its WAL');
  console.log(`${stored.size} events in ${hours.length} hours`);
});

// --- what the server makes of it -------------------------------------------------------------------------------------

const shownWithinMs = 5000;

/** What a resumed stream shows of what is after the first stored event, the gaps it declares, and what was said meanwhile. */
async function resume(server) {
  const stream = await Stream.open(server, '?types=telemetry,system', { lastEventId: [...stored.keys()][0] });
  const said = []; // ids
  let live = false;
  for (const deadline = Date.now() + shownWithinMs; !live && Date.now() < deadline;) {
    const { ok, answer } = await ledger.send(server, { way: 'publish' });
    if (!ok) break;
    said.push(answer.json().id);
    live = await until(() => stream.lastEventId === said.at(-1), 'what is new', 500).catch(() => false);
  }
  stream.close();
  return { said, live, events: ours(stream.events()), gaps: stream.system('gap').map(systemData) };
}

const covers = (gap, id) => (gap.from === null || compareIds(id, gap.from) > 0) && compareIds(id, gap.to) <= 0;

/** What a server on damaged files serves, held against what was stored. */
class Look {
  wrong = []; // what must never be, in words
  amiss = []; // what is missing without being told, what a stream does not get though it is there, what never ends
  missing = new Set(); // ids

  constructor(server) {
    this.server = server;
    this.all = [...stored.keys()];
  }

  /** Takes events that were served in one way of reading. Gives the ids missing of those `expected`. */
  #take(events, expected, how) {
    const served = new Set();
    let repeated = 0;
    for (const event of events) {
      const known = stored.get(event.id);
      const right = known ? words(event) === words(known) : numberOf(event) > sentBefore && !ledger.wrong(event);
      if (!right) this.wrong.push(`${how}: an event that was never there: ${words(event)}`);
      if (served.has(event.id)) ++repeated;
      served.add(event.id);
    }
    if (repeated > 0) this.amiss.push(`${how}: ${repeated} events more than once`);
    const missing = expected.filter((id) => !served.has(id));
    for (const id of missing) this.missing.add(id);
    return missing;
  }

  async #page(query, expected, how) {
    try {
      const { events, missing } = await backfillAll(this.server, query);
      const undeclared = this.#take(ours(events), expected, how).filter((id) => !missing.some((part) => covers(part, id)));
      if (undeclared.length > 0) this.amiss.push(`${how}: ${undeclared.length} events are missing, and no page says so`);
    } catch (error) {
      this.wrong.push(`${how}: ${error.message}`);
    }
  }

  /** Reads in every way: all of it, some topics, a resumed stream. */
  async everything(damagedHour) {
    await this.#page({}, this.all, 'backfill');
    for (let i = 0; i < 6; ++i) {
      const { topic } = stored.get(oneOf(this.all));
      await this.#page({ topic }, this.all.filter((id) => stored.get(id).topic === topic), topic);
    }
    const elsewhere = (ids) => ids.filter((id) => hourOf(id) !== damagedHour).length;
    if (elsewhere([...this.missing]) > 0) this.wrong.push(`${elsewhere([...this.missing])} events of other hours are missing`);

    const { said, live, events, gaps } = await resume(this.server);
    const unseen = this.#take(events, this.all.slice(1), 'stream');
    if (elsewhere(unseen) > 0) this.amiss.push(`a resumed stream misses ${elsewhere(unseen)} events of other hours`);
    if (said.length === 0) this.wrong.push('nothing is taken any more');

    const undeclared = unseen.filter((id) => !gaps.some((gap) => covers(gap, id))).length;
    if (undeclared > 0) this.amiss.push(`a resumed stream misses ${undeclared} events and declares no gap there`);
    if (!live) this.amiss.push(`a resumed stream shows nothing new within ${shownWithinMs} ms; its gaps: ${words(gaps)}`);
    if (said.length > 0) await this.#readBack(said);
    this.told = await this.#isTold();
    if (this.missing.size > 0 && !this.told) this.amiss.push(`${this.missing.size} events are missing, and neither the log nor a metric says so`);
    return this;
  }

  async #readBack(said) {
    let ids;
    try {
      const page = await get(this.server, '/api/events/backfill?types=system&order=desc&limit=500');
      ids = new Set(page.json().events.map(({ id }) => id));
    } catch (error) {
      this.amiss.push(`after the resumed stream: ${error.message}`);
      return;
    }
    const gone = said.filter((id) => !ids.has(id)).length;
    if (gone > 0) this.amiss.push(`${gone} of ${said.length} events acknowledged after the damage cannot be read`);
  }

  async #isTold() {
    const rows = await metric(this.server, 'millstream_log_damaged_rows_total');
    const files = await metric(this.server, 'millstream_log_damaged_files_total');
    return rows + files > 0 && /level=(error|warning) msg="[^"]*DAMAGED/.test(this.server.child.output);
  }

  get summary() {
    return `${this.missing.size} events missing, ${this.told ? 'told' : 'nothing told'}`;
  }
}

/** Two tests of what was found. todo: why what should hold does not yet. */
async function judge(t, { wrong, amiss }, { wrongTodo = false, amissTodo = false } = {}) {
  await t.test('nothing wrong is served, and the other hours stay whole', { todo: wrongTodo }, () => assert.deepEqual(wrong, []));
  await t.test('what is missing is told, and streams get what is there', { todo: amissTodo }, () => assert.deepEqual(amiss, []));
}

/** Damages a copy, starts a server on it and looks. `damage` gives {hour, where}. */
async function trial(damage) {
  const directory = tempDirectory('damage-trial');
  fs.cpSync(pristine, path.join(directory, 'data'), { recursive: true });
  const { hour, where } = damage(logOf(path.join(directory, 'data')));
  const server = await Server.start({ directory });
  const look = await new Look(server).everything(hour);
  const { code } = await server.child.stop(5000);
  if (code !== 0) look.amiss.push(`it does not stop on SIGTERM (${code})`);
  fs.rmSync(directory, { recursive: true });
  return { where, look };
}

// --- damage ----------------------------------------------------------------------------------------------------------

/** Flips one bit of one of the files. Gives where. */
function flipBit(log, names) {
  const file = path.join(log, oneOf(names));
  const bytes = fs.statSync(file).size;
  const at = between(0, bytes - 1);
  const bit = between(0, 7);
  const descriptor = fs.openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  fs.readSync(descriptor, byte, 0, 1, at);
  byte[0] ^= 1 << bit;
  fs.writeSync(descriptor, byte, 0, 1, at);
  fs.closeSync(descriptor);
  return { hour: Number(/events-(\d+)/.exec(file)[1]), where: `${path.basename(file)} byte ${at} of ${bytes}, bit ${bit}` };
}
const pathOf = (log, hour, suffix = '') => path.join(log, nameOf(hour) + suffix);
function cutShort(file) {
  fs.truncateSync(file, between(0, fs.statSync(file).size - 1));
}
const closed = () => hours[2]; // of which an older copy was kept
const last = () => open;

const unchecked = 'the pages of a closed hour are walked in the background, a while after the start';

const damages = [
  { what: 'a closed hour cut short', which: closed, damage: (log, hour) => cutShort(pathOf(log, hour)) },
  {
    what: 'a closed hour emptied', which: closed, damage: (log, hour) => fs.truncateSync(pathOf(log, hour), 0),
  },
  { what: 'a closed hour full of zeros', which: closed, damage: (log, hour) => fs.writeFileSync(pathOf(log, hour), Buffer.alloc(65536)) },
  {
    what: 'an older copy of a closed hour', which: closed, damage: (log, hour) => fs.copyFileSync(pathOf(olds, hour), pathOf(log, hour)),
  },
  {
    what: 'another hour under the name of a closed one', which: closed,
    damage: (log, hour) => fs.copyFileSync(pathOf(log, hours[0]), pathOf(log, hour)),
  },
  { what: 'the open hour cut short', which: last, damage: (log, hour) => cutShort(pathOf(log, hour)) },
  {
    what: 'an older copy of the open hour', which: last,
    damage: (log, hour) => fs.copyFileSync(pathOf(path.join(olds, 'open'), hour), pathOf(log, hour)),
  },
  { what: 'the WAL cut short', which: last, damage: (log, hour) => cutShort(pathOf(log, hour, '-wal')) },
  { what: 'the WAL removed', which: last, damage: (log, hour) => fs.rmSync(pathOf(log, hour, '-wal')) },
  { what: 'the shared memory removed', which: last, damage: (log, hour) => fs.rmSync(pathOf(log, hour, '-shm')) },
  {
    what: 'WAL and shared memory removed', which: last,
    damage: (log, hour) => ['-wal', '-shm'].forEach((suffix) => fs.rmSync(pathOf(log, hour, suffix))),
  },
];

for (const { what, which, damage, ...todo } of damages) {
  test(what, async (t) => {
    const { look } = await trial((log) => {
      damage(log, which());
      return { hour: which(), where: what };
    });
    console.log(`${what}: ${look.summary}`);
    await judge(t, look, todo);
  });
}

/** Adds what one look found to what others did. */
function gather(all, where, { wrong, amiss }) {
  if (wrong.length > 0) all.wrong.push(`${where}: ${wrong.join('; ').slice(0, 600)}`);
  if (amiss.length > 0) all.amiss.push(`${where}: ${amiss.join('; ').slice(0, 600)}`);
}

async function flipOneByOne(what, pattern) {
  const all = { wrong: [], amiss: [] };
  let told = 0;
  let untouched = 0;
  const named = (log) => fs.readdirSync(log).filter((name) => pattern.test(name) && fs.statSync(path.join(log, name)).size > 0);
  for (let i = 0; i < flips; ++i) {
    const { where, look } = await trial((log) => flipBit(log, named(log)));
    if (look.told) ++told;
    else if (look.missing.size === 0) ++untouched;
    gather(all, where, look);
  }
  console.log(`${flips} bits of ${what}, one a start: ${all.wrong.length} times something wrong, ${told} times damage told, ` +
    `${untouched} times no event touched, ${all.amiss.length} times not told, or not right`);
  return all;
}

test(`${flips} flipped bits of hour files`, async (t) => judge(t, await flipOneByOne('hour files', /^events-\d+\.db$/), { amissTodo: unchecked }));
test(`${flips} flipped bits of the WAL`, async (t) => judge(t, await flipOneByOne('the WAL', /^events-\d+\.db-wal$/), {}));

test(`20 flipped bits at once, ${flipsRunning} times while the server runs`, async (t) => {
  const all = { wrong: [], amiss: [] };
  for (let run = 1; run <= flipsRunning; ++run) {
    const directory = tempDirectory('damage-running');
    const log = logOf(path.join(directory, 'data'));
    fs.cpSync(pristine, path.join(directory, 'data'), { recursive: true });
    const server = await Server.start({ directory });
    const { wrong, amiss } = await new Look(server).everything();
    assert.deepEqual({ wrong, amiss }, { wrong: [], amiss: [] }, 'before the damage');
    const name = nameOf(oneOf([hours[0], hours[1], open]));
    const places = Array.from({ length: 20 }, () => flipBit(log, [name]));
    const look = await new Look(server).everything(places[0].hour);
    console.log(`run ${run}, 20 bits of ${name}: ${look.summary}`);
    gather(all, places.map(({ where }) => where).join(', '), look);
    await server.kill9();
  }
  await judge(t, all, { amissTodo: 'for up to a second the open hour is written on after damage was found in it' });
});
