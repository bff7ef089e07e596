// What reading endpoints give as JSON they give as CSV too, to those who would rather have it: the same values, in a form
// that a spreadsheet reads and takes for no formula.

import assert from 'node:assert/strict';
import test, { before } from 'node:test';
import { Server, get, ingest, request, until } from './harness.mjs';

let server;
const base = Date.now() - 60_000;
const formulas = ['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', "'=2", '=HYPERLINK("http://x","y")'];

before(async () => {
  server = await Server.start({ arguments: ['--server.cors_origins=https://page.example'] });
  for (let i = 0; i < 10; ++i) await ingest(server, { deviceId: 'pump', siteId: 'cellar', ts: base + i * 1000, fields: { T1: -i / 2, n: i } });
  for (const [i, text] of formulas.entries()) await ingest(server, { deviceId: `f${i}`, siteId: 'cellar', fields: { note: text } });
  await ingest(server, { deviceId: 'plain', siteId: 'cellar', fields: { note: 'a "quoted", comma\r\nand line', on: true } });
  await until(async () => (await get(server, '/api/devices')).json().devices.length === formulas.length + 2, 'all are known');
});

/** Reads RFC 4180 strictly. Gives the rows as objects by the names in the header row. */
function read(text) {
  const rows = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  let row = [];
  while (cell.lastIndex < text.length) {
    const at = cell.lastIndex;
    const match = cell.exec(text);
    assert.ok(match, `not a cell at ${at}: ${JSON.stringify(text.slice(at, at + 80))}`);
    row.push(match[1] !== undefined ? match[1].replaceAll('""', '"') : match[2]);
    if (match[3] === ',') continue;
    rows.push(row);
    row = [];
  }
  assert.deepEqual(row, [], 'the last row is ended');
  const [names, ...cells] = rows;
  return cells.map((values) => {
    assert.equal(values.length, names.length);
    return Object.fromEntries(names.map((name, i) => [name, values[i]]));
  });
}

async function csv(target, headers = {}) {
  const answer = await get(server, target, { headers: { Accept: 'text/csv', ...headers } });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['content-type'], 'text/csv; charset=utf-8; header=present');
  assert.match(answer.headers.vary, /\bAccept\b/);
  return { answer, rows: read(answer.text) };
}

const span = `start=${base - 1000}&end=${base + 20_000}`;

test('a series as CSV has the numbers of the same series as JSON', async () => {
  const target = `/api/series?deviceId=pump&${span}&points=7`;
  const { series } = (await get(server, target)).json();
  const { answer, rows } = await csv(target);
  assert.equal(answer.headers['content-disposition'], 'attachment; filename="series-pump.csv"');
  const expected = Object.entries(series).flatMap(([field, buckets]) =>
    buckets.map((b) => ({ time: b.t, field, ...Object.fromEntries(['min', 'max', 'avg', 'last', 'count'].map((k) => [k, String(b[k])])) })));
  assert.ok(expected.length >= 6);
  assert.deepEqual(rows, expected);
});

test('raw points are in order of event time, the newest of them, and the same as CSV', async () => {
  // Late, and one of them twice: the last word counts.
  for (const [i, n] of [...Array(10).keys()].map((i) => [i, i]).concat([[15, 15], [12, 11], [11, 11], [12, 12]])) {
    await ingest(server, { deviceId: 'late', siteId: 'cellar', ts: base + i * 1000, fields: { n } });
  }
  const expected = [...Array(10).keys(), 11, 12, 15].map((i) => ({ t: new Date(base + i * 1000).toISOString(), v: i }));
  for (const [points, truncated] of [[11_000, false], [13, false], [12, true], [4, true]]) {
    const target = `/api/series?deviceId=late&fields=n&${span}&raw=1&points=${points}`;
    const raw = (await get(server, target)).json();
    assert.deepEqual(raw.series, { n: expected.slice(-points) });
    assert.equal(raw.truncated, truncated);
    const { answer, rows } = await csv(target);
    assert.deepEqual(rows, expected.slice(-points).map(({ t, v }) => ({ time: t, field: 'n', value: String(v) })));
    assert.equal(answer.headers['x-truncated'], truncated ? 'true' : undefined);
  }
  const many = await get(server, `/api/series?deviceId=late&raw=1&points=11001`);
  assert.equal(many.status, 422);
  assert.ok(many.json().detail.includes('11000'));
});

test('latest values and devices as CSV are a row for each field of each device', async () => {
  const { devices } = (await get(server, '/api/devices')).json();
  for (const name of ['devices', 'latest']) {
    const { answer, rows } = await csv(`/api/${name}`);
    assert.equal(answer.headers['content-disposition'], `attachment; filename="${name}.csv"`);
    assert.equal(rows.length, devices.reduce((sum, d) => sum + Object.keys(d.fields).length, 0));
    const pump = rows.filter((row) => row.device === 'pump');
    assert.deepEqual(pump.map((row) => [row.site, row.status, row.field, row.value, row.time]), [
      ['cellar', 'online', 'T1', '-4.5', new Date(base + 9000).toISOString()],
      ['cellar', 'online', 'n', '9', new Date(base + 9000).toISOString()],
    ]);
    const plain = rows.filter((row) => row.device === 'plain');
    assert.deepEqual(plain.map((row) => row.value), ['a "quoted", comma\r\nand line', 'true']);
  }
});

test('a text that is a formula is none in the CSV, and a negative number stays one', async () => {
  const { rows } = await csv('/api/latest');
  for (const [i, text] of formulas.entries()) assert.equal(rows.find((row) => row.device === `f${i}`).value, `'${text}`);
  const cells = rows.flatMap((row) => Object.values(row));
  assert.deepEqual(cells.filter((cell) => /^[=+@\t\r-]/.test(cell)), ['-4.5']);
});

test('events as CSV are those of the JSON, page by page through the headers', async () => {
  const first = (await get(server, '/api/events/backfill?limit=5000')).json();
  const seen = [];
  let cursor;
  let last;
  let pages = 0;
  do {
    const { answer, rows } = await csv(`/api/events/backfill?limit=4${cursor ? `&cursor=${cursor}` : ''}`);
    assert.equal(answer.headers['content-disposition'], 'attachment; filename="events.csv"');
    seen.push(...rows.map(({ data, ...row }) => ({ ...row, data: JSON.parse(data) })));
    cursor = answer.headers['x-next-cursor'];
    last = answer.headers['x-last-id'];
    ++pages;
  } while (cursor);
  assert.deepEqual(seen.slice(0, first.events.length), first.events);
  assert.ok(pages > 4);
  assert.match(last, /^\d+-\d+$/);
});

test('JSON stays the answer for all who do not prefer CSV, and caches are told of both', async () => {
  for (const accept of [undefined, '*/*', 'application/json', 'text/csv, application/json', 'text/csv;q=0.3, */*;q=0.5',
    'text/html,application/xml;q=0.9,*/*;q=0.8']) {
    for (const target of ['/api/latest', '/api/devices', '/api/events/backfill', `/api/series?deviceId=pump&${span}`]) {
      const answer = await get(server, target, { headers: accept ? { Accept: accept } : {} });
      assert.equal(answer.headers['content-type'], 'application/json', accept);
      assert.match(answer.headers.vary, /\bAccept\b/);
      answer.json();
    }
  }
});

test('a page of another origin that may read also sees the headers that only CSV has', async () => {
  const { answer } = await csv('/api/events/backfill?limit=1', { Origin: 'https://page.example' });
  for (const name of ['X-Next-Cursor', 'X-Last-Id', 'X-Missing', 'Content-Disposition']) {
    assert.ok(answer.headers['access-control-expose-headers'].includes(name));
  }
});

test('what is wrong is said as a problem, whatever was asked for', async () => {
  const answer = await request(server.url, 'GET', '/api/series?deviceId=nobody', { headers: { Accept: 'text/csv' } });
  assert.equal(answer.status, 404);
  assert.equal(answer.headers['content-type'], 'application/problem+json');
});
