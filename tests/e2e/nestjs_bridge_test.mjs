// examples/nestjs-bridge as it stands: a NestJS service, its Redis, and what a viewer of Millstream sees of both its ways.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Redis } from './redis.mjs';
import { Child, Server, Stream, atEnd, root, until } from './harness.mjs';

const example = path.join(root, 'examples/nestjs-bridge');

test('what a NestJS service publishes on its channel and sends by HTTP reaches one stream', async () => {
  const compiler = new Child(process.execPath, ['node_modules/typescript/bin/tsc'], { cwd: example });
  assert.equal((await compiler.wait(60_000, 'tsc')).code, 0, compiler.output);

  const redis = await Redis.start();
  const config = fs.readFileSync(path.join(example, 'millstream.toml'), 'utf8');
  assert.ok(config.includes('redis://127.0.0.1:6379'));
  const server = await Server.start({ config: config.replace('redis://127.0.0.1:6379', redis.url) });
  await until(() => server.child.output.includes('redis feed: subscribed'), 'the feed is subscribed');
  const stream = await Stream.open(server, '?types=telemetry,alert');

  const service = new Child(process.execPath, ['dist/main.js'], {
    cwd: example,
    env: { PATH: process.env.PATH, REDIS_URL: redis.url, MILLSTREAM_URL: server.url, INTERVAL_MS: '100' },
  });
  atEnd(() => service.stop());
  const seen = (type, device) => until(() => stream.events(type).find((e) => e.topic.endsWith(`device:${device}`)),
    `${type} of ${device}: ${service.output}`, 30_000);
  const [byRedis, byHttp] = await Promise.all(['elink-99', 'elink-100'].map((device) => seen('telemetry', device)));
  assert.deepEqual(Object.keys(byRedis.data.fields), Object.keys(byHttp.data.fields));
  assert.ok(byRedis.data.publisherId);
  const alerts = await Promise.all(['elink-99', 'elink-100'].map((device) => seen('alert', device)));
  assert.deepEqual(alerts.map((e) => [e.data.alertId, e.data.state]),
    [['nest:hot.1.elink-99', 'firing'], ['nest:hot.1.elink-100', 'firing']]);
  // What the service did before goes on: its own viewers see what came by the channel.
  assert.match(service.output, /local viewer: telemetry/);
  assert.match(service.output, /by Redis: heard by 2/);
  await server.stop();
});
