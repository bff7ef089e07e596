// Debian's own Glances, as packaged, exports to the server as if it were InfluxDB: nothing on its side is changed but
// where to send.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { Child, Server, Stream, account, atEnd, backfillAll, get, tempDirectory, until } from './harness.mjs';

const glances = '/usr/bin/glances';

test('the metrics of Glances appear in the stream, in backfill, in the series and among the devices', async () => {
  assert.ok(fs.existsSync(glances), 'Debian\'s glances is not installed: ./dev setup');
  const server = await Server.start();
  const stream = await Stream.open(server, '?types=telemetry');

  const home = tempDirectory('glances');
  const configuration = path.join(home, 'glances.conf');
  fs.writeFileSync(configuration, `[influxdb]
host=127.0.0.1
port=${server.port}
protocol=http
user=root
password=root
db=glances
tags=device:office-pc,site:home
`);
  const child = new Child(
    glances,
    ['-C', configuration, '--export', 'influxdb', '--quiet', '--time', '1', '--stop-after', '4', '--disable-plugin', 'cloud,docker,ports'],
    // Debian's Python, whatever else is in the caller's PATH.
    { env: { PATH: '/usr/bin:/bin', HOME: home, LANG: 'C.UTF-8', TERM: 'dumb' }, cwd: home },
  );
  atEnd(() => child.stop(1000));
  await until(() => stream.events('telemetry').length > 0 || !child.running(), 'the first metrics', 60_000);
  const { code } = await child.wait(60_000, 'glances');
  assert.equal(code, 0, child.output);

  const topic = `account:${account}/site:home/device:office-pc`;
  const live = stream.events('telemetry');
  assert.ok(live.length > 0, `glances sent nothing: ${child.output}`);
  assert.ok(live.every((event) => event.topic === topic));
  const names = new Set(live.flatMap((event) => Object.keys(event.data.fields)));
  for (const name of ['cpu.user', 'cpu.total', 'mem.percent', 'mem.total', 'load.min1']) {
    assert.ok(names.has(name), `${name} is missing among ${[...names].sort().slice(0, 60).join(' ')}`);
  }

  const { events } = await backfillAll(server, { topic, types: 'telemetry' });
  assert.deepEqual(events.map((event) => event.id), live.map((event) => event.id));
  const totals = events.map((event) => event.data.fields['mem.total']).filter((value) => value !== undefined);
  assert.ok(totals.length >= 2, 'more than one round was exported');
  assert.equal(totals[0], os.totalmem(), 'and it is this machine\'s memory');

  const series = (await get(server, '/api/series?deviceId=office-pc&siteId=home&fields=mem.percent,cpu.total')).json();
  assert.ok(series.series['mem.percent'].length >= 1);
  for (const bucket of series.series['mem.percent']) {
    assert.ok(bucket.min >= 0 && bucket.min <= bucket.avg && bucket.avg <= bucket.max && bucket.max <= 100);
  }
  const device = (await get(server, '/api/devices/office-pc')).json();
  assert.equal(device.status, 'online');
  assert.equal(device.siteId, 'home');
  assert.equal(device.fields['mem.total'], os.totalmem());
  await server.stop();
});
