// Alerts and presence across restarts: one alert is one firing and one resolved event, whatever happens to the server
// in between; and a device is never called offline for the server's own absence.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Server, Stream, account, backfillAll, get, ingest, sleep, until } from './harness.mjs';

const config = `
[presence]
stale_after = "2s"
offline_after = "4s"

[[rules]]
id = "hot"
name = "Too hot"
topic = "account:${account}/site:*/device:*"
field = "T1"
op = ">"
value = 70
clear = 65
for = "2s"
severity = "critical"

[[rules]]
id = "fast"
name = "Too fast"
topic = "account:${account}"
field = "rpm"
op = ">="
value = 3000
clear = 2500
severity = "warning"
`;

async function alerts(server, device) {
  const { events } = await backfillAll(server, { topic: `account:${account}/site:*/device:${device}`, types: 'alert' });
  return events.map((event) => event.data);
}
async function alertStates(server, device) {
  return (await alerts(server, device)).map((alert) => alert.state);
}
async function statuses(server, device) {
  const { events } = await backfillAll(server, { topic: `account:${account}/site:*/device:${device}`, types: 'device_status' });
  return events.map((event) => event.data.status);
}

test('an alert that was pending goes on counting after a restart, without the time nobody listened', async () => {
  const server = await Server.start({ config });
  await ingest(server, { deviceId: 'oven', fields: { T1: 60 } });
  const began = Date.now();
  await ingest(server, { deviceId: 'oven', fields: { T1: 90 } });
  await sleep(1300);
  await server.stop();
  const heldMs = Date.now() - began;
  await sleep(1500);
  assert.ok(heldMs < 1900, `the machine is too slow for this test: ${heldMs} ms`);
  await server.restart();
  const back = Date.now();
  await ingest(server, { deviceId: 'oven', fields: { T1: 91 } });
  assert.deepEqual(await alertStates(server, 'oven'), [], 'the pause does not count');
  await until(async () => (await alertStates(server, 'oven')).length, 'the alert fires');
  const restMs = Date.now() - back;
  assert.ok(restMs < 1500, `what had been held before the pause counts: ${heldMs} ms before, ${restMs} ms after`);
  await sleep(2500);
  assert.deepEqual(await alertStates(server, 'oven'), ['firing']);
  await server.stop();
});

test('a firing alert stays one alert over kill -9, shows in the snapshot, and resolves once', async () => {
  const server = await Server.start({ config });
  await ingest(server, { deviceId: 'motor', fields: { rpm: 3100 } });
  await until(async () => (await alertStates(server, 'motor')).length === 1, 'the alert fires');
  const [{ alertId }] = await alerts(server, 'motor');

  await server.kill9();
  await server.restart();
  const stream = await Stream.open(server, '?deviceId=motor&snapshot=latest');
  const open = await stream.waitFor((m) => m.event === 'alert', 'the open alert');
  assert.equal(open.data.snapshot, true);
  assert.equal(open.data.data.alertId, alertId);
  const { severity } = open.data.data;
  assert.equal(severity, 'warning');
  const critical = await Stream.open(server, '?deviceId=motor&snapshot=latest&minSeverity=critical');
  await critical.waitFor((m) => m.data?.data?.kind === 'snapshot', 'the end of the snapshot');
  assert.equal(critical.messages.filter((m) => m.event === 'alert').length, 0);
  critical.close();
  await ingest(server, { deviceId: 'motor', fields: { rpm: 3200 } });
  await ingest(server, { deviceId: 'motor', fields: { rpm: 2700 } }); // between clear and value: still firing
  await server.stop();
  await server.restart();
  await ingest(server, { deviceId: 'motor', fields: { rpm: 1000 } });
  await until(async () => (await alertStates(server, 'motor')).includes('resolved'), 'the alert resolves');
  await server.kill9();
  await server.restart();
  await ingest(server, { deviceId: 'motor', fields: { rpm: 900 } });
  await sleep(500);
  const all = await alerts(server, 'motor');
  assert.deepEqual(all.map((alert) => alert.state), ['firing', 'resolved']);
  assert.deepEqual(new Set(all.map((alert) => alert.alertId)).size, 1);
  assert.ok(all[1].endedAt >= all[1].startedAt);
  stream.close();
  await server.stop();
});

test('a kill right after each crossing was acked neither loses nor doubles a conclusion', async () => {
  const server = await Server.start({ config });
  const rounds = Number(process.env.RESTART_ROUNDS ?? 8);
  const expected = [];
  for (let round = 0; round < rounds; ++round) {
    const up = round % 2 === 0;
    await ingest(server, { deviceId: 'fan', fields: { rpm: up ? 4000 : 100 } });
    expected.push(up ? 'firing' : 'resolved');
    await sleep([0, 1, 5, 20][round % 4]);
    await server.kill9();
    await server.restart();
    await until(async () => (await alertStates(server, 'fan')).length >= expected.length, `conclusion ${round + 1}`);
    assert.deepEqual(await alertStates(server, 'fan'), expected);
  }
  await sleep(500);
  const all = await alerts(server, 'fan');
  assert.deepEqual(all.map((alert) => alert.state), expected);
  assert.equal(new Set(all.map((alert) => alert.alertId)).size, rounds / 2);
  await server.stop();
});

test('the server\'s own absence makes no device stale or offline, but later silence does', async () => {
  const server = await Server.start({ config });
  await ingest(server, { deviceId: 'meter', fields: { kWh: 1 } });
  await until(async () => (await statuses(server, 'meter')).length, 'the device is online');
  await server.stop();
  await sleep(5500); // longer than offline_after
  await server.restart();
  const back = Date.now();
  await sleep(1200);
  assert.deepEqual(await statuses(server, 'meter'), ['online']);
  assert.equal((await get(server, '/api/devices/meter')).json().status, 'online');
  await until(async () => (await statuses(server, 'meter')).includes('stale'), 'silence makes it stale', 5000);
  assert.ok(Date.now() - back >= 1900, 'a full span after the start, not before');
  await until(async () => (await statuses(server, 'meter')).includes('offline'), 'and offline', 6000);
  assert.ok(Date.now() - back >= 3900);
  await ingest(server, { deviceId: 'meter', fields: { kWh: 2 } });
  await until(async () => (await statuses(server, 'meter')).length === 4, 'data revives it');
  assert.deepEqual(await statuses(server, 'meter'), ['online', 'stale', 'offline', 'online']);
  await server.stop();
});

test('latest values, devices and the id order survive kill -9', async () => {
  const server = await Server.start({ config });
  await ingest(server, { deviceId: 'a', siteId: 's1', fields: { x: 1, y: true } });
  await ingest(server, { deviceId: 'a', siteId: 's1', fields: { x: 2 } });
  await ingest(server, { deviceId: 'b', siteId: 's2', fields: { z: 'text' } });
  const shown = async () => {
    const { devices } = (await get(server, '/api/devices')).json();
    return devices.map(({ deviceId, siteId, fields }) => ({ deviceId, siteId, fields }));
  };
  await until(async () => (await shown()).length === 2, 'both devices');
  const before = await shown();
  const { last } = await backfillAll(server);
  await server.kill9();
  await server.restart();
  await until(async () => (await shown()).length === 2, 'both devices again');
  assert.deepEqual(await shown(), before);
  await ingest(server, { deviceId: 'a', siteId: 's1', fields: { x: 3 } });
  const { events } = await backfillAll(server, { since: last, types: 'telemetry' });
  assert.deepEqual(events.map((event) => event.data.fields), [{ x: 3 }]);
  await server.stop();
});
