// Telemetry on its way to InfluxDB: every point arrives once, whatever happens to InfluxDB or to us on the way.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Server, backfillAll, get, ingest, sleep, tempDirectory, until } from './harness.mjs';
import { InfluxStub, Influxd } from './influxdb.mjs';

const settings = (url, more = '') => `[influx]\nurl = "${url}"\ntimeout = "2s"\n${more}`;
const influxOf = async (server) => (await get(server, '/api/stats')).json().influx;
const readyOf = async (server) => (await get(server, '/ready')).json().influx;
const metric = async (server, name) => Number(new RegExp(`^millstream_influx_${name} (-?\\d+)$`, 'm').exec((await get(server, '/metrics')).text)[1]);

/** Ingests points n = from.. of a few devices, with times of their own, until `going` says no. Gives how many. */
class Load {
  n = 0;
  start = Date.now() - 60_000;
  async send(server, count) {
    const points = [];
    for (let i = 0; i < count; ++i) {
      points.push({ deviceId: `d${this.n % 7}`, siteId: 'north', ts: this.start + this.n, fields: { n: this.n } });
      ++this.n;
    }
    await ingest(server, points);
  }
  async during(server, ms) {
    for (const end = Date.now() + ms; Date.now() < end;) {
      await this.send(server, 50);
      await sleep(50);
    }
  }
}
const arrived = (influxd, count, what) => until(async () => {
  const there = await influxd.count();
  assert.ok(there <= count, `${there} points of ${count}`);
  return there === count;
}, `${what}: all ${count} points are in InfluxDB`, 40_000, 250);

test('every point is in InfluxDB once, with its type, in a policy of ours', async () => {
  const influxd = await Influxd.start();
  const server = await Server.start({ config: settings(influxd.url) });
  const ts = Date.now() - 5_000;
  await ingest(server, [
    { deviceId: 'oven', siteId: 'north', ts, fields: { n: 1, T1: 21.5, door: true, mode: 'say "hi", \\ bye\nnow', 'cpu usage,=x': 7 } },
    { deviceId: 'oven', siteId: 'north', ts: ts + 1, fields: { n: 2 } },
  ]);
  await arrived(influxd, 2, 'two points');
  const [series] = await influxd.query(`SELECT * FROM millstream.telemetry ORDER BY time LIMIT 1`);
  const row = Object.fromEntries(series.columns.map((name, i) => [name, series.values[0][i]]));
  assert.deepEqual(row, {
    time: ts, account: 'demo', site: 'north', device: 'oven', n: 1, T1: 21.5, door: true, mode: 'say "hi", \\ bye\nnow',
    'cpu usage,=x': 7,
  });
  const [keys] = await influxd.query('SHOW FIELD KEYS FROM millstream.telemetry');
  assert.deepEqual(Object.fromEntries(keys.values), { n: 'float', T1: 'float', door: 'boolean', mode: 'string', 'cpu usage,=x': 'float' });
  const [policies] = await influxd.query('SHOW RETENTION POLICIES');
  assert.deepEqual(policies.values, [['millstream', '24h0m0s', '1h0m0s', 1, true]]);
  assert.equal(await readyOf(server), 'ok');
  assert.equal((await influxOf(server)).written, 2);
  await server.stop();
});

test('an outage is spooled and drained, also when the server is killed meanwhile', async () => {
  const influxd = await Influxd.start();
  const server = await Server.start({ config: settings(influxd.url) });
  const load = new Load();
  await load.during(server, 1_000);
  await arrived(influxd, load.n, 'before');
  await influxd.stop();
  await load.during(server, 4_000);
  await until(async () => (await influxOf(server)).spooledBytes > 0, 'the spool grows');
  assert.equal(await readyOf(server), 'degraded');
  assert.equal((await get(server, '/ready')).status, 200);
  await server.kill9();
  await server.restart();
  await load.during(server, 4_000);
  assert.ok(await metric(server, 'spool_batches') >= 2);
  await influxd.launch();
  await load.during(server, 1_000);
  await arrived(influxd, load.n, 'after');
  await until(async () => (await influxOf(server)).spooledBytes === 0, 'the spool is empty');
  const stats = await influxOf(server);
  assert.deepEqual([stats.state, stats.dropped, stats.poisoned, stats.missing], ['ok', 0, 0, []]);
  assert.equal((await backfillAll(server, { topic: 'account:demo', types: 'telemetry' })).events.length, load.n);
  await server.kill9();
  await server.restart();
  await sleep(2_000);
  assert.equal(await influxd.count(), load.n);
});

test('a line that InfluxDB refuses is set aside, and the others are stored', async () => {
  const influxd = await Influxd.start();
  const server = await Server.start({ config: settings(influxd.url) });
  const load = new Load();
  await load.send(server, 10);
  await arrived(influxd, 10, 'before');
  await ingest(server, { deviceId: 'odd', siteId: 'north', fields: { n: 'not a number' } });
  await load.send(server, 500);
  await arrived(influxd, 510, 'the others');
  await until(async () => (await influxOf(server)).poisoned === 1, 'one line is set aside');
  const letters = fs.readFileSync(path.join(server.directory, 'data/influx-dead-letters.lp'), 'utf8').split('\n');
  assert.match(letters[0], /^# \S+Z partial write: field type conflict: input field "n" .* dropped=1$/);
  assert.match(letters[1], /^telemetry,account=demo,device=odd,site=north n="not a number" \d+$/);
  assert.equal(await readyOf(server), 'ok');
});

test('a full spool gives up the oldest, and says what', async () => {
  const influxd = await Influxd.start();
  const server = await Server.start({ config: settings(influxd.url, 'spool_bytes_max = "64KiB"\n') });
  await influxd.stop();
  const load = new Load();
  await until(async () => {
    await load.send(server, 500);
    return (await influxOf(server)).dropped > 0;
  }, 'something is given up', 30_000, 200);
  await sleep(1_500); // what is in hand comes into the spool
  const full = await influxOf(server);
  assert.ok(full.spooledBytes <= 65_536, `${full.spooledBytes}`);
  assert.equal(full.missing[0].why, 'size');
  assert.match(server.child.output, /telemetry was given up before InfluxDB could take it.*lines=\d+ after=\d+-\d+ to=\d+-\d+ why=size/);
  await influxd.launch();
  await until(async () => (await influxOf(server)).spooledBytes === 0, 'the spool is empty', 40_000);
  assert.equal(await influxd.count(), load.n - (await influxOf(server)).dropped);
});

test('version 2 in all its moods: later, broken, slow, not allowed', async () => {
  const directory = tempDirectory('influx');
  const token = path.join(directory, 'token');
  fs.writeFileSync(token, 'secret-token-of-influx\n', { mode: 0o600 });
  const moods = [
    { status: 500, body: '{"code":"internal error","message":"boom"}' }, { status: 503 },
    { status: 429, headers: { 'Retry-After': '2' } },
    () => ({ status: 503, headers: { 'Retry-After': new Date(Date.now() + 3_000).toUTCString() } }),
    'hang', 'half', { status: 401, body: '{"code":"unauthorized","message":"unauthorized access"}' },
  ];
  const stub = await InfluxStub.start((lines, n) => {
    const mood = moods[n] ?? 'take';
    return typeof mood === 'function' ? mood() : mood;
  });
  const server = await Server.start({
    config: settings(stub.url, `version = "2"\norganization = "an org"\nbucket = "b"\ntoken_file = "${token}"\n`),
  });
  const load = new Load();
  await load.send(server, 100);
  await until(() => stub.requests.length >= 7, 'the server is told 401', 60_000);
  await until(async () => (await influxOf(server)).state === 'refused', 'it says so');
  await load.send(server, 100);
  await until(() => stub.taken.size === 200, 'all points are there', 60_000);
  const [first] = stub.requests;
  assert.equal(first.target, '/api/v2/write?org=an+org&bucket=b&precision=ms');
  assert.equal(first.headers.authorization, 'Token secret-token-of-influx');
  const waited = (n) => stub.requests[n + 1].at - stub.requests[n].at;
  assert.ok(waited(2) >= 2_000, `Retry-After: 2, and it came after ${waited(2)} ms`);
  assert.ok(waited(3) >= 1_900, `Retry-After as a date, and it came after ${waited(3)} ms`);
  assert.ok(waited(6) >= 5_000, `401, and it came after ${waited(6)} ms`);
  await until(async () => (await influxOf(server)).state === 'ok', 'all is well');
  assert.ok((await influxOf(server)).retries >= 7);
  assert.equal((await influxOf(server)).dropped, 0);
  assert.match(server.child.output, /InfluxDB does not let us write.*unauthorized access/);
  assert.ok(!server.child.output.includes('secret-token'), 'the token is not logged');
});

test('a server with users takes what comes with user and password', async () => {
  const influxd = await Influxd.start({ auth: true });
  const server = await Server.start({
    config: settings(influxd.url, 'user = "admin"\n'), env: { MILLSTREAM_INFLUX_PASSWORD: 'adminpass' },
  });
  const load = new Load();
  await load.send(server, 10);
  await arrived(influxd, 10, 'with a password');
});
