// MQTT in, against a real mosquitto and its own clients: what is stored, what is acknowledged only then, who is offline.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Broker } from './mosquitto.mjs';
import { sparkplug } from './sparkplug.mjs';
import { Child, Server, Stream, backfillAll, get, sleep, tempDirectory, until } from './harness.mjs';

/** The configuration of a feed of account demo; `lines`: what is particular. */
const feedOf = (broker, ...lines) => `[[mqtt]]
name = "plant"
url = "${broker.scheme ?? 'mqtt'}://127.0.0.1:${broker.port}"
account = "demo"
${lines.join('\n')}
`;

const connected = (server) =>
  until(async () => /^millstream_mqtt_connected\{feed="plant"\} 1$/m.test((await get(server, '/metrics')).text),
    'the feed is connected', 40_000);

async function metric(server, name) {
  const found = new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\d+)$`, 'm').exec((await get(server, '/metrics')).text);
  assert.ok(found, `there is a metric ${name}`);
  return Number(found[1]);
}

/** A server that reads a broker, connected. */
async function following(broker, ...lines) {
  const server = await Server.start({ config: `[presence]\noffline_delay = "300ms"\n${feedOf(broker, ...lines)}` });
  await connected(server);
  return server;
}

async function stored(server, count, what) {
  const all = () => backfillAll(server, { types: 'telemetry' });
  await until(async () => (await all()).events.length >= count, what, 20_000);
  return (await all()).events;
}

async function command(name, args) {
  const child = new Child(name, args);
  const { code } = await child.wait(20_000, name);
  assert.equal(code, 0, child.output);
}

const short = (event) => [event.topic, event.data.fields];

test('every payload is stored where its topic says, and what cannot be stored holds nothing up', async () => {
  const broker = await Broker.start();
  const server = await following(broker, 'topics = ["plants/{site}/{device}/telemetry", "gateways/{site}/+"]');
  const ts = Date.now() - 60_000;
  await broker.publish('plants/north/pump/telemetry', '{"T1": 21.5, "on": true}');
  await broker.publish('plants/north/pump/telemetry', 'this is neither');
  await broker.publish('plants/north/pump/telemetry', '{"T1": ');
  await broker.publish('plants/north/no name/telemetry', '{"T1": 1}');
  await broker.publish('plants/north/pump/telemetry', `{"ts": ${ts}, "values": {"T1": 22}}`);
  await broker.publish('plants/north/pump/telemetry', `telemetry T1=23,n=4i ${ts}000000\ntelemetry T1=`);
  await broker.publish('plants/north/pump/telemetry', '{"deviceId": "other", "fields": {"T1": 5}}');
  await broker.publish('gateways/south/g1', '[{"deviceId": "a", "fields": {"x": 1}}, {"deviceId": "b", "fields": {"x": 2}}]');
  await broker.publish('elsewhere/south/g1', '{"deviceId": "a", "fields": {"x": 9}}');
  const events = await stored(server, 5, 'the good ones are stored');
  assert.deepEqual(events.map(short), [
    ['account:demo/site:north/device:pump', { T1: 21.5, on: true }],
    ['account:demo/site:north/device:pump', { T1: 22 }],
    ['account:demo/site:north/device:pump', { T1: 23, n: 4 }],
    ['account:demo/site:south/device:a', { x: 1 }],
    ['account:demo/site:south/device:b', { x: 2 }],
  ]);
  assert.equal(Date.parse(events[1].ts), ts);
  assert.equal(await metric(server, 'millstream_mqtt_refused_total{feed="plant",reason="malformed"}'), 1);
  assert.equal(await metric(server, 'millstream_mqtt_refused_total{feed="plant",reason="name"}'), 1);
  assert.equal(await metric(server, 'millstream_mqtt_messages_total{feed="plant"}'), 8);
  assert.match(server.child.output, /mqtt: not stored.*feed=plant/);
  await server.stop();
});

test('{account} in a topic reaches the listed accounts and no other', async () => {
  const broker = await Broker.start();
  const server = await Server.start({
    config: `[[mqtt]]\nname = "plant"\nurl = "mqtt://127.0.0.1:${broker.port}"\naccounts = ["demo"]
topics = ["{account}/{site}/{device}"]\n`,
  });
  await connected(server);
  await broker.publish('other/s/d', '{"x": 1}');
  await broker.publish('demo/s/d', '{"x": 2}');
  assert.deepEqual((await stored(server, 1, 'one is stored')).map(short), [['account:demo/site:s/device:d', { x: 2 }]]);
  assert.equal(await metric(server, 'millstream_mqtt_refused_total{feed="plant",reason="account"}'), 1);
  await server.stop();
});

test('a last will is offline after a delay, and the next word online again', async () => {
  const broker = await Broker.start();
  const server = await following(broker, 'topics = ["p/{site}/{device}/t"]', 'status_topics = ["p/{site}/{device}/status"]');
  const stream = await Stream.open(server, '?types=device_status');
  const device = broker.subscribe(['-t', 'nothing', '-i', 'pump', '--will-topic', 'p/s/pump/status', '--will-payload',
    'offline', '--will-retain', '--will-qos', '1']);
  await broker.publish('p/s/pump/status', 'online', ['-r']);
  await stream.waitFor((m) => m.data.data?.status === 'online', 'online');
  await until(() => broker.child.output.includes('as pump'), 'the device is connected');
  device.kill('SIGKILL');
  const { data } = await stream.waitFor((m) => m.data.data?.status === 'offline', 'offline');
  assert.equal(data.topic, 'account:demo/site:s/device:pump');
  assert.equal(data.data.reason, 'last_will');
  await broker.publish('p/s/pump/t', '{"x": 1}');
  await until(() => stream.events('device_status').length === 3, 'online again');
  assert.deepEqual(stream.events('device_status').map((e) => [e.data.status, e.data.reason]),
    [['online', 'reported'], ['offline', 'last_will'], ['online', 'data']]);
  await broker.publish('p/s/pump/status', 'half way');
  await broker.publish('p/s/pump/status', 'offline', ['-r']);
  await until(() => stream.events('device_status').length === 4, 'offline again');

  // A restart: nothing is concluded twice, and what the broker retains is not taken for news.
  const before = await backfillAll(server, { types: 'device_status' });
  await server.kill9();
  await server.restart();
  await connected(server);
  await broker.publish('p/s/pump/t', '{"x": 2}');
  await stored(server, 2, 'the next point');
  await until(async () => (await backfillAll(server, { types: 'device_status' })).events.length === before.events.length + 1,
    'and it is online');
  const after = await backfillAll(server, { types: 'device_status' });
  assert.deepEqual(after.events.slice(0, before.events.length), before.events);
  assert.equal(after.events.at(-1).data.status, 'online');
  await server.stop();
});

test('a feed that is new to the broker is told what it retains', async () => {
  const broker = await Broker.start();
  await broker.publish('p/s/pump/status', 'online', ['-r']);
  await broker.publish('p/s/pump/t', '{"x": 1}', ['-r']);
  await broker.publish('p/s/fan/t', `{"ts": ${Date.now() - 5000}, "values": {"x": 2}}`, ['-r']);
  const server = await following(broker, 'topics = ["p/{site}/{device}/t"]', 'status_topics = ["p/{site}/{device}/status"]');
  const events = await stored(server, 1, 'the retained point that says when it was');
  assert.deepEqual(events.map(short), [['account:demo/site:s/device:fan', { x: 2 }]]);
  // Nobody knows when it was said: it is told, and makes no device online.
  await until(async () => (await backfillAll(server, { types: 'system' })).events.some(
    (e) => e.data.deviceId === 'pump' && e.data.reason === 'reported' && e.data.retained), 'what is retained is told');
  assert.ok((await backfillAll(server, { types: 'device_status' })).events.every((e) => e.data.deviceId !== 'pump'));
  assert.equal(await metric(server, 'millstream_mqtt_refused_total{feed="plant",reason="undated"}'), 1);
  await server.stop();
});

for (const version of ['5', '3.1.1']) {
  test(`MQTT ${version}: the broker comes back, and so does the feed; what was said while the server was away is stored`, async () => {
    const broker = await Broker.start();
    const server = await following(broker, `version = "${version}"`, 'topics = ["p/{site}/{device}"]');
    await broker.publish('p/s/a', '{"n": 1}');
    await stored(server, 1, 'the first');
    await broker.stop();
    await until(async () => (await metric(server, 'millstream_mqtt_connected{feed="plant"}')) === 0, 'disconnected');
    await broker.launch();
    await connected(server);
    await broker.publish('p/s/a', '{"n": 2}');
    await stored(server, 2, 'the second');
    await server.stop();
    await broker.publish('p/s/a', '{"n": 3}');
    await server.restart();
    const events = await stored(server, 3, 'the third');
    assert.deepEqual(events.map((e) => e.data.fields.n), [1, 2, 3]);
    await server.stop();
  });
}

const rounds = Number(process.env.ROUNDS ?? 5);
for (const version of ['5', '3.1.1']) {
  test(`MQTT ${version}: nothing the broker took is lost over ${rounds} kills of the server`, async () => {
    const broker = await Broker.start();
    const server = await following(broker, `version = "${version}"`, 'topics = ["p/{site}/{device}"]');
    const seen = () => metric(server, 'millstream_mqtt_messages_total{feed="plant"}');
    const publisher = broker.publisher(['-t', 'p/s/a', '-q', '1', '-l']); // ends when the broker has taken everything
    let count = 0;
    let running = true;
    async function write() {
      while (running) {
        publisher.stdin.write(Array.from({ length: 50 }, () => `telemetry n=${count++}i\n`).join(''));
        await sleep(5);
      }
      publisher.stdin.end();
    }
    const writing = write();
    try {
      for (let round = 0; round < rounds; ++round) {
        await until(async () => (await seen()) > 200, 'messages are being read', 20_000, 5);
        await server.kill9();
        await server.restart();
        await connected(server);
      }
    } finally {
      running = false;
    }
    await writing;
    await publisher.ended;
    const numbers = async () => (await backfillAll(server, { types: 'telemetry' })).events.map((e) => e.data.fields.n);
    await until(async () => new Set(await numbers()).size === count, 'every one is stored', 60_000, 300);
    const all = await numbers();
    console.log(`${count} published, ${all.length} stored: ${all.length - count} came again after a kill`);
    assert.deepEqual([...new Set(all)].sort((a, b) => a - b), Array.from({ length: count }, (_, n) => n));
    await server.stop();
  });
}

test('Sparkplug B: births name, data fills in, a death takes the devices with it', async () => {
  const broker = await Broker.start();
  const server = await following(broker, 'sparkplug_groups = ["plant1"]');
  const stream = await Stream.open(server, '?types=device_status');
  const commands = broker.subscribe(['-t', 'spBv1.0/plant1/NCMD/#', '-F', '%t %x']);
  await until(() => broker.child.output.includes('mosqsub') || commands.running(), 'the node listens');
  const say = (verb, where, payload) => broker.publish(`spBv1.0/plant1/${verb}/${where}`, sparkplug(payload));
  const bdSeq = (value) => ({ name: 'bdSeq', type: 'Int64', value });

  await say('NBIRTH', 'edge', { seq: 0, metrics: [bdSeq(7), { name: 'cpu', alias: 1, type: 'Double', value: 0.5 },
    { name: 'Node Control/Rebirth', type: 'Boolean', value: false }] });
  await say('DBIRTH', 'edge/press', { seq: 1, metrics: [{ name: 'force', alias: 2, type: 'Int32', value: -5 },
    { name: 'recipe', alias: 3, type: 'String', value: 'ä' }, { name: 'table', type: 'DataSet', value: 1 },
    { name: 'spare', alias: 4, type: 'Double' }] });
  await say('NDATA', 'edge', { seq: 2, metrics: [{ alias: 1, type: 'Double', value: 0.75 }] });
  await say('DDATA', 'edge/press', { seq: 3, metrics: [{ alias: 2, type: 'Int32', value: -6, untyped: true },
    { alias: 4, type: 'Double', value: 1.5 }] });
  const events = await stored(server, 4, 'births and data');
  assert.deepEqual(events.map(short), [
    ['account:demo/site:plant1/device:edge', { cpu: 0.5 }],
    ['account:demo/site:plant1/device:edge.press', { force: -5, recipe: 'ä' }],
    ['account:demo/site:plant1/device:edge', { cpu: 0.75 }],
    ['account:demo/site:plant1/device:edge.press', { force: -6, spare: 1.5 }],
  ]);
  assert.equal(await metric(server, 'millstream_mqtt_refused_total{feed="plant",reason="type"}'), 1);
  assert.equal(await metric(server, 'millstream_mqtt_rebirths_total{feed="plant"}'), 0);

  await say('NDATA', 'edge', { seq: 9, metrics: [{ alias: 1, type: 'Double', value: 1 }] }); // 4 to 8 are missing
  await until(() => commands.stdout.includes('spBv1.0/plant1/NCMD/edge'), 'the node is asked to be born again');
  assert.match(commands.stdout, new RegExp(Buffer.from('Node Control/Rebirth').toString('hex'), 'i'));
  await say('NBIRTH', 'edge', { seq: 0, metrics: [bdSeq(8), { name: 'cpu', alias: 1, type: 'Double', value: 2 }] });
  await say('NDEATH', 'edge', { metrics: [bdSeq(7)] }); // the will of the connection before
  await say('NDATA', 'edge', { seq: 1, metrics: [{ alias: 1, type: 'Double', value: 3 }] });
  await stored(server, 7, 'it lives');
  assert.deepEqual(stream.events('device_status').map((e) => [e.data.deviceId, e.data.status, e.data.reason]),
    [['edge', 'online', 'node_birth'], ['edge.press', 'online', 'device_birth']]);
  await say('NDEATH', 'edge', { metrics: [bdSeq(8)] });
  await until(() => stream.events('device_status').length === 4, 'node and device are offline');
  assert.deepEqual(stream.events('device_status').slice(2).map((e) => [e.data.deviceId, e.data.status, e.data.reason]).sort(),
    [['edge', 'offline', 'node_death'], ['edge.press', 'offline', 'node_death']]);
  await server.stop();
});

test('TLS with a name and a password: in with the right ones, and with a broker that can be trusted', async () => {
  const directory = tempDirectory('mqtt-tls');
  const file = (name) => path.join(directory, name);
  await command('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', file('key.pem'),
    '-out', file('cert.pem'), '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']);
  await command('mosquitto_passwd', ['-b', '-c', file('passwords'), 'millstream', 'right']);
  const broker = await Broker.start({
    lines: ['allow_anonymous false', `password_file ${file('passwords')}`, `certfile ${file('cert.pem')}`, `keyfile ${file('key.pem')}`],
    clientOptions: ['--cafile', file('cert.pem'), '-u', 'millstream', '-P', 'right'],
  });
  broker.scheme = 'mqtts';
  fs.writeFileSync(file('password'), 'right\n', { mode: 0o600 });
  fs.writeFileSync(file('wrong'), 'wrong\n', { mode: 0o600 });
  const topics = 'topics = ["p/{site}/{device}"]';
  const server = await following(broker, topics, `ca_file = "${file('cert.pem')}"`, 'username = "millstream"',
    `password_file = "${file('password')}"`);
  await broker.publish('p/s/a', '{"n": 1}');
  await stored(server, 1, 'the point');
  await server.stop();

  const refused = async (what, ...lines) => {
    const other = await Server.start({ config: feedOf(broker, topics, ...lines) });
    await until(() => what.test(other.child.output), `the log says ${what}`, 20_000);
    assert.ok(!/right|wrong/.test(other.child.output.replaceAll(directory, '')), 'and no password');
    await other.stop();
  };
  await refused(/cannot connect.*[Nn]ot authori[sz]ed/, `ca_file = "${file('cert.pem')}"`, 'username = "millstream"',
    `password_file = "${file('wrong')}"`);
  await refused(/cannot connect/, 'username = "millstream"', `password_file = "${file('password')}"`); // nobody vouches for it
});
