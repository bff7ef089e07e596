// Three instances with all that they can stand on: Redis, PostgreSQL and InfluxDB, behind a proxy that shares connections out
// in turn. What is made at one holds at all, and one alert lives on while its holder is killed, Redis comes back empty, and
// PostgreSQL is silent.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import {
  Stream, backfillAll, bearer, get, ingest, jwt, jwtSecret, login, post, request, sessionOf, sleep, until,
} from '../e2e/harness.mjs';
import { Influxd } from '../e2e/influxdb.mjs';
import { Postgres } from '../e2e/postgres_server.mjs';
import { Cluster } from './cluster.mjs';

const admin = bearer(jwt({ accountId: 'plant', roles: ['admin'] }));
const device = bearer(jwt({ accountId: 'plant', roles: ['ingest'] }));
let postgres;
let influx;
let cluster;
let points = 0;

const send = (server, method, target, body) => request(server.url, method, target, {
  body: body && JSON.stringify(body), headers: { ...admin, 'Content-Type': 'application/json' },
});
const value = async (T1) => {
  await ingest(cluster.proxy, { deviceId: 'boiler', siteId: 'cellar', fields: { T1, n: points } }, { headers: device });
  ++points;
};
const alive = () => cluster.servers.filter((server) => server.child.running());
const alertsAt = async (server) => (await get(server, '/api/alerts', { headers: admin })).json().alerts;
/** All instances say the same of the one alert. */
const untilAlert = (state, what) => until(async () => {
  const said = await Promise.all(alive().map(alertsAt));
  return said.every((alerts) => alerts.length === 1 && alerts[0].state === state) && said[0][0];
}, what, 15_000, 50);

before(async () => {
  [postgres, influx] = await Promise.all([Postgres.start(), Influxd.start()]);
  cluster = await Cluster.start({
    development: false,
    env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret },
    flags: [`--postgres.url=${postgres.url}`, `--postgres.password_file=${postgres.passwordFile}`, '--postgres.timeout=500ms',
      `--influx.url=${influx.url}`],
  });
  await until(() => cluster.holder(), 'an instance holds the lease');
});

test('one lease is held', async () => {
  const held = await Promise.all(cluster.servers.map(async (server) => /^millstream_lease_held (\d)/m.exec((await get(server, '/metrics')).text)[1]));
  assert.deepEqual(held.sort(), ['0', '0', '1']);
});

test('a sign-in, a session, a ticket and a key hold at every instance', async () => {
  const password = 'correct horse battery';
  const made = await send(cluster.servers[0], 'POST', '/api/users', { name: 'anna', password, roles: ['viewer'] });
  assert.equal(made.status, 201, made.text);
  const signedIn = await until(async () => {
    const answer = await login(cluster.proxy, { user: 'anna', password });
    return answer.status === 200 && answer;
  }, 'the user is known at each', 5000);
  const headers = { Cookie: sessionOf(signedIn) };
  for (let i = 0; i < 9; ++i) assert.equal((await get(cluster.proxy, '/api/me', { headers })).status, 200, 'wherever it goes');
  const asked = await post(cluster.proxy, '/api/stream-token', '', { headers: { ...headers, Origin: cluster.proxy.url } });
  assert.equal(asked.status, 200, asked.text);
  const { ticket } = asked.json();
  const first = await Stream.open(cluster.proxy, `?ticket=${ticket}`);
  assert.equal(first.status, 200, first.text);
  for (let i = 0; i < 3; ++i) assert.equal((await Stream.open(cluster.proxy, `?ticket=${ticket}`)).status, 401, 'used up everywhere');
  await value(20);
  await first.waitFor((m) => m.event === 'telemetry', 'the point');
  first.close();
  await value(21);
  const again = await Stream.open(cluster.proxy, `?ticket=${ticket}`, { lastEventId: first.lastEventId });
  assert.equal(again.status, 200, again.text);
  const missed = await again.waitFor((m) => m.event === 'telemetry', 'what came meanwhile');
  assert.equal(missed.data.data.fields.T1, 21);
  again.close();
});

test('a batch with a key is stored once, whichever instances it is sent to', async () => {
  const body = JSON.stringify({ deviceId: 'once', siteId: 'cellar', fields: { n: 1 } });
  const headers = { ...device, 'Content-Type': 'application/json', 'Idempotency-Key': 'k1' };
  const answers = await Promise.all(Array.from({ length: 9 }, () => post(cluster.proxy, '/api/ingest', body, { headers })));
  assert.ok(answers.every(({ status }) => status === 200), answers.map(({ text }) => text).join('\n'));
  assert.equal(answers.filter((answer) => answer.headers['idempotency-replayed'] === undefined).length, 1);
  const { events } = await backfillAll(cluster.servers[1], { topic: 'account:plant/site:cellar/device:once', types: 'telemetry' }, { headers: admin });
  assert.equal(events.length, 1);
});

let alertId;

test('a rule made at one instance fires for what comes in at the others', async () => {
  const made = await send(cluster.servers[2], 'POST', '/api/rules', {
    id: 'hot', when: { all: [{ field: 'T1' }] }, levels: [{ severity: 'warning', op: '>', value: 70, clear: 60 }],
  });
  assert.equal(made.status, 201, made.text);
  for (const server of cluster.servers) {
    await until(async () => (await get(server, '/api/rules/hot', { headers: admin })).status === 200, 'it is known', 5000);
  }
  await value(75);
  alertId = (await untilAlert('firing', 'all show the alert')).alertId;
});

test('the alert lives on when the holder of the lease is killed', async () => {
  const holder = await cluster.holder();
  await holder.kill9();
  const killedAt = performance.now();
  await value(76);
  await until(() => cluster.holder(), 'another one holds the lease', 10_000);
  console.log(`# another instance held the lease after ${Math.round(performance.now() - killedAt)} ms`);
  const acked = await post(cluster.proxy, `/api/alerts/${alertId}/ack`, JSON.stringify({ note: 'on my way' }), {
    headers: { ...admin, 'Content-Type': 'application/json' },
  });
  assert.equal(acked.status, 200, acked.text);
  assert.equal((await untilAlert('acknowledged', 'all know of the acknowledgement')).alertId, alertId);
  await holder.restart();
  assert.equal((await untilAlert('acknowledged', 'and so does who comes back')).alertId, alertId);
});

test('the alert lives on when Redis comes back with nothing', async () => {
  const viewer = await Stream.open(cluster.proxy, '', { headers: admin });
  await cluster.redis.kill9();
  await sleep(500);
  await cluster.redis.launchEmpty();
  await until(() => cluster.holder(), 'an instance holds the lease', 20_000);
  await until(async () => {
    try {
      await value(50);
      return true;
    } catch {
      return false;
    }
  }, 'points are taken again');
  const ended = await viewer.waitFor((m) => m.event === 'alert' && m.data.data.state === 'resolved', 'the end of the alert', 20_000);
  assert.equal(ended.data.data.alertId, alertId, 'of the alert that began before the loss');
  assert.ok(!viewer.events('alert').some(({ data }) => data.state === 'firing'), 'which did not begin again');
  assert.ok(viewer.system('gap').length >= 1, 'the loss was declared');
  viewer.close();
});

test('with PostgreSQL silent streams and ingest go on, another holder takes over, and changes wait', async () => {
  postgres.pause();
  const holder = await cluster.holder();
  const viewer = await Stream.open(cluster.servers.find((server) => server !== holder), '?types=telemetry,alert', { headers: admin });
  await holder.kill9();
  await value(90);
  await viewer.waitFor((m) => m.event === 'telemetry', 'the point');
  await viewer.waitFor((m) => m.event === 'alert' && m.data.data.state === 'firing', 'the alert', 15_000);
  const refused = await send(alive()[0], 'PUT', '/api/rules/hot', { id: 'hot', when: { all: [{ field: 'T1' }] }, levels: [{ severity: 'warning', op: '>', value: 71 }] });
  assert.equal(refused.status, 503, refused.text);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  assert.equal((await get(alive()[0], '/ready')).json().registry, 'away');
  postgres.goOn();
  await until(async () => (await get(alive()[0], '/ready')).json().registry === 'ok', 'PostgreSQL is there again');
  viewer.close();
  await holder.restart();
});

test('InfluxDB has every point once, whoever wrote it', async () => {
  await until(async () => (await influx.count('n', `WHERE device = 'boiler'`)) === points, `all ${points} points`, 20_000, 200);
});

test('everything ends cleanly', async () => {
  await cluster.stop();
});
