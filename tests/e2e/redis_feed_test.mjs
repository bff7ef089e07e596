// A channel of Redis, in and out, against a real redis-server: events as the NestJS bridge publishes them, by the client
// it publishes them with.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Redis as Client } from 'ioredis';
import { Redis } from './redis.mjs';
import { Server, Stream, atEnd, backfillAll, get, ingest, tempDirectory, until } from './harness.mjs';

const feedOf = (redis, ...lines) => `[presence]
offline_delay = "300ms"
[[redis_feeds]]
name = "nest"
url = "${redis.url}"
account = "demo"
${lines.join('\n')}
`;

async function metric(server, name, labels = '') {
  const text = (await get(server, '/metrics')).text;
  const line = text.split('\n').find((l) => l.startsWith(`${name}{feed="nest"${labels}} `));
  assert.ok(line, `there is a metric ${name}`);
  return Number(line.split(' ').at(-1));
}

const subscribed = (server, times = 1) =>
  until(async () => (await metric(server, 'millstream_redis_feed_connected')) === 1
    && (await metric(server, 'millstream_redis_feed_connects_total')) >= times, 'the feed is subscribed', 20_000);

async function following(redis, ...lines) {
  const server = await Server.start({ config: feedOf(redis, ...lines) });
  await subscribed(server);
  return server;
}

function clientOf(redis, options = {}) {
  const client = new Client(redis.url, options);
  client.on('error', () => {}); // Redis is stopped under it
  atEnd(() => client.disconnect());
  return client;
}

const topic = 'account:demo/site:1/device:elink-99';

/** RedisStreamBridge.publish(). */
const publish = (client, evt, channel = 'stream-events') => client.publish(channel, JSON.stringify(evt));
const streamEvent = (type, data, more = {}) => ({
  id: `${Date.now()}-${Math.random().toString(16).slice(2)}`,
  ts: new Date().toISOString(),
  topic,
  type,
  data,
  ...more,
});

test('a viewer sees what a NestJS service publishes, in the stream\'s own order', async () => {
  const redis = await Redis.start();
  const server = await following(redis);
  const stream = await Stream.open(server);
  const client = clientOf(redis);
  const telemetry = streamEvent('telemetry', { deviceId: 'elink-99', fields: { T1: 247, OPM: 3 } },
    { ts: new Date(Date.now() - 60_000).toISOString() });
  const alert = streamEvent('alert', { ruleId: 'hot', severity: 'critical', message: 'too hot', fields: { T1: 247 } });
  const notice = streamEvent('system', { message: 'maintenance at noon' }, { topic: 'account:demo' });
  for (const evt of [telemetry, alert, notice]) assert.equal(await publish(client, evt), 1);
  for (const status of ['heartbeat', 'offline']) await publish(client, streamEvent('device_status', { status }));

  const { data: seen } = await stream.waitFor((m) => m.event === 'telemetry', 'telemetry');
  assert.equal(seen.topic, topic);
  assert.equal(seen.ts, telemetry.ts);
  assert.deepEqual(seen.data, { deviceId: 'elink-99', fields: { T1: 247, OPM: 3 }, publisherId: telemetry.id });
  const { data: fired } = await stream.waitFor((m) => m.event === 'alert', 'the alert');
  assert.equal(fired.data.alertId, 'nest:hot.1.elink-99');
  assert.equal(fired.data.state, 'firing');
  assert.equal(fired.data.severity, 'critical');
  assert.equal(fired.data.message, 'too hot');
  assert.deepEqual([fired.data.field, fired.data.value], ['T1', 247]);
  assert.equal(fired.data.publisherId, alert.id);
  const { data: said } = await stream.waitFor((m) => m.data.data?.kind === 'notice', 'the notice');
  assert.deepEqual(said.data, { kind: 'notice', message: 'maintenance at noon', publisherId: notice.id });
  await until(() => stream.events('device_status').length === 2, 'the device came and went');
  assert.deepEqual(stream.events('device_status').map((e) => [e.data.status, e.data.reason]),
    [['online', 'reported'], ['offline', 'reported']]);
  for (const message of stream.events()) assert.notEqual(message.id, telemetry.id);

  // The alert stays open, and its publisher ends it.
  const open = async () => (await get(server, '/api/alerts?state=open')).json().alerts.length;
  await until(async () => (await open()) === 1, 'the alert is open');
  await publish(client, streamEvent('alert', { ruleId: 'hot', state: 'resolved', severity: 'critical', message: 'fine' }));
  await until(async () => (await open()) === 0, 'the alert is resolved');
  await server.stop();
});

test('what cannot be stored is counted by reason, named in the log, and holds nothing up', async () => {
  const redis = await Redis.start();
  const server = await following(redis);
  const client = clientOf(redis);
  await client.publish('stream-events', '{"id": ');
  await client.publish('stream-events', Buffer.from([0xff, 0xfe, 0x00]));
  await publish(client, streamEvent('rumour', {}));
  await publish(client, streamEvent('system', { kind: 'rule_saved' }));
  await publish(client, streamEvent('telemetry', { fields: { T1: 1 } }, { topic: 'account:other/site:1/device:d' }));
  await publish(client, streamEvent('system', { text: 'x'.repeat(40_000) }));
  await client.publish('stream-events', `"${'x'.repeat(20 << 20)}"`);
  await publish(client, streamEvent('telemetry', { fields: { T1: 1 } }, { ts: '2001-01-01T00:00:00Z' }));
  await publish(client, streamEvent('telemetry', { fields: { T1: 2 } }, { ts: 'yesterday' }));
  await publish(client, streamEvent('telemetry', { fields: { T1: 3 } }), 'another-channel');
  await until(async () => (await backfillAll(server, { types: 'telemetry' })).events.length === 1, 'the good one is stored');
  const { events } = await backfillAll(server, { types: 'telemetry' });
  assert.deepEqual(events[0].data.fields, { T1: 2 });
  const refused = (reason) => metric(server, 'millstream_redis_feed_refused_total', `,reason="${reason}"`);
  assert.equal(await refused('malformed'), 4);
  assert.equal(await refused('account'), 1);
  assert.equal(await refused('too_large'), 2);
  assert.equal(await refused('not_admitted'), 1);
  assert.equal(await metric(server, 'millstream_redis_feed_messages_total'), 9);
  assert.equal(await metric(server, 'millstream_redis_feed_connects_total'), 1);
  assert.match(server.child.output, /redis feed: not stored.*feed=nest/);
  await server.stop();
});

test('Redis restarts, and so does the subscription', async () => {
  const redis = await Redis.start();
  const server = await following(redis);
  await redis.restart();
  await subscribed(server, 2);
  const client = clientOf(redis);
  assert.equal(await publish(client, streamEvent('telemetry', { fields: { T1: 2 } })), 1);
  await until(async () => (await backfillAll(server, { types: 'telemetry' })).events.length === 1, 'it is stored');
  assert.match(server.child.output, /redis feed: the connection ended; what is published until the next one is lost/);
  await server.stop();
});

test('a burst is stored in full, in the order it was published in', async () => {
  const redis = await Redis.start();
  const server = await following(redis);
  const client = clientOf(redis);
  const count = 5000;
  const sent = [];
  for (let i = 0; i < count; ++i) sent.push(publish(client, streamEvent('telemetry', { fields: { n: i } })));
  assert.ok((await Promise.all(sent)).every((receivers) => receivers === 1));
  await until(async () => (await metric(server, 'millstream_redis_feed_messages_total')) === count, 'all are read', 20_000);
  const all = async () => (await backfillAll(server, { types: 'telemetry' })).events.map((e) => e.data.fields.n);
  await until(async () => (await all()).length === count, 'all are stored', 30_000);
  assert.deepEqual(await all(), [...Array(count).keys()]);
  await server.stop();
});

test('a password from a file, and never in the log', async () => {
  const redis = await Redis.start({ args: ['--requirepass', 'hunter2'] });
  const file = path.join(tempDirectory('secret'), 'password');
  fs.writeFileSync(file, 'hunter2\n', { mode: 0o600 });
  const server = await following(redis, `password_file = "${file}"`);
  await server.stop();
  const wrong = await Server.start({ config: feedOf({ url: redis.url.replace('//', '//:hunter3@') }) });
  await until(() => /redis feed: cannot subscribe.*WRONGPASS/.test(wrong.child.output), 'the refusal is logged');
  assert.doesNotMatch(wrong.child.output, /hunter/);
  await wrong.stop();
});

test('every event of the account is mirrored in order, none comes back, and what Redis does not take is counted', async () => {
  const redis = await Redis.start();
  const server = await following(redis, 'mirror = true');
  const listener = clientOf(redis);
  const heard = [];
  listener.on('message', (channel, text) => heard.push([channel, JSON.parse(text)]));
  await listener.subscribe('millstream-events');
  await publish(clientOf(redis), streamEvent('telemetry', { fields: { T1: 1 } }));
  await until(() => heard.length >= 1, 'what came by Redis is mirrored');
  for (let i = 2; i <= 50; ++i) await ingest(server, [{ siteId: '1', deviceId: 'elink-99', fields: { T1: i } }]);
  await until(() => heard.filter(([, e]) => e.type === 'telemetry').length === 50, 'and what came by HTTP');
  assert.ok(heard.every(([channel]) => channel === 'millstream-events'));
  const { events } = await backfillAll(server);
  assert.deepEqual(heard.map(([, e]) => e), events);
  assert.equal(await metric(server, 'millstream_redis_mirror_published_total'), events.length);
  assert.equal(await metric(server, 'millstream_redis_feed_messages_total'), 1);

  await redis.child.stop();
  await ingest(server, [{ siteId: '1', deviceId: 'elink-99', fields: { T1: 99 } }]);
  await until(async () => (await metric(server, 'millstream_redis_mirror_dropped_total')) >= 1, 'it is dropped and counted', 20_000);
  await redis.launch();
  await subscribed(server, 2);
  const again = clientOf(redis);
  const later = [];
  again.on('message', (channel, text) => later.push(JSON.parse(text)));
  await again.subscribe('millstream-events');
  await until(async () => {
    await ingest(server, [{ siteId: '1', deviceId: 'elink-99', fields: { T1: 100 } }]);
    return later.length > 0;
  }, 'the mirror is back', 20_000, 200);
  await server.stop();
});
