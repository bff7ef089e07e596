// curl, with the lines of the README as they stand there, but for the port. What it reads of an error: nothing but the
// status, unless it is asked for: --fail makes the exit code 22, --fail-with-body shows the server's words as well.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { before } from 'node:test';
import { Child, Server, backfillAll, root, tempDirectory, until } from './harness.mjs';

const curl = '/usr/bin/curl';
const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
const home = tempDirectory('curl');
const tried = new Set();

let server;
before(async () => {
  assert.ok(fs.existsSync(curl), 'curl is not installed: ./dev setup');
  server = await Server.start();
  // What the lines of the README leave unsaid here: no progress on stderr, an end to streams, and a bad status is an error.
  fs.writeFileSync(path.join(home, '.curlrc'), 'silent\nshow-error\nfail-with-body\nmax-time=5\n');
});

/** Runs a shell line in `home`, and gives its exit code and output. */
async function shell(line) {
  const here = line.replaceAll('http://127.0.0.1:8080', server.url);
  const child = new Child('/bin/bash', ['-o', 'pipefail', '-c', here], { env: { PATH: '/usr/bin:/bin', HOME: home }, cwd: home });
  const { code } = await child.wait(30_000, line);
  return { code, text: child.stdout, all: child.output };
}

/** The one line of the README that holds all of these words. */
function lineWith(...words) {
  const lines = readme.split('\n').filter((line) => /^(?:gzip .*\| )?curl /.test(line) && words.every((word) => line.includes(word)));
  assert.equal(lines.length, 1, `lines of the README with ${words}: ${lines.join('\n')}`);
  tried.add(lines[0]);
  return lines[0];
}

async function succeeds(line) {
  const { code, text, all } = await shell(line);
  assert.equal(code, 0, `${line}\n${all}`);
  return text;
}

async function fieldsOf(device) {
  return (await backfillAll(server, { types: 'telemetry', deviceId: device })).events.map((event) => event.data.fields);
}

test('Send: JSON, NDJSON, line protocol in both forms, gzip', async () => {
  assert.deepEqual(JSON.parse(await succeeds(lineWith('"pump":true', '/api/ingest'))), { accepted: 1, rejected: [] });
  fs.writeFileSync(path.join(home, 'points.ndjson'), '{"deviceId":"boiler-1","siteId":"cellar","fields":{"T1":22}}\n{"deviceId":"boiler-2","fields":{"T1":1}}\n');
  assert.deepEqual(JSON.parse(await succeeds(lineWith('@points.ndjson'))), { accepted: 2, rejected: [] });
  assert.equal(await succeeds(lineWith('/write?db=any\'')), '');
  assert.equal(await succeeds(lineWith('/api/v3/write_lp')), '');
  fs.writeFileSync(path.join(home, 'lines.txt'), `boiler,device=boiler-3 T1=5 ${Math.floor(Date.now() / 1000)}\n`);
  assert.equal(await succeeds(lineWith('gzip -c')), '');
  assert.deepEqual(await fieldsOf('boiler-1'),
    [{ T1: 21.5, pump: true }, { T1: 22 }, { 'boiler.T1': 21.5, 'boiler.pump': true }, { 'boiler.T1': 21.5 }]);
  assert.deepEqual(await fieldsOf('boiler-3'), [{ 'boiler.T1': 5 }]);
});

test('Send: the same key twice, and a notice', async () => {
  const line = lineWith('Idempotency-Key');
  const before = (await fieldsOf('boiler-1')).length;
  const first = await succeeds(line);
  const again = await succeeds(line.replace('curl ', 'curl -i '));
  assert.match(again, /^idempotency-replayed: true\r$/im);
  assert.ok(again.endsWith(first));
  assert.equal((await fieldsOf('boiler-1')).length, before + 1);
  assert.match(JSON.parse(await succeeds(lineWith('"kind":"maintenance"'))).id, /^\d+-\d+$/);
});

test('Look back: events, CSV, a span told again, the stream', async () => {
  const page = JSON.parse(await succeeds(lineWith('/api/events/backfill')));
  assert.ok(page.events.length >= 5 && page.events.every((event) => event.topic.endsWith('/device:boiler-1')));
  assert.equal(await succeeds(lineWith('text/csv')), '');
  const csv = fs.readFileSync(path.join(home, 'T1.csv'), 'utf8').split('\r\n');
  assert.equal(csv[0], 'time,field,min,max,avg,last,count');
  assert.match(csv[1], /^20\d\d-[^,]*,T1,21\.5,22,/);
  // Its span is in the past of whoever reads it, so one of our own.
  const from = new Date(Date.now() - 60_000).toISOString();
  const replay = lineWith('/api/replay').replace(/since=[^&]*&until=[^&]*&speed=60&types=alert/, `since=${from}&until=${new Date().toISOString()}&speed=max`);
  assert.match(await succeeds(replay), /^event: telemetry$/m);
  const stream = await shell(lineWith('/api/stream?snapshot=latest\'').replace('curl ', 'curl --max-time 1 '));
  assert.equal(stream.code, 28, 'a stream ends when its reader wants it to');
  assert.match(stream.text, /^event: system$/m);
});

test('Alerts: those that are open, an acknowledgement, a silence', async () => {
  const rule = { id: 'hot', scope: { topic: 'account:demo' }, when: { all: [{ field: 'T2' }] }, levels: [{ severity: 'warning', op: '>', value: 70 }] };
  await succeeds(`curl -d '${JSON.stringify(rule)}' http://127.0.0.1:8080/api/rules`);
  await succeeds(`curl -d '{"deviceId":"boiler-1","siteId":"cellar","fields":{"T2":75}}' http://127.0.0.1:8080/api/ingest`);
  const open = lineWith('/api/alerts?state=open');
  const [alert] = await until(async () => {
    const { alerts } = JSON.parse(await succeeds(open));
    return alerts.length > 0 && alerts;
  }, 'the alert');
  assert.match(alert.alertId, /^hot\.cellar\.boiler-1\.\d+\.1$/);
  // The id is of its moment, so one of our own.
  const ack = lineWith('/ack').replace(/alerts\/[^/]+\/ack/, `alerts/${alert.alertId}/ack`);
  assert.equal(JSON.parse(await succeeds(ack)).ack.note, 'on my way');
  const silence = JSON.parse(await succeeds(lineWith('/api/silences')));
  assert.equal(silence.active, true);
  assert.deepEqual(JSON.parse(await succeeds(open)).alerts[0].silenced, [silence.id]);
});

test('no line of the README that needs no sign-in and no certificate is left out', () => {
  const lines = readme.split('\n').filter((line) => /^(?:gzip .*\| )?curl /.test(line) && line.includes('http://127.0.0.1:8080'));
  assert.deepEqual(lines.filter((line) => !tried.has(line)), []);
});

test('bad input: exit code 22, and the server\'s words when they are asked for', async () => {
  const json = await shell(lineWith('"pump":true', '/api/ingest').replace('"boiler-1"', '"boiler 1"'));
  assert.equal(json.code, 22);
  assert.match(JSON.parse(json.text).errors[0].reason, /^deviceId: /);
  const partial = await shell(lineWith('/write?db=any\'').replace("T1=21.5,pump=true'", "T1=21.5\nboiler,device=boiler-1 T1=warm'"));
  assert.equal(partial.code, 22);
  assert.match(JSON.parse(partial.text).error, /^partial write: .*dropped=1/);
  const whole = await shell(lineWith('/api/v3/write_lp').replace("T1=21.5'", "T1=1\nboiler,device=boiler-9 T1=warm'"));
  assert.equal(whole.code, 22);
  assert.match(JSON.parse(whole.text).message, /parsing failed.*line 2/);
  const torn = await shell('printf nonsense | curl -H "Content-Encoding: gzip" --data-binary @- "http://127.0.0.1:8080/write?db=x"');
  assert.equal(torn.code, 22);
  assert.match(JSON.parse(torn.text).error, /gzip/);
  const silent = await shell('curl --no-fail-with-body --fail -d x http://127.0.0.1:8080/api/ingest');
  assert.deepEqual([silent.code, silent.text], [22, '']);
  assert.match(silent.all, /error: 400/);
});
