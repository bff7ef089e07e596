// Everything a device or a script can get wrong, and the exact answer it gets. Nothing here may end the server.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Server, Stream, account, backfillAll, get, ingest, post, raw, request, systemData, until } from './harness.mjs';

let server;
before(async () => {
  server = await Server.start();
});

const json = { 'Content-Type': 'application/json' };
const gzip = { 'Content-Encoding': 'gzip' };

/** Every error outside the Influx paths is problem+json that says what and where. */
function assertProblem(answer, status, ...words) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'], /^application\/problem\+json/);
  const problem = answer.json();
  assert.equal(problem.status, status);
  assert.equal(typeof problem.title, 'string');
  const said = JSON.stringify(problem);
  for (const word of words) assert.ok(said.includes(word), `the answer should name ${word}: ${said}`);
}

async function fieldsOf(device) {
  const { events } = await backfillAll(server, {
    topic: `account:${account}/site:*/device:${device}`,
    types: 'telemetry',
  });
  return events.map((event) => event.data.fields);
}

// --- whole bodies ---

const wholeBodies = [
  ['a body that is not JSON', '{"deviceId":', 400],
  ['an empty body', '', 400],
  ['a JSON string', '"pump"', 400],
  ['a JSON number', '17', 400],
  ['bytes that are not UTF-8', Buffer.from('{"deviceId":"p","fields":{"T":"\xff\xfe"}}', 'latin1'), 400],
  ['an overlong UTF-8 slash', Buffer.from('{"deviceId":"p\xc0\xaf","fields":{"T":1}}', 'latin1'), 400],
  ['two documents in one body', '{"deviceId":"p","fields":{"T":1}}{"deviceId":"p","fields":{"T":2}}', 400],
  ['ten thousand open brackets', '['.repeat(10_000), 400],
  ['deep nesting inside a field', `{"deviceId":"p","fields":{"T":${'['.repeat(2000)}${']'.repeat(2000)}}}`, 400],
  ['a number beyond double', '{"deviceId":"p","fields":{"T":1e999}}', 400],
];
for (const [what, body, status] of wholeBodies) {
  test(`/api/ingest refuses ${what}`, async () => {
    assertProblem(await post(server, '/api/ingest', body, { headers: json }), status);
  });
}

test('/api/ingest takes 1 MiB and refuses one byte more, before and after inflation', async () => {
  const limit = 1 << 20;
  const padded = (size) => {
    const start = '{"deviceId":"big","fields":{"T":1}';
    return start + ' '.repeat(size - start.length - 1) + '}';
  };
  const exact = await post(server, '/api/ingest', padded(limit), { headers: json });
  assert.equal(exact.status, 200, exact.text);
  const long = await post(server, '/api/ingest', padded(limit + 1), { headers: json });
  assertProblem(long, 413);
  assert.equal(long.json().detail, 'body: more than 1048576 bytes');
  const bomb = gzipSync(Buffer.alloc(200 << 20, ' '));
  assert.ok(bomb.length < limit);
  const inflated = await post(server, '/api/ingest', bomb, { headers: { ...json, ...gzip } });
  assertProblem(inflated, 413);
  assert.equal(inflated.json().detail, 'body: more than 1048576 bytes after inflation');
});

test('a gzip body whose trailer lies about its size is read whole', async () => {
  const spaces = gzipSync(Buffer.alloc(900_000, ' '));
  const body = Buffer.concat([spaces, gzipSync('{"deviceId":"liar","fields":{"T":1}}')]);
  assert.ok(body.length < 8192 && body.readUInt32LE(body.length - 4) < 100);
  const answer = await post(server, '/api/ingest', body, { headers: { ...json, ...gzip } });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(await fieldsOf('liar'), [{ T: 1 }]);
  const bomb = Buffer.concat([spaces, spaces, gzipSync('{}')]);
  assertProblem(await post(server, '/api/ingest', bomb, { headers: { ...json, ...gzip } }), 413);
});

test('/api/ingest refuses broken gzip and unknown codings', async () => {
  const whole = gzipSync('{"deviceId":"gz","fields":{"T":1}}');
  for (const body of ['not gzip', whole.subarray(0, whole.length - 6), Buffer.concat([whole, Buffer.from('more')])]) {
    assertProblem(await post(server, '/api/ingest', body, { headers: { ...json, ...gzip } }), 400);
  }
  const unknown = await post(server, '/api/ingest', '{}', { headers: { ...json, 'Content-Encoding': 'br' } });
  assertProblem(unknown, 400, 'Content-Encoding');
  assert.deepEqual(await fieldsOf('gz'), []);
});

// --- single points: the good ones beside them stand ---

const badPoints = [
  ['no deviceId', { fields: { T: 1 } }, 'deviceId'],
  ['an empty deviceId', { deviceId: '', fields: { T: 1 } }, 'deviceId'],
  ['a deviceId that is a number', { deviceId: 7, fields: { T: 1 } }, 'deviceId'],
  ['a deviceId with a slash', { deviceId: 'a/b', fields: { T: 1 } }, 'deviceId'],
  ['a deviceId with a star', { deviceId: '*', fields: { T: 1 } }, 'deviceId'],
  ['a deviceId with a NUL', { deviceId: 'a\0b', fields: { T: 1 } }, 'deviceId'],
  ['a deviceId that looks like a line', { deviceId: 'a\nid: 1-1', fields: { T: 1 } }, 'deviceId'],
  ['a deviceId of 65 characters', { deviceId: 'd'.repeat(65), fields: { T: 1 } }, 'deviceId'],
  ['a site of 65 characters', { deviceId: 'bp', siteId: 's'.repeat(65), fields: { T: 1 } }, 'siteId'],
  ['no fields', { deviceId: 'bp' }, 'fields'],
  ['empty fields', { deviceId: 'bp', fields: {} }, 'fields'],
  ['fields that are a list', { deviceId: 'bp', fields: [1] }, 'fields'],
  ['a field that is null', { deviceId: 'bp', fields: { T: null } }, 'T'],
  ['a field that is an object', { deviceId: 'bp', fields: { T: {} } }, 'T'],
  ['a field that is a list', { deviceId: 'bp', fields: { T: [1] } }, 'T'],
  ['a field without a name', { deviceId: 'bp', fields: { '': 1 } }, 'fields'],
  ['a field name of 257 bytes', { deviceId: 'bp', fields: { ['n'.repeat(257)]: 1 } }, 'fields'],
  ['a string of 64 KiB and one byte', { deviceId: 'bp', fields: { T: 'x'.repeat(65_537) } }, 'T'],
  ['257 fields', { deviceId: 'bp', fields: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`f${i}`, i])) }, '256'],
  ['an event over 32 KiB', { deviceId: 'bp', fields: { a: 'x'.repeat(20_000), b: 'y'.repeat(20_000) } }, ''],
  ['a ts that is no time', { deviceId: 'bp', ts: 'yesterday', fields: { T: 1 } }, 'ts'],
  ['a ts that is true', { deviceId: 'bp', ts: true, fields: { T: 1 } }, 'ts'],
  ['a ts of 1e300', { deviceId: 'bp', ts: 1e300, fields: { T: 1 } }, 'ts'],
  ['a ts ten minutes ahead', () => ({ deviceId: 'bp', ts: Date.now() + 600_000, fields: { T: 1 } }), ''],
  ['a ts of two days ago', () => ({ deviceId: 'bp', ts: Date.now() - 2 * 86_400_000, fields: { T: 1 } }), ''],
  ['a ts of 1970', { deviceId: 'bp', ts: 0, fields: { T: 1 } }, ''],
  ['an element that is a number', 5, ''],
];
for (const [what, make, names] of badPoints) {
  test(`/api/ingest names the point with ${what}, and stores its neighbours`, async () => {
    const bad = typeof make === 'function' ? make() : make;
    const stamp = Math.random();
    const good = (n) => ({ deviceId: 'neighbour', fields: { n, stamp } });
    const answer = await post(server, '/api/ingest', JSON.stringify([good(1), bad, good(2)]), { headers: json });
    assert.equal(answer.status, 200, answer.text);
    const { accepted, rejected } = answer.json();
    assert.equal(accepted, 2);
    assert.equal(rejected.length, 1);
    assert.equal(rejected[0].index, 1);
    assert.ok(rejected[0].reason.includes(names), `the reason should name ${names}: ${rejected[0].reason}`);
    const stored = (await fieldsOf('neighbour')).filter((fields) => fields.stamp === stamp);
    assert.ok(stored.length >= 1 && stored.at(-1).n === 2, JSON.stringify(stored));
    assert.deepEqual(await fieldsOf('bp'), []);
  });
}

test('of very many bad points the first are named and all are counted', async () => {
  const bad = Array.from({ length: 3000 }, () => ({ deviceId: 'a/b', fields: { T: 1 } }));
  const some = await post(server, '/api/ingest', JSON.stringify([...bad, { deviceId: 'many', fields: { T: 1 } }]), { headers: json });
  assert.equal(some.status, 200, some.text);
  assert.equal(some.json().accepted, 1);
  assert.equal(some.json().rejected.length, 1000);
  assert.equal(some.json().rejectedCount, 3000);
  const none = await post(server, '/api/ingest', JSON.stringify(bad), { headers: json });
  assertProblem(none, 400);
  assert.equal(none.json().errors.length, 1000);
  assert.equal(none.json().rejectedCount, 3000);
  const lines = await post(server, '/write?db=home', `${'bad_line\n'.repeat(3000)}many,device=many n=1\n`);
  assert.equal(lines.status, 400);
  assert.match(lines.json().error, /\nand 2900 more dropped=3000 for database: home$/);
});

test('/api/ingest answers 400 when every point is bad', async () => {
  const answer = await post(server, '/api/ingest', '[{"deviceId":"x"},{"fields":{}}]', { headers: json });
  assertProblem(answer, 400);
});

test('extreme but lawful values come back as they were', async () => {
  const fields = { tiny: 5e-324, huge: 1.7976931348623157e308, whole: 9007199254740991, low: -9007199254740991, yes: true,
    text: 'quote " slash \\ tab \t line \n nul-free 漢字 🙂 \u2028', empty: '' };
  await ingest(server, { deviceId: 'extreme', fields });
  const stream = await Stream.open(server, '?deviceId=extreme&snapshot=latest');
  const shown = await stream.waitFor((m) => m.event === 'telemetry', 'the snapshot of the device');
  assert.deepEqual(shown.data.data.fields, fields);
  stream.close();
  assert.deepEqual(await fieldsOf('extreme'), [fields]);
});

// --- NDJSON ---

const ndjson = (body, type = 'application/x-ndjson', more = {}) =>
  post(server, '/api/ingest', body, { headers: { 'Content-Type': type, ...more } });
const pointOf = (deviceId, n) => JSON.stringify({ deviceId, fields: { n } });

for (const type of ['application/x-ndjson', 'application/jsonl', 'Application/JSONL; charset=utf-8']) {
  test(`one point a line is stored as ${type}, blank lines passed over`, async () => {
    const device = `lines-${type.length}`;
    const answer = await ndjson(`${pointOf(device, 1)}\r\n\n  \n${JSON.stringify({ deviceId: device, ts: Date.now() - 9, fields: { n: 2 } })}`, type);
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.json(), { accepted: 2, rejected: [] });
    assert.deepEqual((await fieldsOf(device)).map((fields) => fields.n).sort(), [1, 2]);
  });
}

test('a line that is not JSON is one bad point, named by its number from 0', async () => {
  const body = Buffer.concat([
    Buffer.from(`${pointOf('ndjson', 1)}\n{"deviceId":\n\n`),
    Buffer.from('"\xff"\n', 'latin1'),
    Buffer.from(`[${pointOf('ndjson', 2)}]\n${pointOf('a/b', 3)}\n{"deviceId":"ndjson","fields":{"n":1e999}}\n${pointOf('ndjson', 4)}\n`),
  ]);
  const answer = await ndjson(body);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json().accepted, 2);
  assert.deepEqual(answer.json().rejected.map(({ index }) => index), [1, 3, 4, 5, 6]);
  assert.match(answer.json().rejected[0].reason, /not JSON/);
  assert.match(answer.json().rejected[2].reason, /not an object/);
  assert.equal((await fieldsOf('ndjson')).at(-1).n, 4);
});

test('NDJSON is limited, inflated and refused as an array is', async () => {
  const packed = await ndjson(gzipSync(`${pointOf('packed', 1)}\n`), undefined, gzip);
  assert.equal(packed.status, 200, packed.text);
  assertProblem(await ndjson(gzipSync(Buffer.alloc(2 << 20, '\n')), undefined, gzip), 413);
  assertProblem(await ndjson('\n \n'), 400, 'no points');
  const none = await ndjson('{}\nnull\n');
  assertProblem(none, 400, 'could be stored');
  assert.deepEqual(none.json().errors.map(({ index }) => index), [0, 1]);
  const named = await post(server, '/api/ingest?deviceId=named-lines', '{"T1":1}\n{"T2":2}\n', { headers: { 'Content-Type': 'application/jsonl' } });
  assert.equal(named.status, 200, named.text);
  assert.equal(named.json().accepted, 2);
  assertProblem(await post(server, '/api/ingest', `${pointOf('x', 1)}\n${pointOf('x', 2)}`, { headers: json }), 400);
});

// --- topics and queries ---

const badTopics = ['account', 'account:', 'account:demo/', 'account:demo//device:x', 'site:1', 'account:demo/device:x',
  'account:demo/site:a/device:b/more:c', 'account:demo/site:a*/device:b', 'account:demo/site:a/device:b%00',
  'account:demo/site:..%2f/device:b', `account:${'a'.repeat(65)}`, 'account:demo/site:a/device:%D0%B0', ','];
for (const topic of badTopics) {
  test(`a topic that is none is refused by stream and backfill: ${topic.slice(0, 40)}`, async () => {
    const stream = await Stream.open(server, `?topics=${topic}`);
    assert.equal(stream.status, 400, stream.text);
    assertProblem(await get(server, `/api/events/backfill?topic=${topic}`), 400);
  });
}

const badQueries = [
  ['/api/stream?types=telemetry,weather', 400, 'types'],
  ['/api/stream?types=', 400, 'types'],
  ['/api/stream?mode=fastest', 400, 'mode'],
  ['/api/stream?mode=latest&interval=soon', 400, 'interval'],
  ['/api/stream?mode=latest&interval=99', 400, '100'],
  ['/api/stream?mode=latest&interval=60001', 422, '60000'],
  ['/api/stream?interval=1000', 400, 'mode=latest'],
  ['/api/stream?minSeverity=loud', 400, 'minSeverity'],
  ['/api/stream?heartbeat=0', 400, 'heartbeat'],
  ['/api/stream?heartbeat=61', 422, '60'],
  ['/api/stream?snapshot=all', 400, 'snapshot'],
  ['/api/stream?since=noon', 400, 'since'],
  ['/api/stream?topics=account:demo&topics=account:demo', 400, 'topics'],
  ['/api/stream?siteId=a&deviceId=b&siteId=c', 400, 'siteId'],
  ['/api/events/backfill?topics=account:demo&topics=account:demo', 400, 'topics'],
  ['/api/latest?types=alert&types=telemetry', 400, 'types'],
  ['/api/devices?siteId=a&siteId=b', 400, 'siteId'],
  ['/api/series?deviceId=a&deviceId=b', 400, 'deviceId'],
  ['/api/stream?siteId=a/b', 400, 'siteId'],
  ['/api/stream?deviceId=*%2F', 400, 'deviceId'],
  ['/api/stream?topics=%zz', 400, ''],
  ['/api/events/backfill?limit=0', 400, 'limit'],
  ['/api/events/backfill?limit=ten', 400, 'limit'],
  ['/api/events/backfill?limit=-1', 400, 'limit'],
  ['/api/events/backfill?limit=5001', 422, '5000'],
  ['/api/events/backfill?order=sideways', 400, 'order'],
  ['/api/events/backfill?cursor=what', 400, 'cursor'],
  ['/api/events/backfill?since=noon', 400, 'since'],
  ['/api/events/backfill?types=weather', 400, 'types'],
  ['/api/series', 400, 'deviceId'],
  ['/api/series?deviceId=a%2Fb', 400, 'deviceId'],
  ['/api/series?deviceId=x&points=0', 400, 'points'],
  ['/api/series?deviceId=x&points=1000000', 422, '11000'],
  ['/api/series?deviceId=x&start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z', 400, 'start'],
  ['/api/latest?topic=nonsense', 400, 'topic'],
  ['/api/nothing-here', 404, ''],
];
for (const [target, status, names] of badQueries) {
  test(`GET ${target} answers ${status}${names && ` and names ${names}`}`, async () => {
    assertProblem(await get(server, target, { headers: { Accept: 'application/json' } }), status, names);
  });
}

test('a method that a path does not know is 405 with Allow', async () => {
  const answer = await request(server.url, 'DELETE', '/api/ingest');
  assertProblem(answer, 405);
  assert.match(answer.headers.allow, /POST/);
});

// --- cursors ---

for (const id of ['nonsense', '99999999999999-0', '1-1', '0-0', '-', '1769517296789-4-4', '<script>', ' ', '1e3-0']) {
  test(`an unknown Last-Event-ID is a declared gap, never an error: ${id}`, async () => {
    await ingest(server, { deviceId: 'cursor', fields: { n: 1 } });
    const stream = await Stream.open(server, '?deviceId=cursor', { lastEventId: id });
    assert.equal(stream.status, 200, stream.text);
    await stream.waitFor((m) => m.event === 'system' && systemData(m).kind === 'hello', 'hello');
    if (id.trim() !== '') {
      const gap = await stream.waitFor((m) => m.event === 'system' && systemData(m).kind === 'gap', 'the gap');
      assert.ok(['unknown', 'trimmed'].includes(systemData(gap).reason), JSON.stringify(gap));
    }
    await ingest(server, { deviceId: 'cursor', fields: { n: 2, id } });
    await stream.waitFor((m) => m.event === 'telemetry' && m.data.data.fields.id === id, 'live events after the gap');
    stream.close();
  });
}

// --- Influx paths: their own shapes ---

const line = (n) => `bad_input,device=influx n=${n}`;

test('/write stores the good lines and names the bad one as InfluxDB 1.x does', async () => {
  const answer = await post(server, '/write?db=home', `${line(1)}\nbad_input,device=influx n=\n${line(2)}\n`);
  assert.equal(answer.status, 400);
  const { error } = answer.json();
  assert.match(error, /^partial write: unable to parse 'bad_input,device=influx n='(?: \(line 2\))?: missing field value/);
  assert.ok(answer.headers['x-influxdb-error'], 'X-InfluxDB-Error names it too');
  const values = (await fieldsOf('influx')).map((fields) => fields['bad_input.n']);
  assert.ok(values.includes(2), JSON.stringify(values));
});

test('/write with nothing but bad lines is 400 and stores nothing', async () => {
  const answer = await post(server, '/write?db=home', 'only_bad,device=influx2 n=abc\nno_fields,device=influx2\n');
  assert.equal(answer.status, 400);
  assert.match(answer.json().error, /unable to parse 'only_bad,device=influx2 n=abc'(?: \(line 1\))?: invalid/);
  assert.match(answer.json().error, /unable to parse 'no_fields,device=influx2'(?: \(line 2\))?: missing fields/);
  assert.deepEqual(await fieldsOf('influx2'), []);
});

test('/write refuses an unknown precision in InfluxDB\'s words', async () => {
  const answer = await post(server, '/write?db=home&precision=fortnight', line(3));
  assert.equal(answer.status, 400);
  assert.match(answer.json().error, /invalid precision "fortnight" \(use n, u, ms, s, m or h\)/);
});

test('/write takes NaN and infinities for what they are: not numbers', async () => {
  for (const value of ['NaN', 'Inf', '-Inf', '1e999', '99999999999999999999i']) {
    const answer = await post(server, '/write?db=home', `bad_input,device=influx3 n=${value}`);
    assert.equal(answer.status, 400, `${value}: ${answer.text}`);
  }
  assert.deepEqual(await fieldsOf('influx3'), []);
});

test('/write refuses a body over 25 MiB after inflation', async () => {
  const bomb = gzipSync(Buffer.alloc(26 << 20, '\n'));
  const answer = await post(server, '/write?db=home', bomb, { headers: gzip });
  assert.equal(answer.status, 413, answer.text);
  assert.equal(typeof answer.json().error, 'string');
});

test('what is refused before a handler has seen it has the shape of its path too', async () => {
  const tooLong = Buffer.alloc((25 << 20) + 1, '\n');
  const v1 = await post(server, '/write?db=home', tooLong);
  assert.equal(v1.status, 413, v1.text);
  assert.deepEqual(v1.json(), { error: v1.headers['x-influxdb-error'] });
  const v2 = await post(server, '/api/v2/write?bucket=b&org=o', tooLong);
  assert.equal(v2.status, 413, v2.text);
  assert.equal(v2.json().code, 'request too large');
  assert.equal(v2.headers['x-platform-error-code'], 'request too large');
  assert.equal(typeof (await post(server, '/query', 'x'.repeat(70_000))).json().error, 'string');
  for (const target of ['/write', '/query', '/ping']) {
    const answer = await request(server.url, 'DELETE', target);
    assert.equal(answer.status, 405);
    assert.equal(typeof answer.json().error, 'string', target);
  }
  assert.equal((await request(server.url, 'DELETE', '/api/v2/write')).json().code, 'method not allowed');
  assert.equal((await get(server, '/api/v2/buckets')).json().code, 'not found');
});

test('/api/v2/write names the bad line in v2 shape and stores the good ones', async () => {
  const body = `bad_input,device=influx4 n=1\nbad_input,device=influx4 n\nbad_input,device=influx4 n=2`;
  const answer = await post(server, '/api/v2/write?bucket=b&org=o&precision=ms', body);
  assert.equal(answer.status, 400);
  const { code, message } = answer.json();
  assert.equal(code, 'invalid');
  assert.match(message, /unable to parse 'bad_input,device=influx4 n'/);
  const values = (await fieldsOf('influx4')).map((fields) => fields['bad_input.n']);
  assert.ok(values.includes(2), JSON.stringify(values));
});

test('/api/v2/write refuses an unknown precision in v2 shape', async () => {
  const answer = await post(server, '/api/v2/write?bucket=b&org=o&precision=h', line(1));
  assert.equal(answer.status, 400);
  assert.equal(answer.json().code, 'invalid');
  assert.match(answer.json().message, /precision/);
});

const writeV3 = (query, body, options) => post(server, `/api/v3/write_lp?db=home${query}`, body, options);

test('/api/v3/write_lp stores the good lines and names the bad ones as InfluxDB 3 does', async () => {
  const old = 'bad_input,device=influx5 n=9 1000';
  const body = `bad_input,device=influx5 n=1\nbad_input,device=influx5 n=\n${old}\nbad_input,device=influx5 n=2\n`;
  const answer = await writeV3('', body);
  assert.equal(answer.status, 400);
  const { error, message, code, data } = answer.json();
  assert.equal(error, 'partial write of line protocol occurred');
  assert.deepEqual(data[0], { error_message: 'missing field value', line_number: 2, original_line: 'bad_input,device=influx5 n=' });
  assert.equal(data[1].line_number, 3);
  assert.equal(data[1].original_line, old, 'what was refused after parsing is quoted too');
  assert.match(data[1].error_message, /older than the retention/);
  assert.equal(data.length, 2);
  assert.match(message, /^partial write of line protocol occurred: unable to parse 'bad_input,device=influx5 n=' \(line 2\)/);
  assert.equal(code, 'invalid');
  assert.match(answer.headers['x-influxdb-error'], /line 2/);
  const values = (await fieldsOf('influx5')).map((fields) => fields['bad_input.n']);
  assert.deepEqual(values, [2]);
});

test('/api/v3/write_lp with nothing but bad lines says the same, and of very many names the first hundred', async () => {
  const answer = await writeV3('&accept_partial=true', 'bad_line\n'.repeat(3000));
  assert.equal(answer.status, 400);
  assert.equal(answer.json().error, 'partial write of line protocol occurred');
  assert.equal(answer.json().data.length, 100);
  assert.match(answer.json().message, /\nand 2900 more$/);
});

for (const [what, bad] of [['does not parse', 'bad_input,device=influx6 n=x'], ['is too old', 'bad_input,device=influx6 n=1 7']]) {
  test(`/api/v3/write_lp with accept_partial=false stores nothing when a line ${what}`, async () => {
    const answer = await writeV3('&accept_partial=false', `bad_input,device=influx6 n=1\n${bad}\n`);
    assert.equal(answer.status, 400);
    const { error, data } = answer.json();
    assert.equal(error, 'parsing failed for write_lp endpoint');
    assert.equal(data.line_number, 2);
    assert.equal(data.original_line, bad);
    assert.ok(data.error_message);
    assert.deepEqual(await fieldsOf('influx6'), []);
  });
}

test('/api/v3/write_lp takes every precision of InfluxDB 3, and guesses without one', async () => {
  const nowMs = Date.now() - 1000;
  const stamps = { s: Math.floor(nowMs / 1000), ms: nowMs, us: nowMs * 1000, ns: `${nowMs}000000` };
  const names = { s: ['second', 's'], ms: ['millisecond', 'ms'], us: ['microsecond', 'us'], ns: ['nanosecond', 'ns'] };
  for (const [unit, stamp] of Object.entries(stamps)) {
    for (const precision of [...names[unit], 'auto', '']) {
      const device = `p3-${unit}-${precision}`;
      const answer = await writeV3(precision && `&precision=${precision}`, `m,device=${device} n=1 ${stamp}`);
      assert.equal(answer.status, 204, `${device}: ${answer.text}`);
      assert.equal(answer.text, '');
      const { events } = await backfillAll(server, { topic: `account:${account}/site:*/device:${device}`, types: 'telemetry' });
      const expected = unit === 's' ? stamps.s * 1000 : nowMs;
      assert.equal(new Date(events[0].ts).getTime(), expected, device);
    }
  }
});

for (const [query, names] of [['&precision=h', /invalid precision "h"/], ['&accept_partial=perhaps', /accept_partial/],
  ['&no_sync=1', /no_sync/]]) {
  test(`/api/v3/write_lp refuses ${query}`, async () => {
    const answer = await writeV3(query, line(1));
    assert.equal(answer.status, 400);
    assert.match(answer.json().error, names);
    assert.equal(answer.json().message, answer.json().error);
  });
}

test('/api/v3/write_lp needs a database, takes no_sync, and counts gzip after inflation', async () => {
  assert.equal((await post(server, '/api/v3/write_lp', line(1))).status, 400);
  const headers = gzip;
  const good = await writeV3('&no_sync=true', gzipSync('bad_input,device=influx7 n=1'), { headers });
  assert.equal(good.status, 204, good.text);
  assert.deepEqual(await fieldsOf('influx7'), [{ 'bad_input.n': 1 }]);
  const bomb = await writeV3('', gzipSync(Buffer.alloc(26 << 20, '\n')), { headers });
  assert.equal(bomb.status, 413, bomb.text);
  assert.equal(bomb.json().code, 'request too large');
  assert.equal(typeof (await request(server.url, 'DELETE', '/api/v3/write_lp')).json().error, 'string');
  assert.equal((await get(server, '/api/v3/query_sql')).json().code, 'not found');
});

test('what the log has no room for is 503 with Retry-After, in the words of each path', async () => {
  const full = await Server.start({ arguments: ['--storage.append_queue_events_max=1'] });
  const event = JSON.stringify({ topic: `account:${account}`, type: 'system', data: { kind: 'note' } });
  for (const [target, body, words] of [
    ['/write?db=x', 'm,device=full n=1', 'error'], ['/api/v2/write?bucket=b', 'm,device=full n=1', 'message'],
    ['/api/v3/write_lp?db=x', 'm,device=full n=1', 'error'], ['/api/v3/write_lp?db=x&accept_partial=false', 'm,device=full n=1', 'error'],
    ['/api/ingest', '{"deviceId":"full","fields":{"n":1}}', 'detail'], ['/api/events', event, 'detail'],
  ]) {
    // One is being written, one waits, and the rest of a burst comes too soon.
    const burst = () => Promise.all(Array.from({ length: 30 }, () => post(full, target, body, { headers: json })));
    const answer = await until(async () => (await burst()).find(({ status }) => status >= 300), `${target} refuses one`);
    assert.equal(answer.status, 503, `${target} ${answer.text}`);
    assert.ok(Number(answer.headers['retry-after']) >= 1, target);
    assert.match(answer.json()[words], /waiting to be stored/, target);
    if (words === 'detail') assert.equal(answer.json().code, 'unavailable', target);
  }
  await full.stop();
});

// --- below HTTP ---

const badRequests = [
  ['no HTTP at all', 'hello\r\n\r\n', 400],
  ['two lengths', 'POST /api/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400],
  ['a length and chunks', 'POST /api/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
  ['a length with a plus', 'POST /api/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}', 400],
  ['a header of 20 KiB', `GET /ping HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
  ['a target of 10 KiB', `GET /${'a'.repeat(10_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 414],
];
for (const [what, bytes, status] of badRequests) {
  test(`a request with ${what} is refused with ${status}`, async () => {
    assert.match(await raw(server, bytes), new RegExp(`^HTTP/1\\.1 ${status} `));
  });
}

test('after all of this the server still takes and shows a point', async () => {
  await ingest(server, { deviceId: 'survivor', fields: { alive: true } });
  assert.deepEqual(await fieldsOf('survivor'), [{ alive: true }]);
  assert.ok(server.child.running());
});
