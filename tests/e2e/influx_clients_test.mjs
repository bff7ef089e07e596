// The official InfluxDB clients for JavaScript (v1 and v2) write here as they are.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { gzipSync } from 'node:zlib';
import { InfluxDB, Point } from '@influxdata/influxdb-client';
import { InfluxDB as InfluxV1 } from 'influx';
import { Server, Stream, account, backfillAll, bearer, get, jwt, jwtSecret, post, request } from './harness.mjs';

let server;
before(async () => {
  server = await Server.start();
});

async function fieldsOf(device) {
  const { events } = await backfillAll(server, { topic: `account:${account}/site:*/device:${device}`, types: 'telemetry' });
  return events.map((event) => event.data.fields);
}

for (const gzipThreshold of [1_000_000, 1]) {
  const how = gzipThreshold === 1 ? 'gzip' : 'plain text';
  test(`influxdb-client (v2) writes points as ${how}`, async () => {
    const device = `v2-${gzipThreshold}`;
    const stream = await Stream.open(server, `?deviceId=${device}`);
    const client = new InfluxDB({ url: server.url, token: 'any-token-in-development' });
    const writer = client.getWriteApi('org', 'bucket', 'ms', { gzipThreshold, maxRetries: 0 });
    writer.useDefaultTags({ device, site: 'lab' });
    const now = Date.now();
    writer.writePoints([
      new Point('climate').floatField('temperature', 21.5).intField('humidity', 40).timestamp(now - 20),
      new Point('climate').booleanField('open', true).stringField('note', 'a "b" \\ c, d=e').timestamp(now - 10),
      new Point('telemetry').floatField('T1', 247).timestamp(now),
    ]);
    await writer.close();
    assert.deepEqual(await fieldsOf(device), [
      { 'climate.temperature': 21.5, 'climate.humidity': 40 },
      { 'climate.open': true, 'climate.note': 'a "b" \\ c, d=e' },
      { T1: 247 },
    ]);
    const last = await stream.waitFor((m) => m.event === 'telemetry' && m.data.data.fields.T1 === 247, 'the last point');
    assert.equal(last.data.ts, new Date(now).toISOString());
    assert.equal(last.data.topic, `account:${account}/site:lab/device:${device}`);
    stream.close();
  });
}

test('influxdb-client (v2) reports a bad line, and the good ones are there', async () => {
  const client = new InfluxDB({ url: server.url, token: 't' });
  const failures = [];
  const writer = client.getWriteApi('org', 'bucket', 'ms', { maxRetries: 0, writeFailed: (error) => void failures.push(error) });
  writer.writeRecords(['m,device=v2-bad n=1', 'm,device=v2-bad n=oops', 'm,device=v2-bad other=2']);
  await assert.rejects(writer.close(), (error) => {
    assert.equal(error.statusCode, 400);
    assert.equal(error.json.code, 'invalid');
    assert.match(error.json.message, /n=oops/);
    return true;
  });
  assert.equal(failures.length, 1);
  const names = (await fieldsOf('v2-bad')).flatMap((fields) => Object.keys(fields));
  assert.deepEqual(names.sort(), ['m.n', 'm.other']);
});

test('influxdb-client (v2) finds the server healthy', async () => {
  const answer = await get(server, '/health');
  assert.equal(answer.status, 200);
  assert.equal(answer.json().status, 'pass');
});

test('influx (v1) finds the server, creates its database and writes', async () => {
  const client = new InfluxV1({ host: '127.0.0.1', port: server.port, database: 'home', username: 'root', password: 'root' });
  const [host] = await client.ping(3000);
  assert.equal(host.online, true);
  assert.match(host.version, /^1\./);
  await client.createDatabase('home');
  assert.ok((await client.getDatabaseNames()).length >= 1);

  const now = new Date();
  await client.writePoints(
    [
      { measurement: 'boiler', tags: { host: 'v1-client' }, fields: { pressure: 1.25, on: true }, timestamp: now },
      { measurement: 'telemetry', tags: { host: 'v1-client' }, fields: { T1: 9 }, timestamp: new Date(now.getTime() + 1) },
    ],
    { precision: 'ms' },
  );
  assert.deepEqual(await fieldsOf('v1-client'), [{ 'boiler.pressure': 1.25, 'boiler.on': true }, { T1: 9 }]);
});

test('influx (v1) reports the server\'s own words about a bad line', async () => {
  const client = new InfluxV1({ host: '127.0.0.1', port: server.port, database: 'home' });
  await assert.rejects(
    client.writeMeasurement('boiler', [{ tags: { host: 'a/b' }, fields: { pressure: 1 } }]),
    (error) => {
      assert.equal(error.res?.statusCode ?? 400, 400);
      assert.match(error.message, /partial write|unable to parse|device/);
      return true;
    },
  );
});

test('points without a time of their own get the server\'s, in every precision', async () => {
  for (const [precision, unitMs] of [['n', 1e-6], ['u', 1e-3], ['ms', 1], ['s', 1000]]) {
    const device = `clock-${precision}`;
    const stamp = Math.floor(Date.now() / unitMs);
    const answer = await post(server, `/write?db=x&precision=${precision}`, `m,device=${device} own=1 ${stamp}\nm,device=${device} none=1`);
    assert.equal(answer.status, 204, answer.text);
    const { events } = await backfillAll(server, { topic: `account:${account}/site:*/device:${device}`, types: 'telemetry' });
    for (const event of events) {
      const off = Math.abs(new Date(event.ts) - Date.now());
      assert.ok(off < 5000, `${precision}: ${event.ts} is ${off} ms off`);
    }
  }
});

test('/write takes gzip, comments, CRLF and a missing last newline', async () => {
  const body = '# a comment\r\n\r\nm,device=kind a=1\r\nm,device=kind b=2i\nm,device=kind c=t';
  const answer = await post(server, '/write?db=x', gzipSync(body), { headers: { 'Content-Encoding': 'gzip' } });
  assert.equal(answer.status, 204, answer.text);
  assert.equal(answer.text, '');
  const merged = Object.assign({}, ...(await fieldsOf('kind')));
  assert.deepEqual(merged, { 'm.a': 1, 'm.b': 2, 'm.c': true });
});

// As Telegraf's influxdb output sends it: it creates its database, then writes gzip bodies of whole seconds in which
// the same measurement stands once per processor, disk and interface.
test('a round of Telegraf is kept whole, each processor and disk with its own tags', async () => {
  const second = Math.floor(Date.now() / 1000);
  const lines = [
    'cpu,cpu=cpu0,host=web-1 usage_user=1.5,usage_system=0.5,usage_idle=98',
    'cpu,cpu=cpu1,host=web-1 usage_user=40.25,usage_system=2,usage_idle=57.75',
    'cpu,cpu=cpu-total,host=web-1 usage_user=20.875,usage_system=1.25,usage_idle=77.875',
    'disk,device=vda1,fstype=ext4,host=web-1,mode=rw,path=/ total=52710469632i,used=8123453440i,used_percent=16.2',
    'mem,host=web-1 available=3221225472i,used_percent=22.5',
    'net,host=web-1,interface=eth0 bytes_recv=18446744073709551615u,err_in=0i',
    'system,host=web-1 load1=0.12,n_cpus=2i',
    'system,host=web-1 uptime_format="12 days,  3:04"',
  ].map((line) => `${line} ${second}000000000\n`);
  const create = await post(server, `/query?q=${encodeURIComponent('CREATE DATABASE "telegraf"')}`, '');
  assert.equal(create.status, 200);
  const written = await post(server, '/write?db=telegraf', gzipSync(lines.join('')), {
    headers: { 'Content-Encoding': 'gzip', 'Content-Type': 'text/plain; charset=utf-8', 'User-Agent': 'Telegraf/1.30' },
  });
  assert.equal(written.status, 204, written.text);

  const of = async (device) =>
    (await backfillAll(server, { topic: `account:${account}/site:*/device:${device}`, types: 'telemetry' })).events;
  const events = await of('web-1');
  const idle = Object.fromEntries(
    events.filter((e) => 'cpu.usage_idle' in e.data.fields).map((e) => [e.data.tags.cpu, e.data.fields['cpu.usage_idle']]),
  );
  assert.deepEqual(idle, { cpu0: 98, cpu1: 57.75, 'cpu-total': 77.875 });
  const untagged = events.find((e) => !e.data.tags);
  assert.deepEqual(untagged.data.fields, {
    'mem.available': 3221225472, 'mem.used_percent': 22.5, 'system.load1': 0.12, 'system.n_cpus': 2,
    'system.uptime_format': '12 days,  3:04',
  });
  assert.equal((await of('vda1'))[0].data.fields['disk.used_percent'], 16.2, 'the tag device names the device');
});

test('ping answers as clients expect', async () => {
  for (const method of ['GET', 'HEAD']) {
    const answer = await request(server.url, method, '/ping');
    assert.equal(answer.status, 204);
    assert.match(answer.headers['x-influxdb-version'], /^1\./);
  }
  const verbose = await get(server, '/ping?verbose=true');
  assert.equal(verbose.status, 200);
  assert.match(verbose.json().version, /^1\./);
});

test('the database a client works with is among the databases', async () => {
  const names = async (query) => (await get(server, `/query?q=SHOW+DATABASES${query}`)).json().results[0].series[0].values.flat();
  assert.deepEqual(await names(''), ['millstream']);
  assert.deepEqual(await names('&db=glances'), ['millstream', 'glances']);
  assert.deepEqual(await names('&db=%22%0a'), ['millstream', '"\n']);
  assert.deepEqual(await names('&db=%ff'), ['millstream']);
});

test('a token that does not hold is an error of the client, not silence', async () => {
  const closed = await Server.start({ development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  const client = new InfluxDB({ url: closed.url, token: 'wrong' });
  const writer = client.getWriteApi('org', 'bucket', 'ms', { maxRetries: 0 });
  writer.writePoint(new Point('m').tag('device', 'd').floatField('n', 1));
  await assert.rejects(writer.close(), (error) => {
    assert.equal(error.statusCode, 401);
    assert.equal(error.json.code, 'unauthorized');
    return true;
  });
  const token = jwt({ accountId: 'plant', roles: ['ingest'] });
  const right = new InfluxDB({ url: closed.url, token }).getWriteApi('org', 'bucket', 'ms', { maxRetries: 0 });
  right.writePoint(new Point('m').tag('device', 'd').floatField('n', 1));
  await right.close();
  const headers = bearer(jwt({ accountId: 'plant', roles: ['viewer'] }));
  const { events } = await backfillAll(closed, { types: 'telemetry' }, { headers });
  assert.equal(events.length, 1);
  await closed.stop();
});
