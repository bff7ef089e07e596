// Debian's python3-influxdb, as packaged, against the server. What it reads of an error: its exception
// InfluxDBClientError has the status as `code`, and the whole body as `content` and in its words.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { before } from 'node:test';
import { Child, Server, backfillAll, bearer, jwt, jwtSecret, tempDirectory } from './harness.mjs';

const python = '/usr/bin/python3'; // Debian's, which has Debian's package

let server;
before(async () => {
  assert.ok(fs.existsSync('/usr/lib/python3/dist-packages/influxdb'), 'Debian\'s python3-influxdb is not installed: ./dev setup');
  server = await Server.start();
});

/** Runs a script that has `client`, and gives what it puts into `out`. */
async function run(script, { of = server, options = '' } = {}) {
  const file = path.join(tempDirectory('python'), 'client.py');
  fs.writeFileSync(file, `
import json
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError
client = InfluxDBClient(host='127.0.0.1', port=${of.port}, database='home', ${options})
out = {}
${script}
print(json.dumps(out))
`);
  const child = new Child(python, [file], { env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' } });
  const { code } = await child.wait(30_000, 'the script');
  assert.equal(code, 0, child.output);
  return JSON.parse(child.stdout);
}

async function fieldsOf(device, of = server, options = {}) {
  const { events } = await backfillAll(of, { types: 'telemetry', deviceId: device }, options);
  return events.map((event) => [event.ts, event.data.fields]);
}

test('it finds the server, makes its database and finds that', async () => {
  const out = await run(`
out['version'] = client.ping()
client.create_database('home')
out['databases'] = client.get_list_database()
`);
  assert.match(out.version, /^1\./);
  assert.deepEqual(out.databases.map((database) => database.name).includes('millstream'), true);
});

for (const gzip of ['False', 'True']) {
  test(`write_points: every type, times in every form, batches (gzip=${gzip})`, async () => {
    const device = `py-${gzip.toLowerCase()}`;
    const second = Math.floor(Date.now() / 1000) - 100;
    const out = await run(`
import datetime
out['ok'] = client.write_points([
    {'measurement': 'boiler', 'tags': {'device': '${device}'}, 'time': ${second},
     'fields': {'pressure': 1.25, 'count': 7, 'on': True, 'note': 'a "b" \\\\ c, d=e'}},
], time_precision='s')
out['datetime'] = client.write_points([
    {'measurement': 'telemetry', 'time': datetime.datetime.fromtimestamp(${second + 1}, datetime.timezone.utc), 'fields': {'T1': 9.0}},
], tags={'device': '${device}'})
out['text'] = client.write_points([
    {'measurement': 'telemetry', 'time': '${new Date((second + 2) * 1000).toISOString()}', 'fields': {'T1': 10.0}},
], tags={'device': '${device}'})
out['batch'] = client.write_points(
    [{'measurement': 'telemetry', 'time': ${second + 3} * 1000 + i, 'fields': {'n': i}} for i in range(2500)],
    tags={'device': '${device}-many'}, time_precision='ms', batch_size=1000)
out['lines'] = client.write_points(['telemetry,device=${device} T1=11 %d' % ((${second} + 4) * 1000)], time_precision='ms', protocol='line')
`, { options: `gzip=${gzip}` });
    assert.deepEqual(out, { ok: true, datetime: true, text: true, batch: true, lines: true });
    const at = (seconds) => new Date(seconds * 1000).toISOString();
    assert.deepEqual(await fieldsOf(device), [
      [at(second), { 'boiler.count': 7, 'boiler.note': 'a "b" \\ c, d=e', 'boiler.on': true, 'boiler.pressure': 1.25 }],
      [at(second + 1), { T1: 9 }],
      [at(second + 2), { T1: 10 }],
      [at(second + 4), { T1: 11 }],
    ]);
    assert.deepEqual((await fieldsOf(`${device}-many`)).map(([, fields]) => fields.n), Array.from({ length: 2500 }, (_, n) => n));
  });
}

test('a partial write: the good points are there, and InfluxDBClientError says which was not and why', async () => {
  const out = await run(`
try:
    client.write_points([
        {'measurement': 'telemetry', 'tags': {'device': 'py-bad'}, 'fields': {'T1': 1.0}},
        {'measurement': 'telemetry', 'tags': {'device': 'no/device'}, 'fields': {'T1': 2.0}},
        {'measurement': 'telemetry', 'tags': {'device': 'py-bad'}, 'fields': {'T2': 3.0}},
    ])
except InfluxDBClientError as error:
    out = {'code': error.code, 'content': error.content, 'text': str(error)}
`);
  assert.equal(out.code, 400);
  const { error } = JSON.parse(out.content);
  assert.match(error, /^partial write: line 2: deviceId: a name is .* dropped=1 for database: home$/);
  assert.ok(out.text.startsWith('400: ') && out.text.includes('partial write'), out.text);
  const fields = Object.assign({}, ...(await fieldsOf('py-bad')).map(([, f]) => f));
  assert.deepEqual(fields, { T1: 1, T2: 3 });
});

test('a line that is none, and a query that is not answered, are errors in the server\'s words', async () => {
  const out = await run(`
for name, do in [('line', lambda: client.write_points(['nonsense'], protocol='line')),
                 ('query', lambda: client.query('SELECT * FROM boiler'))]:
    try:
        do()
    except InfluxDBClientError as error:
        out[name] = [error.code, str(error)]
`);
  assert.equal(out.line[0], 400);
  assert.match(out.line[1], /unable to parse 'nonsense'/);
  assert.equal(out.query[0], 400);
  assert.match(out.query[1], /only CREATE DATABASE and SHOW DATABASES are answered here/);
});

test('its user and password are the key; a wrong one is a 401, not silence', async () => {
  const closed = await Server.start({ development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  const token = jwt({ accountId: 'plant', roles: ['ingest'] });
  const points = '[{"measurement": "telemetry", "tags": {"device": "d"}, "fields": {"T1": 1.0}}]';
  const right = await run(`out['ok'] = client.write_points(${points})`, { of: closed, options: `username='key', password='${token}'` });
  assert.equal(right.ok, true);
  const wrong = await run(`
try:
    client.write_points(${points})
except InfluxDBClientError as error:
    out = {'code': error.code, 'text': str(error)}
`, { of: closed, options: 'username="key", password="wrong"' });
  assert.equal(wrong.code, 401);
  assert.match(wrong.text, /^401: \{"error":"/);
  assert.equal((await fieldsOf('d', closed, { headers: bearer(jwt({ accountId: 'plant', roles: ['viewer'] })) })).length, 1);
  await closed.stop();
});
