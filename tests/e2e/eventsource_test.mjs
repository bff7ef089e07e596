// The npm package `eventsource` (the browser's interface, on Node) follows a stream over cut connections and a restart:
// every event once, in order.

import assert from 'node:assert/strict';
import test from 'node:test';
import { EventSource } from 'eventsource';
import { CutProxy, Server, Stream, assertStrictlyRising, atEnd, backfillAll, get, ingest, quickRetry, sleep, systemData, until } from './harness.mjs';

function follow(url) {
  const source = new EventSource(url);
  atEnd(() => source.close());
  const seen = { ids: [], values: [], hellos: 0, errors: 0, gaps: [] };
  source.addEventListener('telemetry', (event) => {
    seen.ids.push(event.lastEventId);
    seen.values.push(JSON.parse(event.data).data.fields.n);
  });
  source.addEventListener('system', (event) => {
    const message = JSON.parse(event.data);
    const { kind } = message.data ?? message;
    if (kind === 'hello') ++seen.hellos;
    if (kind === 'gap') seen.gaps.push(message);
  });
  source.addEventListener('error', () => ++seen.errors);
  return seen;
}

test('mode=latest merges a burst per device, holds no alert or status back, and ends with the newest values', async () => {
  const server = await Server.start();
  const stream = await Stream.open(server, '?mode=latest&interval=500');
  const hello = await stream.waitFor((m) => systemData(m).kind === 'hello', 'hello');
  assert.equal(systemData(hello).mode, 'latest');
  const of = (type, device) => stream.messages.map((m) => m.data).filter((e) => e.type === type && e.data.deviceId === device);
  const rounds = 60;
  for (let n = 1; n <= rounds; ++n) {
    await ingest(server, ['a', 'b'].map((deviceId) => ({ deviceId, fields: { n, ...(n === 1 ? { once: true } : {}) } })));
  }
  const newest = (device) => of('telemetry', device).at(-1)?.data.fields.n;
  await until(() => newest('a') === rounds && newest('b') === rounds, 'the newest values');
  for (const device of ['a', 'b']) {
    const events = of('telemetry', device);
    assert.ok(events.length < rounds / 2, `${events.length} events`);
    assert.equal(events.reduce((sum, e) => sum + (e.data.conflated ?? 1), 0), rounds, 'every point is counted');
    assert.equal(Object.assign({}, ...events.map((e) => e.data.fields)).once, true);
    assert.deepEqual(of('device_status', device).map((e) => e.data.status), ['online']);
  }
  stream.close();
  await server.stop();
});

test('eventsource sees every event once and in order over twenty cuts', async () => {
  const server = await Server.start({ arguments: quickRetry });
  const proxy = await CutProxy.start(server);
  const seen = follow(`${proxy.url}/api/stream?siteId=plant&types=telemetry,system`);
  await until(() => seen.hellos === 1, 'the first hello');

  let sent = 0;
  const total = 1000;
  const feeding = (async () => {
    while (sent < total) {
      const ts = Date.now();
      const batch = Array.from({ length: 5 }, (_, i) => ({ deviceId: `d${i}`, siteId: 'plant', ts, fields: { n: sent + i } }));
      await ingest(server, batch);
      sent += batch.length;
      await sleep(30);
    }
  })();
  for (let i = 0; i < 20; ++i) {
    await sleep(150 + 50 * (i % 7));
    proxy.cut();
  }
  await feeding;
  await until(() => seen.values.length >= total, `all ${total} events (so far ${seen.values.length})`, 20_000);
  await sleep(300);

  const { events } = await backfillAll(server, { types: 'telemetry' });
  assert.equal(events.length, total);
  assert.deepEqual(seen.ids, events.map((event) => event.id));
  assert.deepEqual(seen.values, events.map((event) => event.data.fields.n));
  assertStrictlyRising(seen.ids);
  assert.deepEqual(seen.gaps, []);
  assert.ok(seen.hellos >= 5, `the cuts were real: ${seen.hellos} connections`);
});

test('eventsource comes back by itself after the server was stopped and started again', async () => {
  const server = await Server.start({ arguments: quickRetry });
  const seen = follow(`${server.url}/api/stream?types=telemetry,system`);
  await until(() => seen.hellos === 1, 'the first hello');
  await ingest(server, { deviceId: 'd', fields: { n: 1 } });
  await until(() => seen.values.includes(1), 'the first value');
  await server.stop();
  await server.restart();
  await ingest(server, { deviceId: 'd', fields: { n: 2 } });
  await until(() => seen.values.includes(2), 'the value after the restart', 20_000);
  assert.deepEqual(seen.values, [1, 2]);
  assert.deepEqual(seen.gaps, []);
  assertStrictlyRising(seen.ids);
});

test('eventsource cut off within its snapshot gets the whole of it when it comes back', async () => {
  const server = await Server.start({ arguments: quickRetry });
  await ingest(server, Array.from({ length: 20 }, (_, i) => ({ deviceId: `d${i}`, fields: { n: i } })));
  await until(async () => (await get(server, '/api/latest?types=telemetry')).json().events.length === 20, 'all are known');
  for (const cutAfter of ['"resumed":false}}\n\n', '"fields":{"n":7}},"snapshot":true}\n\n']) {
    const proxy = await CutProxy.start(server);
    proxy.cutAfter = cutAfter;
    const source = new EventSource(`${proxy.url}/api/stream?types=telemetry&snapshot=latest`);
    atEnd(() => source.close());
    const counts = [];
    let devices = new Set();
    let newest;
    source.addEventListener('telemetry', (event) => {
      newest = JSON.parse(event.data);
      devices.add(newest.data.deviceId);
    });
    source.addEventListener('system', (event) => {
      const { data } = JSON.parse(event.data);
      if (data.kind === 'hello') devices = new Set();
      if (data.kind === 'snapshot') counts.push(data.count);
    });
    await until(() => counts.length === 1, `a whole snapshot after a cut at ${cutAfter}`);
    assert.equal(proxy.connections, 2, 'the cut was real');
    assert.deepEqual([counts[0], devices.size], [20, 20]);

    // Once it was whole, the browser resumes.
    proxy.cut();
    await until(() => proxy.connections === 3, 'the reconnect');
    await ingest(server, { deviceId: 'd0', fields: { n: 100 } });
    await until(() => newest.data.fields.n === 100 && !newest.snapshot, 'the next event');
    assert.equal(counts.length, 1, 'no second snapshot');
    source.close();
  }
});
