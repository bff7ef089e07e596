// Idempotency-Key: a request that is sent again is stored once, and answered as the first time: one after the other, all
// at once, and across kill -9 with the answer lost on the way.

import assert from 'node:assert/strict';
import net from 'node:net';
import test, { before } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Server, Stream, bearer, backfillAll, jwt, jwtSecret, post } from './harness.mjs';

let server;
before(async () => {
  server = await Server.start();
});

const key = (value, headers = {}) => ({ headers: { 'Idempotency-Key': value, ...headers } });

async function stored(of, device, options) {
  const { events } = await backfillAll(of, { types: 'telemetry' }, options);
  return events.filter((event) => event.topic.endsWith(`/device:${device}`));
}

function assertRepeats(answer, first) {
  assert.equal(answer.status, first.status, answer.text);
  assert.equal(answer.text, first.text);
  assert.equal(answer.headers['content-type'], first.headers['content-type']);
  assert.equal(answer.headers['idempotency-replayed'], 'true');
}

test('100 re-sends of one key are one row, across kill -9 with the answer lost', async () => {
  const body = JSON.stringify([{ deviceId: 'once', fields: { n: 1 } }, { deviceId: 'once', fields: { n: 'x'.repeat(70_000) } }]);
  const stream = await Stream.open(server, '?deviceId=once&types=telemetry');
  // Sent, and the server ended as soon as what was stored is seen: this sender never reads its answer.
  const sender = net.connect(server.port, '127.0.0.1');
  sender.on('error', () => {});
  sender.pause();
  sender.write(`POST /api/ingest HTTP/1.1\r\nHost: 127.0.0.1\r\nIdempotency-Key: batch-1\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await stream.waitFor((m) => m.event === 'telemetry' && m.data.data.fields?.n === 1, 'the point is stored');
  await server.kill9();
  sender.destroy();
  stream.close();

  let first;
  let sent = 1;
  const repeat = async () => {
    const answer = await post(server, '/api/ingest', body, key('batch-1'));
    ++sent;
    first ??= answer;
    assertRepeats(answer, first);
    assert.equal(answer.json().accepted, 1);
    assert.equal(answer.json().rejected[0].index, 1);
  };
  for (let round = 0; round < 3; ++round) {
    await server.restart();
    for (let i = 0; i < 3; ++i) await Promise.all(Array.from({ length: 11 }, repeat));
    await server.kill9();
  }
  await server.restart();
  assert.equal(sent, 100);
  assert.equal((await stored(server, 'once')).length, 1);
});

test('a hundred at once, before any is stored, are one row', async () => {
  const body = '{"deviceId":"rush","fields":{"n":1}}';
  const answers = await Promise.all(Array.from({ length: 100 }, () => post(server, '/api/ingest', body, key('rush'))));
  assert.ok(answers.every((answer) => answer.status === 200 && answer.text === answers[0].text));
  assert.equal(answers.filter((answer) => answer.headers['idempotency-replayed'] === 'true').length, 99);
  assert.equal((await stored(server, 'rush')).length, 1);
});

test('whatever is killed in the middle is there once in the end', async () => {
  const numbers = Array.from({ length: 60 }, (_, n) => n);
  const send = async (n) => {
    for (;;) {
      try {
        const answer = await post(server, '/api/ingest', JSON.stringify({ deviceId: 'cut', fields: { n } }), key(`cut-${n}`));
        if (answer.status === 200) return;
        assert.equal(answer.status, 503, answer.text);
      } catch (error) {
        if (error.code === 'ERR_ASSERTION') throw error;
        await new Promise((resolve) => setTimeout(resolve, 10)); // the server is gone for the moment
      }
    }
  };
  for (let round = 0; round < 4; ++round) {
    const sending = Promise.all(numbers.slice(15 * round, 15 * round + 15).map(send));
    sending.catch(() => {}); // reported by the await below
    await new Promise((resolve) => setTimeout(resolve, 2 + round));
    await server.kill9();
    await server.restart();
    await sending;
  }
  const seen = (await stored(server, 'cut')).map((event) => event.data.fields.n);
  assert.deepEqual(seen.sort((a, b) => a - b), numbers);
});

test('the same key with another body, query or path is a 422, in the shape of the path', async () => {
  const first = await post(server, '/api/ingest', '{"deviceId":"other","fields":{"n":1}}', key('other'));
  assert.equal(first.status, 200);
  const another = await post(server, '/api/ingest', '{"deviceId":"other","fields":{"n":2}}', key('other'));
  assert.equal(another.status, 422);
  assert.equal(another.headers['content-type'], 'application/problem+json');
  assert.match(another.json().detail, /key was used before/);
  const query = await post(server, '/api/ingest?siteId=s', '{"deviceId":"other","fields":{"n":1}}', key('other'));
  assert.equal(query.status, 422);
  const v1 = await post(server, '/write?db=x', 'm,device=other n=1', key('other'));
  assert.equal(v1.status, 422);
  assert.match(v1.json().error, /key was used before/);
  const v2 = await post(server, '/api/v2/write?bucket=x', 'm,device=other n=1', key('other'));
  assert.equal(v2.status, 422);
  assert.deepEqual([v2.json().code, v2.headers['x-platform-error-code']], ['unprocessable entity', 'unprocessable entity']);
  const v3 = await post(server, '/api/v3/write_lp?db=x', 'm,device=other n=1', key('other'));
  assert.equal(v3.status, 422);
  assert.equal((await stored(server, 'other')).length, 1);
});

test('line protocol: a repeat has the first answer, a partial write and its headers too; gzip is the same body', async () => {
  const good = 'm,device=lines n=1\n';
  const bad = `${good}m,device=lines n=oops\n`;
  const cases = [['/write?db=x', 'X-InfluxDB-Error'], ['/api/v2/write?bucket=x', 'X-Platform-Error-Code'],
    ['/api/v3/write_lp?db=x', 'X-InfluxDB-Error']];
  for (const [target, header] of cases) {
    const first = await post(server, target, good, key(`good-${target}`));
    assert.equal(first.status, 204, first.text);
    const zipped = await post(server, target, gzipSync(good), key(`good-${target}`, { 'Content-Encoding': 'gzip' }));
    assertRepeats(zipped, first);
    const partial = await post(server, target, bad, key(`bad-${target}`));
    assert.equal(partial.status, 400);
    assert.match(partial.text, /oops/);
    const again = await post(server, target, bad, key(`bad-${target}`));
    assertRepeats(again, partial);
    assert.equal(again.headers[header.toLowerCase()], partial.headers[header.toLowerCase()]);
  }
  assert.equal((await stored(server, 'lines')).length, 6);
  const withCredential = await post(server, '/write?db=x&u=someone&p=secret', good, key('good-/write?db=x'));
  assert.equal(withCredential.headers['idempotency-replayed'], 'true', 'the credential in a query is not what is sent');
});

test('NDJSON, and a list of bad points too long to keep: fewer are named, in both answers', async () => {
  const lines = [JSON.stringify({ deviceId: 'long', fields: { n: 1 } })];
  for (let i = 0; i < 900; ++i) lines.push(JSON.stringify({ deviceId: `bad/${'x'.repeat(40)}`, fields: { [`${'f'.repeat(260)}${i}`]: 1 } }));
  const options = key('long', { 'Content-Type': 'application/x-ndjson' });
  const first = await post(server, '/api/ingest', lines.join('\n'), options);
  assert.equal(first.status, 200, first.text);
  assert.ok(first.text.length <= 64 << 10);
  const { accepted, rejected, rejectedCount } = first.json();
  assert.equal(accepted, 1);
  assert.equal(rejectedCount ?? rejected.length, 900);
  assertRepeats(await post(server, '/api/ingest', lines.join('\n'), options), first);
  assert.equal((await stored(server, 'long')).length, 1);
});

test('a request of which nothing is stored does not use its key up', async () => {
  for (const body of ['[{"deviceId":"a/b","fields":{"n":1}}]', 'nonsense', '[]']) {
    const answer = await post(server, '/api/ingest', body, key('free'));
    assert.equal(answer.status, 400);
    assert.equal(answer.headers['idempotency-replayed'], undefined);
  }
  const answer = await post(server, '/api/ingest', '{"deviceId":"free","fields":{"n":1}}', key('free'));
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['idempotency-replayed'], undefined);
});

test('what could not be stored any more was, the first time', async () => {
  // Stored, and from a moment later on older than the retention.
  const ts = Date.now() - 24 * 3_600_000 + 1500;
  const body = JSON.stringify({ deviceId: 'late', ts, fields: { n: 1 } });
  const first = await post(server, '/api/ingest', body, key('late'));
  assert.equal(first.status, 200, first.text);
  while (Date.now() - ts <= 24 * 3_600_000) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal((await post(server, '/api/ingest', body)).status, 400);
  assertRepeats(await post(server, '/api/ingest', body, key('late')), first);
  assert.equal((await post(server, '/api/ingest', body, key('later'))).status, 400, 'another key is another request');
});

test('a published event has one id', async () => {
  const body = JSON.stringify({ topic: 'account:demo', type: 'system', data: { kind: 'maintenance' } });
  const first = await post(server, '/api/events', body, key('publish'));
  assert.equal(first.status, 202, first.text);
  assertRepeats(await post(server, '/api/events', body, key('publish')), first);
  await server.kill9();
  await server.restart();
  assertRepeats(await post(server, '/api/events', body, key('publish')), first);
  assert.equal((await post(server, '/api/events', body.replace('maintenance', 'done'), key('publish'))).status, 422);
  const bad = body.replace('maintenance', 'hello');
  assert.equal((await post(server, '/api/events', bad, key('never'))).status, 400);
  const { events } = await backfillAll(server, { types: 'system' });
  assert.deepEqual(events.filter((event) => event.data.kind === 'maintenance').map((event) => event.id), [first.json().id]);
});

test('a key is 1 to 255 visible characters, given once', async () => {
  const body = '{"deviceId":"form","fields":{"n":1}}';
  for (const value of ['', 'x'.repeat(256), 'two words', 'tab\there', 'caf\u00e9', ['a', 'b']]) {
    const answer = await post(server, '/api/ingest', body, key(value));
    assert.equal(answer.status, 400, JSON.stringify(value));
    assert.match(answer.json().detail, /^Idempotency-Key: /);
    assert.match((await post(server, '/write?db=x', 'm n=1', key(value))).json().error, /^Idempotency-Key: /);
    assert.match((await post(server, '/api/events', '{}', key(value))).json().detail, /^Idempotency-Key: /);
  }
  for (const value of ['x', 'x'.repeat(255), '"8e03978e-40d5-43dd-bc93-6894a57f9324"']) {
    assert.equal((await post(server, '/api/ingest', body, key(value))).status, 200);
  }
});

test('a key is its account\'s and its credential\'s, and tells nobody else anything', async () => {
  const closed = await Server.start({ development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  const as = (accountId, sub, exp) => bearer(jwt({ accountId, sub, roles: ['ingest', 'viewer'], ...(exp ? { exp } : {}) }));
  const body = '{"deviceId":"shared","fields":{"n":1}}';
  const seconds = Math.floor(Date.now() / 1000);
  const send = (headers, text = body) => post(closed, '/api/ingest', text, key('same', headers));
  for (const headers of [as('a', 'anna'), as('b', 'anna'), as('a', 'otto')]) {
    const first = await send(headers);
    assert.equal(first.status, 200, first.text);
    assert.equal(first.headers['idempotency-replayed'], undefined);
  }
  assert.equal((await send(as('a', 'otto', seconds + 999))).headers['idempotency-replayed'], 'true', 'a newer token of his');
  assert.equal((await send(as('b', 'otto'), body.replace('1', '2'))).status, 200);
  assert.equal((await send(bearer(jwt({ accountId: 'a', sub: 'anna', roles: ['viewer'] })))).status, 403);
  assert.equal((await stored(closed, 'shared', { headers: as('a', 'anna') })).length, 2);
  assert.equal((await stored(closed, 'shared', { headers: as('b', 'anna') })).length, 2);
  await closed.stop();
});
