// A backup is made while points come in as fast as they can, put into another directory and served there. What it is not
// made of, where it is not put, and what check-data finds.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test, { before } from 'node:test';
import { Server, Stream, binary, backfillAll, compareIds, get, ingest, post, quickRetry, run, sleep, tempDirectory, until } from './harness.mjs';

const scratch = tempDirectory('backup');
const dataOf = (server) => path.join(server.directory, 'data');
const at = (name) => path.join(scratch, name);
const backup = (data, file, ...more) => run(['backup', file, '--data-dir', data, ...more], { timeoutMs: 60_000 });
const restore = (file, data, ...more) => run(['restore', file, '--data-dir', data, ...more], { timeoutMs: 60_000 });
async function checkData(data) {
  const { code, output, stdout } = await run(['check-data', '--data-dir', data, '--json'], { timeoutMs: 60_000 });
  assert.ok(code === 0 || code === 1, output);
  const found = JSON.parse(stdout);
  assert.equal(found.sound, code === 0, output);
  return found;
}
const hourFiles = (data) => fs.readdirSync(path.join(data, 'log')).filter((name) => /^events-\d+\.db$/.test(name));

let server; // goes on through the tests
let events; // of it at its end, by number
const acked = new Map(); // number -> when
const beforeBackup = []; // per backup: {file, acked}

before(async () => {
  server = await Server.start({ arguments: quickRetry });
  await ingest(server, { deviceId: 'first', siteId: 'plant', fields: { n: 0 } });
  acked.set(0, Date.now());
});

test('backups made at full speed each begin with everything acknowledged before', async () => {
  let counter = 0;
  let running = true;
  async function write(writer) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (running) {
      const numbers = Array.from({ length: 100 }, () => ++counter);
      const points = numbers.map((n, i) => ({ deviceId: `w${writer}-${i}`, siteId: 'plant', fields: { n } }));
      const answer = await post(server, '/api/ingest', JSON.stringify(points), { agent });
      assert.equal(answer.status, 200, answer.text);
      numbers.forEach((n) => acked.set(n));
    }
    agent.destroy();
  }
  const writing = Promise.all([1, 2, 3, 4].map(write));
  writing.catch(() => {}); // reported by the await below
  try {
    await until(() => acked.size > 5000, 'points come in');
    for (let i = 0; i < 3; ++i) {
      const known = [...acked.keys()];
      const file = at(`running-${i}.tar.zst`);
      const made = await backup(dataOf(server), file);
      assert.equal(made.code, 0, made.output);
      assert.match(made.stdout, /^backed up \d+ files, .* to .*running-\d\.tar\.zst, .*; events to /);
      assert.equal(fs.statSync(file).mode & 0o777, 0o600);
      beforeBackup.push({ file, known });
      const found = await checkData(dataOf(server));
      assert.ok(found.sound, JSON.stringify(found));
      assert.ok(found.files.reduce((sum, f) => sum + (f.events ?? 0), 0) >= known.length);
    }
  } finally {
    running = false;
  }
  await writing;
  assert.ok(acked.size > beforeBackup.at(-1).known.length, 'it went on meanwhile');
  assert.deepEqual(fs.readdirSync(scratch).filter((name) => name.startsWith('.')), [], 'nothing is left lying about');
  events = new Map((await backfillAll(server, { types: 'telemetry' })).events.map((event) => [event.data.fields.n, event]));
  assert.equal(events.size, acked.size);
});

test('a restored backup serves the same events with the same ids, and says what is missing', async () => {
  for (const [i, { file, known }] of beforeBackup.entries()) {
    const directory = at(`restored-${i}`);
    const restored = await restore(file, path.join(directory, 'data'));
    assert.equal(restored.code, 0, restored.output);
    const found = await checkData(path.join(directory, 'data'));
    assert.ok(found.sound, JSON.stringify(found));
    const copy = await Server.start({ directory, arguments: quickRetry });
    const { events: kept } = await backfillAll(copy, { types: 'telemetry' });
    const numbers = new Set(kept.map((event) => event.data.fields.n));
    assert.equal(numbers.size, kept.length, 'nothing is there twice');
    assert.deepEqual(known.filter((n) => !numbers.has(n)), [], 'acknowledged before the backup and lost');
    for (const event of kept) assert.deepEqual(event, events.get(event.data.fields.n));
    const newest = kept.at(-1).id;
    const lost = [...events.values()].filter((event) => !numbers.has(event.data.fields.n));
    for (const event of lost) assert.ok(compareIds(event.id, newest) > 0, 'what is kept has no hole');

    // Reading on after an old id goes on as before. The stream says that something is missing: what the first server was
    // told after the backup.
    const from = kept.at(-11).id;
    const page = await backfillAll(copy, { types: 'telemetry', since: from });
    assert.deepEqual(page.events, kept.slice(-10));
    const stream = await Stream.open(copy, '?types=telemetry,system', { lastEventId: from });
    const gap = await stream.waitFor((m) => m.event === 'system' && m.data.data.kind === 'gap', 'the gap');
    assert.equal(gap.data.data.from, from);
    const told = (await get(copy, gap.data.data.backfill)).json().events.filter((event) => event.type === 'telemetry');
    assert.deepEqual(told.map((event) => event.id), kept.slice(-10).map((event) => event.id), 'the gap says where to read on');
    await ingest(copy, { deviceId: 'after', siteId: 'plant', fields: { n: -1 } });
    await stream.waitFor((m) => m.event === 'telemetry' && m.data.data.fields.n === -1, 'the new point');
    assert.equal(stream.system('gap').length, 1);
    const joined = await Stream.open(copy, '?types=telemetry,system', { lastEventId: stream.lastEventId });
    await ingest(copy, { deviceId: 'after', siteId: 'plant', fields: { n: -2 } });
    await joined.waitFor((m) => m.event === 'telemetry' && m.data.data.fields.n === -2, 'the next point');
    assert.equal(joined.system('gap').length, 0, 'whoever came after the restore misses nothing');
    joined.close();
    stream.close();
    await copy.stop();
  }
});

test('tar reads it, the manifest comes first and is true, and nothing in it lets anyone in', async () => {
  const file = beforeBackup[0].file;
  const names = execFileSync('tar', ['--zstd', '-tf', file], { encoding: 'utf8' }).trim().split('\n');
  assert.equal(names[0], 'manifest.json');
  assert.deepEqual(names.filter((name) => /ticket|lock|shm|wal/.test(name)), []);
  assert.equal(names[1], 'log/checkpoints.db', 'no checkpoint lies ahead of the log');
  const target = at('by-tar');
  fs.mkdirSync(target);
  execFileSync('tar', ['--zstd', '-xf', file, '-C', target]);
  const manifest = JSON.parse(fs.readFileSync(path.join(target, 'manifest.json'), 'utf8'));
  assert.deepEqual(manifest.files.map((f) => f.name), names.slice(1));
  for (const { name, bytes, sha256 } of manifest.files) {
    const content = fs.readFileSync(path.join(target, name));
    assert.equal(content.length, bytes);
    assert.equal(createHash('sha256').update(content).digest('hex'), sha256);
  }
  assert.ok(events.size > 0 && [...events.values()].some((event) => event.id === manifest.lastId), manifest.lastId);
});

test('keys come back with a backup; sessions and tickets do not', async () => {
  const data = at('with-keys');
  const made = await run(['key', 'create', '--data-dir', data, '--account', 'a', '--name', 'k', '--role', 'viewer']);
  assert.equal(made.code, 0, made.output);
  const without = await backup(data, at('keys.tar.zst'));
  assert.equal(without.code, 2);
  assert.match(without.output, /is no data directory: it has no log in it/);
  const first = await Server.start({ development: false, directory: at('keyed'), arguments: [`--server.data_directory=${data}`] });
  assert.equal((await post(first, '/api/stream-token', '{}', { headers: { Authorization: `Bearer ${made.stdout.trim()}` } })).status, 200);
  assert.equal((await backup(data, at('keys.tar.zst'))).code, 0);
  await first.stop();
  const again = at('with-keys-again');
  assert.equal((await restore(at('keys.tar.zst'), again)).code, 0);
  assert.ok(!fs.existsSync(path.join(again, 'tickets.db')));
  const listed = await run(['key', 'list', '--data-dir', again]);
  assert.match(listed.output, / k /);
});

test('nothing is written over, and nothing is put where a server is or where something is', async () => {
  const file = beforeBackup[0].file;
  const bytes = fs.readFileSync(file);
  const twice = await backup(dataOf(server), file);
  assert.equal(twice.code, 2);
  assert.match(twice.output, /is there already; --force writes over it/);
  assert.deepEqual(fs.readFileSync(file), bytes);
  assert.equal((await backup(dataOf(server), at('running-1.tar.zst'), '--force')).code, 0);
  assert.equal((await backup(dataOf(server), '/dev/null', '--force')).code, 2);
  assert.equal((await backup(at('nowhere'), at('x'))).code, 2);

  const onto = await restore(file, dataOf(server));
  assert.equal(onto.code, 2);
  assert.match(onto.output, /is not empty/);
  const running = await restore(file, dataOf(server), '--force');
  assert.equal(running.code, 2);
  assert.match(running.output, /another millstream process is using this data directory/);
  assert.equal((await get(server, '/ready')).status, 200);

  const target = at('restored-0/data');
  const aside = await restore(file, target, '--force');
  assert.equal(aside.code, 0, aside.output);
  const moved = /what was there is now in (.*)/.exec(aside.stdout)[1];
  assert.deepEqual(hourFiles(moved), hourFiles(target));
  assert.ok((await checkData(target)).sound);
});

test('a damaged backup leaves a directory as it was', async () => {
  const whole = fs.readFileSync(beforeBackup[0].file);
  const cases = [whole.subarray(0, whole.length / 2), Buffer.from(whole), Buffer.from('no archive at all'), Buffer.alloc(0)];
  cases[1][whole.length >> 1] ^= 0x10;
  const target = at('restored-1/data');
  const before = fs.readdirSync(target).sort();
  for (const content of cases) {
    fs.writeFileSync(at('damaged.tar.zst'), content);
    const refused = await restore(at('damaged.tar.zst'), target, '--force');
    assert.equal(refused.code, 2, refused.output);
    assert.match(refused.output, /not a sound backup/);
    assert.deepEqual(fs.readdirSync(target).sort(), before);
  }
  assert.ok((await checkData(target)).sound);
});

test('a backup goes through a pipe', async () => {
  const script = '"$0" backup - --data-dir "$1" | "$0" restore - --data-dir "$2"';
  const output = execFileSync('bash', ['--norc', '-o', 'pipefail', '-c', script, binary, dataOf(server), at('piped')], { encoding: 'utf8', env: { PATH: process.env.PATH } });
  assert.match(output, /^restored /);
  assert.ok((await checkData(at('piped'))).sound);
});

test('a server that was killed can be backed up as it lies there', async () => {
  const published = await post(server, '/api/events', JSON.stringify({ topic: 'account:demo/site:plant', type: 'system',
    data: { kind: 'maintenance', message: 'a message to be found again' } }));
  assert.ok(published.status >= 200 && published.status < 300, published.text);
  await server.kill9();
  const log = path.join(dataOf(server), 'log');
  assert.ok(fs.readdirSync(log).some((name) => name.endsWith('.db-wal') && fs.statSync(path.join(log, name)).size > 0));
  assert.equal((await backup(dataOf(server), at('killed.tar.zst'))).code, 0);
  assert.equal((await restore(at('killed.tar.zst'), at('killed'))).code, 0);
  const found = await checkData(at('killed'));
  assert.ok(found.sound, JSON.stringify(found));
  assert.ok(found.files.reduce((sum, f) => sum + (f.events ?? 0), 0) >= acked.size);
  await server.restart();
  await server.stop();
});

test('retention may remove hours while they are copied', async () => {
  const data = at('retention');
  fs.cpSync(at('killed'), data, { recursive: true });
  const log = path.join(data, 'log');
  const [newest] = hourFiles(data).slice(-1);
  const hour = Number(/\d+/.exec(newest)[0]);
  const old = Array.from({ length: 150 }, (_, i) => `events-${hour - 200 + i}.db`);
  for (const name of old) fs.copyFileSync(path.join(log, newest), path.join(log, name));
  const making = backup(data, at('raced.tar.zst'));
  await until(() => fs.readdirSync(scratch).some((name) => name.startsWith('.raced')), 'it has begun', 10_000, 1);
  for (const name of old) {
    for (const end of ['-wal', '-shm', '']) fs.rmSync(path.join(log, name + end), { force: true });
    await sleep(1);
  }
  const made = await making;
  assert.equal(made.code, 0, made.output);
  assert.equal((await restore(at('raced.tar.zst'), at('raced'))).code, 0);
  assert.ok(hourFiles(at('raced')).includes(newest));
});

test('check-data finds a flipped bit in a row and in a block, and a file that was cut off, and names the place', async () => {
  const damaged = async (name, change) => {
    const data = at(name);
    fs.cpSync(at('killed'), data, { recursive: true });
    const file = path.join(data, 'log', hourFiles(data).at(-1));
    const bytes = fs.readFileSync(file);
    fs.writeFileSync(file, change(bytes));
    const found = await checkData(data);
    assert.equal(found.sound, false, name);
    const bad = found.files.filter((f) => !f.sound);
    assert.deepEqual(bad.map((f) => f.file), [`log/${path.basename(file)}`]);
    const plain = await run(['check-data', '--data-dir', data], { timeoutMs: 60_000 });
    assert.equal(plain.code, 1);
    assert.match(plain.stdout, /^DAMAGED +log\/events-\d+\.db +\d+ events, /m);
    return bad[0].damages;
  };
  const flip = (bytes, where) => {
    assert.ok(where > 0);
    bytes[where] ^= 1;
    return bytes;
  };
  const row = await damaged('row', (bytes) => flip(bytes, bytes.indexOf('a message to be found again')));
  assert.match(row[0].place, /^row \d+-\d+$/);
  assert.equal(row[0].events, 1);
  const topic = await damaged('topic', (bytes) => flip(bytes, bytes.indexOf('account:demo/site:plant/device:first') + 30));
  assert.ok(topic.some((damage) => /^topic \d+$/.test(damage.place)), JSON.stringify(topic));
  const cut = await damaged('cut', (bytes) => bytes.subarray(0, bytes.length >> 1));
  assert.equal(cut[0].place, 'pages');
  const nowhere = await run(['check-data', '--data-dir', at('nowhere')]);
  assert.equal(nowhere.code, 2);
});
