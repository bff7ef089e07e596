// The same device, time and field again: the last write wins wherever there can be one value only, and the stream carries
// it as an update, with an id of its own.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Server, Stream, backfillAll, get, post, until } from './harness.mjs';

const ways = {
  JSON: (server, device, ts, value) => post(server, '/api/ingest', JSON.stringify({ deviceId: device, siteId: 's', ts, fields: { T1: value } })),
  'line protocol': (server, device, ts, value) =>
    post(server, '/write?db=x&precision=ms', `telemetry,device=${device},site=s T1=${value} ${ts}`),
};

let server;
test.before(async () => {
  server = await Server.start();
});

async function assertOneValue(device, ts, value) {
  // The engines step over what is committed a moment after its writer was answered.
  const newest = new RegExp(`"T1":${value}[,}]`);
  await until(async () => newest.test((await get(server, `/api/latest?deviceId=${device}`)).text), 'the latest value');
  const span = `deviceId=${device}&siteId=s&fields=T1&start=${ts - 60_000}&end=${ts + 60_000}`;
  const raw = (await get(server, `/api/series?${span}&raw=1`)).json();
  assert.deepEqual(raw.series.T1.map((point) => point.v), [value], 'raw: one point');
  const buckets = (await get(server, `/api/series?${span}`)).json().series.T1;
  assert.equal(buckets.length, 1);
  const { min, max, avg, last, count } = buckets[0];
  assert.deepEqual({ min, max, avg, last, count }, { min: value, max: value, avg: value, last: value, count: 1 });
  assert.equal((await get(server, `/api/devices/${device}?siteId=s`)).json().fields.T1, value);
  const stream = await Stream.open(server, `?deviceId=${device}&snapshot=latest`);
  const shown = await stream.waitFor((m) => m.event === 'telemetry', 'the snapshot of the device');
  assert.equal(shown.data.data.fields.T1, value);
  stream.close();
}

for (const [name, write] of Object.entries(ways)) {
  test(`${name}: the second write of a moment is the value, and an update in the stream`, async () => {
    const device = name.replace(' ', '-');
    const ts = Date.now() - 5000;
    const stream = await Stream.open(server, `?deviceId=${device}&types=telemetry`);
    for (const value of [1, 9, 4]) {
      const answer = await write(server, device, ts, value);
      assert.ok(answer.status < 300, answer.text);
    }
    await stream.waitFor((m) => m.event === 'telemetry' && m.data.data.fields.T1 === 4, 'the last update');
    stream.close();
    const updates = stream.events('telemetry');
    assert.deepEqual(updates.map((event) => event.data.fields.T1), [1, 9, 4]);
    assert.ok(updates.every((event) => event.ts === new Date(ts).toISOString()));
    const { events } = await backfillAll(server, { types: 'telemetry', deviceId: device });
    assert.deepEqual(events.map((event) => event.id), updates.map((event) => event.id), 'the log keeps what was said');
    await assertOneValue(device, ts, 4);
  });
}

test('an earlier moment written again does not become the latest, and its own value is the second', async () => {
  const ts = Date.now() - 5000;
  for (const [at, value] of [[ts, 1], [ts + 1000, 2], [ts, 3]]) assert.equal((await ways.JSON(server, 'late', at, value)).status, 200);
  await until(async () => (await get(server, '/api/devices/late?siteId=s')).status === 200, 'the engines to know the device');
  const raw = (await get(server, `/api/series?deviceId=late&siteId=s&fields=T1&raw=1&start=${ts - 60_000}&end=${ts + 60_000}`)).json();
  assert.deepEqual(raw.series.T1.map((point) => point.v), [3, 2]);
  assert.equal((await get(server, '/api/devices/late?siteId=s')).json().fields.T1, 2);
});

test('twice in one batch: the last line is the value', async () => {
  const ts = Date.now() - 5000;
  const lines = [1, 7, 5].map((value) => `telemetry,device=batch,site=s T1=${value} ${ts}`).join('\n');
  assert.equal((await post(server, '/write?db=x&precision=ms', lines)).status, 204);
  await assertOneValue('batch', ts, 5);
  const points = [1, 7, 6].map((value) => ({ deviceId: 'batch2', siteId: 's', ts, fields: { T1: value } }));
  assert.equal((await post(server, '/api/ingest', JSON.stringify(points))).json().accepted, 3);
  await assertOneValue('batch2', ts, 6);
});

test('over a restart, and a kill, it is still one value', async () => {
  const ts = Date.now() - 5000;
  assert.equal((await ways.JSON(server, 'again', ts, 1)).status, 200);
  await server.stop();
  await server.restart();
  assert.equal((await ways.JSON(server, 'again', ts, 2)).status, 200);
  await server.kill9();
  await server.restart();
  await assertOneValue('again', ts, 2);
});
