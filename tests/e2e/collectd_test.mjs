// Debian's collectd, as packaged, with its own plugin write_http and Format JSON: nothing on its side is changed but where
// to send. What it reads of an error: the status alone, and it logs every one that is not 200 when LogHttpError is set;
// what it sent is not sent again.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { Child, Server, atEnd, backfillAll, bearer, get, jwt, jwtSecret, post, tempDirectory, until } from './harness.mjs';

const collectd = '/usr/sbin/collectd';

/** Starts collectd with what a machine has, and a socket to put values in by hand. */
async function start(server, node) {
  assert.ok(fs.existsSync(collectd), 'Debian\'s collectd-core is not installed: ./dev setup');
  const home = tempDirectory('collectd');
  const configuration = path.join(home, 'collectd.conf');
  fs.writeFileSync(configuration, `
Hostname "web-1"
FQDNLookup false
BaseDir "${home}"
Interval 1
LoadPlugin logfile
<Plugin logfile>
  File "stdout"
</Plugin>
LoadPlugin load
LoadPlugin memory
LoadPlugin interface
LoadPlugin unixsock
<Plugin unixsock>
  SocketFile "${home}/socket"
</Plugin>
LoadPlugin write_http
<Plugin write_http>
  <Node "millstream">
    URL "${server.url}/api/collectd?siteId=rack"
    Format JSON
    LogHttpError true
    ${node}
  </Node>
</Plugin>
`);
  const child = new Child(collectd, ['-f', '-C', configuration], { env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' }, cwd: home });
  atEnd(() => child.stop(5000));
  await until(() => {
    if (!child.running()) throw new Error(`collectd ended:\n${child.output}`);
    return fs.existsSync(`${home}/socket`);
  }, 'collectd listens on its socket', 20_000);
  return { child, socket: `${home}/socket` };
}

/** One command of collectd-unixsock(5), and its answer. */
function say(socket, command) {
  return new Promise((resolve, reject) => {
    const connection = net.connect(socket, () => connection.write(`${command}\n`));
    connection.setEncoding('utf8');
    connection.on('error', reject);
    connection.on('data', (answer) => {
      connection.destroy();
      resolve(answer);
    });
  });
}

test('what collectd measures, and what is put into it, is stored under its own names', async () => {
  const server = await Server.start({ development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  const viewer = { headers: bearer(jwt({ accountId: 'plant', roles: ['viewer'] })) };
  const { child, socket } = await start(server, `User "key"\n    Password "${jwt({ accountId: 'plant', roles: ['ingest'] })}"`);
  const second = Math.floor(Date.now() / 1000) - 20;
  for (const [values, at] of [['21.5', second], ['-3', second + 1], ['U', second + 2]]) {
    assert.match(await say(socket, `PUTVAL "boiler-1/plc-a/temperature-flow" interval=1 ${at}:${values}`), /^0 Success/);
  }
  assert.match(await say(socket, `PUTVAL "boiler-1/plc-a/if_octets" interval=1 ${second}:5:7`), /^0 Success/);
  const of = async (device) => (await backfillAll(server, { types: 'telemetry', deviceId: device }, viewer)).events;
  await until(async () => (await of('web-1')).length >= 2, 'two rounds of the machine\'s values', 30_000, 200).catch((error) => {
    throw new Error(`${error.message}\n${child.output}`);
  });
  const { code } = await child.stop(); // sends what it still holds
  assert.equal(code, 0, child.output);
  assert.doesNotMatch(child.output, /HTTP Error code/, child.output);

  const events = await of('boiler-1');
  assert.ok(events.every((event) => event.topic === 'account:plant/site:rack/device:boiler-1'));
  const put = new Map();
  for (const event of events) put.set(event.ts, { ...put.get(event.ts), ...event.data.fields });
  const at = (seconds) => new Date(seconds * 1000).toISOString();
  assert.deepEqual(Object.fromEntries(put), {
    [at(second)]: { 'plc-a.temperature-flow': 21.5, 'plc-a.if_octets.rx': 5, 'plc-a.if_octets.tx': 7 },
    [at(second + 1)]: { 'plc-a.temperature-flow': -3 },
  }, 'a value that is unknown is none');

  const { fields } = (await get(server, '/api/devices/web-1?siteId=rack', viewer)).json();
  for (const name of ['load.load.shortterm', 'load.load.longterm', 'memory.memory-free', 'interface-lo.if_octets.rx']) {
    assert.equal(typeof fields[name], 'number', `${name} is missing among ${Object.keys(fields).join(' ')}`);
  }
  const memory = Object.entries(fields).filter(([name]) => name.startsWith('memory.memory-'));
  const sum = memory.reduce((total, [, bytes]) => total + bytes, 0);
  assert.ok(sum > os.totalmem() / 2 && sum < os.totalmem() * 1.1, 'and it is this machine\'s memory');
  await server.stop();
});

test('a wrong password stands in its log', async () => {
  const server = await Server.start({ development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  const { child } = await start(server, 'User "key"\n    Password "wrong"');
  await until(() => /HTTP Error code: 401/.test(child.output), 'collectd says that it is refused', 30_000);
  await child.stop();
  await server.stop();
});

test('a bad value list is named, the others are stored, and a key makes it once', async () => {
  const server = await Server.start();
  const list = (host, values) => ({ host, plugin: 'p', plugin_instance: '', type: 't', type_instance: '', values, dsnames: ['value'] });
  const body = JSON.stringify([list('a', [1]), list('no/host', [2]), list('a', ['x'])]);
  const first = await post(server, '/api/collectd', body, { headers: { 'Idempotency-Key': 'k' } });
  assert.equal(first.status, 200);
  assert.equal(first.json().accepted, 1);
  assert.deepEqual(first.json().rejected.map(({ index }) => index), [1, 2]);
  const again = await post(server, '/api/collectd', body, { headers: { 'Idempotency-Key': 'k' } });
  assert.deepEqual([again.text, again.headers['idempotency-replayed']], [first.text, 'true']);
  assert.equal((await backfillAll(server, { types: 'telemetry' })).events.length, 1);
  const other = await post(server, '/api/collectd', 'PUTVAL a/p/t interval=1 1:1');
  assert.equal(other.status, 400);
  assert.equal(other.headers['content-type'], 'application/problem+json');
  await server.stop();
});
