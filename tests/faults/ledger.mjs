// What the fault tests send, what was acknowledged, and whether what is read back is that and nothing else.
//
// Every point carries a number, and all else in it follows from the number: so nothing has to be remembered to say of an
// event that it is wrong. Writers use all the ways in: JSON, line protocol of three versions, gzip, published events.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { account, backfillAll, get, post, sleep } from '../e2e/harness.mjs';

// --- chance, repeatable ----------------------------------------------------------------------------------------------

export const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
let state = (seed * 2654435761) >>> 0 || 1;
/** 0 to 1, 1 not included (xorshift32). */
export function random() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
}
/** A whole number from `low` up to and with `high`. */
export const between = (low, high) => low + Math.floor(random() * (high - low + 1));
export const oneOf = (list) => list[between(0, list.length - 1)];

/** A whole number from the environment; `repeatWith` says how to get the same run again. */
export function count(name, otherwise) {
  const value = Number(process.env[name] ?? otherwise);
  assert.ok(Number.isInteger(value) && value > 0, `${name} must be a whole number above 0`);
  return value;
}
export function repeatWith(settings = {}) {
  const words = Object.entries({ SEED: seed, ...settings }).map(([name, value]) => `${name}=${value}`);
  console.log(`repeat with: ${words.join(' ')}`);
}

// --- points ----------------------------------------------------------------------------------------------------------

// More than the points of one request: points of one device at one time are one (the last write wins).
const devices = 256;
const deviceOf = (n) => `d${n % devices}`;

function contentOf(n, noteBytes) {
  return { n, v: ((n * 37) % 1000) / 8, note: `${n} `.repeat(Math.ceil(noteBytes / `${n} `.length)).slice(0, noteBytes) };
}
const pointOf = (n, noteBytes) => ({ deviceId: deviceOf(n), siteId: 'plant', fields: contentOf(n, noteBytes) });

function lineOf(n, noteBytes) {
  const { v, note } = contentOf(n, noteBytes);
  return `telemetry,device=${deviceOf(n)},site=plant n=${n},v=${v},note="${note}"`;
}
const lines = (numbers, noteBytes) => numbers.map((n) => lineOf(n, noteBytes)).join('\n');

function noticeOf(n, noteBytes) {
  return {
    topic: `account:${account}/site:plant/device:${deviceOf(n)}`,
    type: 'system',
    data: { kind: 'maintenance', ...contentOf(n, noteBytes) },
  };
}

const json = { 'Content-Type': 'application/json' };
const ways = {
  json: { most: 1, path: '/api/ingest', headers: json, ok: 200, encode: ([n], note) => JSON.stringify(pointOf(n, note)) },
  batch: {
    most: 40, path: '/api/ingest', headers: json, ok: 200,
    encode: (numbers, note) => JSON.stringify(numbers.map((n) => pointOf(n, note))),
  },
  v1: { most: 40, path: '/write?db=plant', headers: {}, ok: 204, encode: lines },
  v2: {
    most: 40, path: '/api/v2/write?bucket=plant&org=plant', headers: { 'Content-Encoding': 'gzip' }, ok: 204,
    encode: (numbers, note) => gzipSync(lines(numbers, note)),
  },
  v3: { most: 40, path: '/api/v3/write_lp?db=plant', headers: {}, ok: 204, encode: lines },
  publish: { most: 1, path: '/api/events', headers: json, ok: 202, encode: ([n], note) => JSON.stringify(noticeOf(n, note)) },
};

/** The number of an event that a writer sent; undefined: the server said it of itself. */
export function numberOf(event) {
  if (event.type === 'telemetry') return event.data.fields.n;
  return event.type === 'system' && event.data.kind === 'maintenance' ? event.data.n : undefined;
}

// --- the ledger ------------------------------------------------------------------------------------------------------

export class Ledger {
  /** noteBytes: how long the text in each point is. */
  constructor({ noteBytes = 24 } = {}) {
    this.noteBytes = noteBytes;
    this.sent = 0; // the numbers 1 to this were sent
    this.acked = new Set();
    this.refused = new Set();
    this.writing = [];
  }

  /** Sends some points in one of the ways (`way`: which). Gives {way, numbers, status, answer, sentAt, answeredAt}. */
  async send(server, { way: name = oneOf(Object.keys(ways)), agent, timeoutMs = 5000 } = {}) {
    const way = ways[name];
    const numbers = Array.from({ length: between(1, way.most) }, () => ++this.sent);
    const sentAt = performance.now();
    const answer = await post(server, way.path, way.encode(numbers, this.noteBytes), { agent, timeoutMs, headers: way.headers });
    if (answer.status === way.ok) {
      if (way.ok === 200) assert.deepEqual(answer.json(), { accepted: numbers.length, rejected: [] });
      numbers.forEach((n) => this.acked.add(n));
    } else {
      numbers.forEach((n) => this.refused.add(n));
    }
    return { way: name, numbers, status: answer.status, ok: answer.status === way.ok, answer, sentAt, answeredAt: performance.now() };
  }

  /** `writers` send at the same time, each on a connection of its own, until stop(). Refusals must be one of `refusals`. */
  start(server, { writers = 6, refusals = [503], onAnswer = () => {}, pauseMs = 0 } = {}) {
    this.running = true;
    const write = async () => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      while (this.running) {
        let sent;
        try {
          sent = await this.send(server, { agent });
        } catch (error) {
          if (error.code === 'ERR_ASSERTION') throw error;
          await sleep(20); // the server is gone for the moment
          continue;
        }
        assert.ok(sent.ok || refusals.includes(sent.status), `${sent.way}: ${sent.status} ${sent.answer.text}`);
        onAnswer(sent);
        if (!sent.ok || pauseMs) await sleep(Math.max(pauseMs, sent.ok ? 0 : 20));
      }
      agent.destroy();
    };
    this.writing = Array.from({ length: writers }, write);
    this.failed = Promise.all(this.writing).then(() => undefined);
    this.failed.catch(() => {}); // whoever awaits stop() or sleepUnlessFailed() is told
  }
  async stop() {
    this.running = false;
    await this.failed;
  }
  sleepUnlessFailed(ms) {
    return Promise.race([sleep(ms), this.failed]);
  }

  /** What is wrong with an event that is served, in words; undefined: it is what was sent. */
  wrong(event) {
    const n = numberOf(event);
    if (n === undefined) return undefined;
    if (!(Number.isInteger(n) && n >= 1 && n <= this.sent)) return `${event.id}: ${n} was never sent`;
    const expected = contentOf(n, this.noteBytes);
    const { kind, ...published } = event.data;
    const content = event.type === 'system' ? published : event.data.fields;
    try {
      assert.deepEqual(content, expected);
      assert.equal(event.topic, noticeOf(n, 0).topic);
      if (event.type === 'telemetry') assert.equal(event.data.deviceId, deviceOf(n));
      return undefined;
    } catch {
      return `${event.id}: ${JSON.stringify(event)} was not sent`;
    }
  }

}

/** Holds what is stored against what was sent and acknowledged. */
export class Audit {
  stored = new Map(); // number -> id
  doubled = []; // numbers
  wrong = []; // in words

  constructor(ledger) {
    this.ledger = ledger;
  }

  /** Events that were read; none may be given twice. Gives itself. */
  add(events) {
    for (const event of events) {
      const n = numberOf(event);
      if (n === undefined) continue;
      const fault = this.ledger.wrong(event);
      if (fault) {
        this.wrong.push(fault);
      } else if (this.stored.has(n)) {
        this.doubled.push(n);
      } else {
        this.stored.set(n, event.id);
      }
    }
    return this;
  }

  /** The numbers of `promised` that are not there. */
  lost(promised = this.ledger.acked) {
    return [...promised].filter((n) => !this.stored.has(n));
  }

  /** The numbers that a client was told are not stored, and will send again. */
  refusedYetStored() {
    return [...this.ledger.refused].filter((n) => this.stored.has(n));
  }

  /** Insists that nothing is missing, doubled or made up. */
  assertWhole(when, promised = this.ledger.acked) {
    const lost = this.lost(promised);
    const few = (list) => list.slice(0, 10);
    assert.equal(lost.length, 0, `${when}: acknowledged and lost: ${lost.length}, ${few(lost)}`);
    assert.equal(this.doubled.length, 0, `${when}: stored twice: ${few(this.doubled)}`);
    assert.equal(this.wrong.length, 0, `${when}: served and never sent like that: ${few(this.wrong).join('\n')}`);
  }
}

/** Reads everything that is stored, and insists that it is what was acknowledged. Gives the audit. */
export async function assertStored(server, ledger, when) {
  const audit = new Audit(ledger).add((await backfillAll(server, { types: 'telemetry,system' })).events);
  audit.assertWhole(when);
  return audit;
}

// --- looking at a server from outside --------------------------------------------------------------------------------

/** One number of /metrics; undefined: there is none of that name. */
export async function metric(server, name) {
  const { text } = await get(server, '/metrics');
  const line = text.split('\n').find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
}

/** What SQLite says of every database under a directory, looking at a copy: the files are as a crash left them. */
export function quickCheck(directory) {
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'millstream-check-'));
  try {
    fs.cpSync(directory, copy, { recursive: true });
    const program = `
import glob, sqlite3, sys
for path in sorted(glob.glob(sys.argv[1] + '/**/*.db', recursive=True)):
    try:
        verdict = sqlite3.connect(path).execute('PRAGMA quick_check').fetchall()
    except sqlite3.Error as error:
        verdict = [(str(error),)]
    print(path[len(sys.argv[1]) + 1:], '; '.join(row[0] for row in verdict), sep='\\t')
`;
    const lines = execFileSync('python3', ['-c', program, copy], { encoding: 'utf8' }).trim().split('\n');
    return lines.map((line) => line.split('\t')).map(([file, verdict]) => ({ file, verdict }));
  } finally {
    fs.rmSync(copy, { recursive: true, force: true });
  }
}

export function assertSound(directory, when) {
  const checked = quickCheck(directory);
  assert.ok(checked.length > 0, `${when}: no database in ${directory}`);
  assert.deepEqual(checked.filter(({ verdict }) => verdict !== 'ok'), [], `${when}: SQLite finds damage`);
  return checked.length;
}

// --- what not every machine allows -----------------------------------------------------------------------------------

const exitSkipped = 77; // ctest's SKIP_RETURN_CODE of these tests

/** Ends the test program as skipped, which is not passed, and says why. */
export function skip(why) {
  console.log(`SKIPPED: ${why}`);
  process.exit(exitSkipped);
}

/** Skips unless the command works. */
export function needs(command, args, why) {
  try {
    execFileSync(command, args, { stdio: 'pipe' });
  } catch (error) {
    skip(`${why} (${command}: ${(error.stderr?.toString() || error.message).trim().split('\n')[0]})`);
  }
}
