// A queue of SQS, against a server of its protocol that checks every request (sqs_server.mjs).

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { SqsServer, credential, region } from './sqs_server.mjs';
import { Server, Stream, backfillAll, binary, get, tempDirectory, until } from './harness.mjs';

const feedOf = (queue, ...lines) => `[[sqs]]
name = "plant"
queue_url = "${queue.queueUrl}"
region = "${region}"
account = "demo"
wait = "1s"
visibility = "2s"
${lines.join('\n')}
`;
const environment = { AWS_ACCESS_KEY_ID: credential.id, AWS_SECRET_ACCESS_KEY: credential.secret };

async function metric(server, name, labels = '') {
  const text = (await get(server, '/metrics')).text;
  const line = text.split('\n').find((l) => l.startsWith(`millstream_sqs_${name}{feed="plant"${labels}} `));
  assert.ok(line, `there is a metric ${name}`);
  return Number(line.split(' ').at(-1));
}
const refused = (server, reason) => metric(server, 'refused_total', `,reason="${reason}"`);

async function reading(queue, { lines = [], env = environment } = {}) {
  const server = await Server.start({ config: feedOf(queue, ...lines), env });
  await until(async () => (await metric(server, 'connected')) === 1, 'the queue answers', 20_000);
  return server;
}

const isEmpty = (queue) => until(() => queue.messages.length === 0, 'the queue is empty', 30_000);

/** Stops the server; the queue must have nothing to say against it. */
async function done(server, queue) {
  await server.stop();
  assert.deepEqual(queue.broken, []);
  assert.doesNotMatch(server.child.output, new RegExp(credential.secret.slice(0, 12)));
}

const topic = 'account:demo/site:1/device:elink-99';
const eventOf = (n, more = {}) => ({ id: `p${n}`, topic, type: 'telemetry', data: { fields: { n } }, ...more });
const numbers = async (server) =>
  (await backfillAll(server, { types: 'telemetry' })).events.map((e) => e.data.fields.n).sort((a, b) => a - b);

test('events, telemetry and what SNS wraps of them arrive at a viewer once, and are deleted', async () => {
  const queue = await SqsServer.start();
  const server = await reading(queue);
  const stream = await Stream.open(server);
  queue.send(eventOf(1));
  queue.send({ siteId: '1', deviceId: 'elink-99', fields: { n: 2 } });
  queue.send([3, 4].map((n) => ({ siteId: '1', deviceId: 'elink-99', ts: Date.now() - n, fields: { n } })));
  queue.send({ Type: 'Notification', MessageId: 'm', Message: JSON.stringify(eventOf(5)) });
  queue.send({ topic: 'account:demo', type: 'system', data: { message: 'maintenance at noon' } });
  queue.send({ topic, type: 'alert', data: { ruleId: 'hot', severity: 'critical', message: 'too hot' } });
  await until(() => stream.events('telemetry').length >= 5, 'the telemetry', 20_000);
  const { data: fired } = await stream.waitFor((m) => m.event === 'alert', 'the alert');
  assert.equal(fired.data.alertId, 'plant:hot.1.elink-99');
  await stream.waitFor((m) => m.data.data?.kind === 'notice', 'the notice');
  await isEmpty(queue);
  assert.deepEqual(await numbers(server), [1, 2, 3, 4, 5]);
  assert.equal(stream.events('telemetry').find((e) => e.data.fields.n === 1).data.publisherId, 'p1');
  assert.equal(queue.deleted.length, 6);
  assert.equal(await metric(server, 'received_total'), 6);
  assert.equal(await metric(server, 'stored_total'), 6);
  assert.equal(await metric(server, 'deleted_total'), 6);
  assert.equal(await metric(server, 'redelivered_total'), 0);
  await done(server, queue);
});

test('killed between storing and deleting, it gets the message again and stores it once', async () => {
  const queue = await SqsServer.start();
  const server = await reading(queue);
  for (let i = 0; i < 3; ++i) queue.fail('DeleteMessageBatch', 'hang');
  for (const n of [1, 2, 3]) queue.send(eventOf(n));
  await until(async () => (await numbers(server)).length === 3, 'they are stored', 20_000);
  await until(() => queue.count('DeleteMessageBatch') > 0, 'it deletes');
  await server.kill9();
  queue.faults = [];
  assert.equal(queue.deleted.length, 0);
  await server.restart();
  await isEmpty(queue);
  assert.equal(await metric(server, 'redelivered_total'), 3);
  assert.equal(await metric(server, 'repeated_total'), 3);
  assert.equal(await metric(server, 'stored_total'), 0);
  assert.deepEqual(await numbers(server), [1, 2, 3]);
  await done(server, queue);
});

const poison = [
  ['malformed', '{"topic": '],
  ['account', { ...eventOf(1), topic: 'account:other/site:1/device:d' }],
  ['not_admitted', [{ siteId: '1', deviceId: 'd', fields: { n: 7 } }, { siteId: '1', deviceId: 'not a name', fields: { n: 8 } }]],
];

test('what can never be stored is named and left for the redrive policy, and holds nothing up', async () => {
  const queue = await SqsServer.start({ maxReceiveCount: 2 });
  const server = await reading(queue);
  const ids = poison.map(([, body]) => queue.send(body));
  queue.send(eventOf(9));
  await until(() => queue.deleted.length === 1, 'the good one is done');
  await until(() => queue.count('ChangeMessageVisibilityBatch') > 0, 'the others are hidden');
  await until(() => queue.deadLetters.length === 3, 'they are dead letters', 40_000);
  assert.deepEqual(queue.deadLetters.map((m) => m.id).sort(), [...ids].sort());
  assert.deepEqual(await numbers(server), [7, 9]); // the good point of a bad message, once
  for (const [reason] of poison) assert.equal(await refused(server, reason), 2);
  assert.match(server.child.output, new RegExp(`sqs: not stored.*(${ids.join('|')})`));
  const times = queue.calls.filter((c) => c.action === 'ChangeMessageVisibilityBatch')
    .flatMap((c) => c.body.Entries.map((e) => e.VisibilityTimeout));
  assert.deepEqual([...new Set(times)].sort(), [2, 4], 'for longer each time');
  await done(server, queue);
});

test('poison = "delete": it is deleted the first time', async () => {
  const queue = await SqsServer.start();
  const server = await reading(queue, { lines: ['poison = "delete"'] });
  for (const [, body] of poison) queue.send(body);
  await isEmpty(queue);
  assert.equal(queue.deleted.length, 3);
  for (const [reason] of poison) assert.equal(await refused(server, reason), 1);
  assert.equal(await metric(server, 'redelivered_total'), 0);
  await done(server, queue);
});

test('a queue that fails is asked again, and nothing is lost or twice', async () => {
  const queue = await SqsServer.start();
  const server = await reading(queue);
  const faults = [[500], [503, 'ThrottlingException'], [400, 'RequestThrottled'], ['half'], ['not-json'], ['md5'],
    [403, 'ExpiredTokenException'], ['hang']];
  let n = 0;
  for (const [how, code] of faults) {
    queue.fail('ReceiveMessage', how, code);
    queue.send(eventOf(++n));
    await until(() => queue.faults.length === 0, `the fault ${how}`, 20_000);
  }
  for (const how of [500, 'half', 'not-json']) {
    queue.fail('DeleteMessageBatch', how);
    queue.send(eventOf(++n));
    await until(() => !queue.faults.length, `the fault ${how}`, 20_000);
  }
  queue.send(eventOf(++n));
  await isEmpty(queue);
  assert.deepEqual(await numbers(server), Array.from({ length: n }, (_, i) => i + 1));
  assert.equal(await metric(server, 'connected'), 1);
  assert.ok((await metric(server, 'request_errors_total')) >= 8);
  assert.ok((await refused(server, 'damaged')) <= 10);
  for (const words of ['InternalFailure', 'ThrottlingException', 'ExpiredTokenException', 'not JSON']) {
    assert.match(server.child.output, new RegExp(words));
  }
  await done(server, queue);
});

test('two servers at one queue share its messages; a key of a file, a token of the environment', async () => {
  const queue = await SqsServer.start();
  const file = path.join(tempDirectory('secret'), 'key');
  fs.writeFileSync(file, `${credential.secret}\n`, { mode: 0o600 });
  const lines = [`access_key_id = "${credential.id}"`, `secret_key_file = "${file}"`];
  const servers = [await reading(queue, { lines, env: {} }), await reading(queue, { lines, env: {} })];
  for (let n = 1; n <= 40; ++n) queue.send(eventOf(n));
  await isEmpty(queue);
  const all = (await Promise.all(servers.map(numbers))).flat().sort((a, b) => a - b);
  assert.deepEqual(all, Array.from({ length: 40 }, (_, i) => i + 1));
  for (const server of servers) await done(server, queue);

  const guarded = await SqsServer.start({ token: 'FwoGZXIvYXdzEXAMPLE/+=' });
  const server = await reading(guarded, { env: { ...environment, AWS_SESSION_TOKEN: guarded.token } });
  guarded.send(eventOf(1));
  await isEmpty(guarded);
  await done(server, guarded);
});

test('a wrong secret is told without any secret', async () => {
  const queue = await SqsServer.start();
  const server = await Server.start({ config: feedOf(queue), env: { ...environment, AWS_SECRET_ACCESS_KEY: 'hunter2' } });
  await until(() => /sqs: the queue does not.*SignatureDoesNotMatch/.test(server.child.output), 'the refusal is logged');
  assert.equal(await metric(server, 'connected'), 0);
  assert.doesNotMatch(server.child.output, /hunter2|Canonical/);
  await done(server, queue);
  const far = await Server.start({ config: feedOf(queue, 'endpoint = "http://queue.invalid"'), env: environment });
  assert.match(far.child.output, /messages of SQS.*in the clear/);
  await far.stop();
  const config = path.join(tempDirectory('config'), 'millstream.toml');
  fs.writeFileSync(config, feedOf(queue));
  const checked = (env) => spawnSync(binary, ['check-config', '--config', config],
    { env: { ...env, MILLSTREAM_AUTH_DEVELOPMENT: 'true' }, encoding: 'utf8' });
  assert.match(checked(environment).stdout, /, 1 SQS queue\n/);
  assert.match(checked({}).stderr, /sqs "plant": no credential/);
});
