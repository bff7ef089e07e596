// Tickets: how a browser, whose EventSource can send no credential, opens a stream and comes back to it.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { before } from 'node:test';
import { EventSource } from 'eventsource';
import {
  CutProxy, Server, Stream, atEnd, bearer, get, ingest, jwt, jwtSecret, post, quickRetry, run, sleep, until,
} from './harness.mjs';

let server;
const viewer = (more = {}, options = {}) => bearer(jwt({ accountId: 'a', roles: ['viewer'], ...more }, options));
const writer = bearer(jwt({ accountId: 'a', roles: ['ingest'] }));
const point = (deviceId, n, siteId = 'north') => ingest(server, { deviceId, siteId, fields: { n } }, { headers: writer });
const seen = [];

before(async () => {
  server = await Server.start({
    development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret }, arguments: [...quickRetry, '--log.level=debug'],
  });
});

async function ticketFor(headers, asked, lastsMs = 30_000) {
  const answer = await post(server, '/api/stream-token', asked === undefined ? '' : JSON.stringify(asked), { headers });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['cache-control'], 'no-store');
  const made = answer.json();
  assert.match(made.ticket, /^mt_[A-Za-z0-9_-]{43}$/);
  assert.equal(made.url, `/api/stream?ticket=${made.ticket}`);
  const leftMs = Date.parse(made.expiresAt) - Date.now();
  assert.ok(leftMs > 0 && leftMs <= lastsMs && (lastsMs < 30_000 || leftMs > 25_000), made.expiresAt);
  seen.push(made.ticket);
  return made.ticket;
}
const open = (ticket, more = '', options = {}) => Stream.open(server, `?ticket=${ticket}${more}`, options);

test('a ticket opens one stream, its reconnects and no second one', async () => {
  const ticket = await ticketFor(viewer());
  const first = await open(ticket);
  assert.equal(first.status, 200, first.text);
  await point('pump', 1);
  await first.waitFor((m) => m.event === 'telemetry' && m.data.data.fields.n === 1, 'the event');
  const second = await open(ticket);
  assert.equal(second.status, 401, 'used twice');
  assert.match(second.text, /credential is missing, malformed, expired or unknown/);
  first.close();
  await point('pump', 2);
  const resumed = await open(ticket, '', { lastEventId: first.lastEventId });
  assert.equal(resumed.status, 200, resumed.text);
  await resumed.waitFor((m) => m.event === 'telemetry' && m.data.data.fields.n === 2, 'what was missed');
  resumed.close();
});

test('of a hundred uses at once exactly one wins', async () => {
  const ticket = await ticketFor(viewer());
  const streams = await Promise.all(Array.from({ length: 100 }, () => open(ticket)));
  assert.equal(streams.filter((stream) => stream.status === 200).length, 1);
  assert.equal(streams.filter((stream) => stream.status === 401).length, 99);
  streams.forEach((stream) => stream.close());
});

test('of many uses at once, however they call themselves, one stream is left', async () => {
  const ticket = await ticketFor(viewer());
  const uses = await Promise.all(Array.from({ length: 50 }, (_, i) =>
    open(ticket, i % 2 ? '&snapshot=latest' : '', { lastEventId: i % 3 ? 'snapshot' : '1-1' })));
  assert.ok(uses.every((stream) => [200, 401].includes(stream.status)));
  await until(() => uses.filter((stream) => !stream.closed).length === 1, 'one is left');
  await sleep(500);
  assert.equal(uses.filter((stream) => !stream.closed).length, 1);
  for (const stream of uses) stream.close();
});

test('a stream that is renewed takes its ticket along: its own reconnects go on', async () => {
  const ticket = await ticketFor(viewer({ sub: 'anna' }, { expiresInS: 5 }), undefined, 5000);
  const stream = await open(ticket);
  const hello = await stream.waitFor((m) => m.data.data.kind === 'hello', 'the hello');
  const renewed = await post(server, `/api/stream/${hello.data.data.streamId}/renew`, '', { headers: viewer({ sub: 'anna' }, { expiresInS: 600 }) });
  assert.equal(renewed.status, 200, renewed.text);
  await sleep(6000);
  assert.ok(!stream.closed);
  const resumed = await open(ticket, '', { lastEventId: stream.lastEventId });
  assert.equal(resumed.status, 200, resumed.text);
  await until(() => stream.closed, 'the one before ends');
  resumed.close();
});

test('EventSource comes back by itself with its ticket and misses nothing', async () => {
  const proxy = await CutProxy.start(server);
  const ticket = await ticketFor(viewer());
  const source = new EventSource(`${proxy.url}/api/stream?ticket=${ticket}`);
  atEnd(() => source.close());
  const numbers = [];
  source.addEventListener('telemetry', (event) => numbers.push(JSON.parse(event.data).data.fields.n));
  let opened = 0;
  source.onopen = () => ++opened;
  await until(() => opened === 1, 'the stream is open');
  for (let n = 100; n < 130; ++n) {
    await point('pump', n);
    if (n % 10 === 5) proxy.cut();
    if (n % 10 === 9) await until(() => opened === (n - 99) / 10 + 1, 'it comes back');
  }
  await until(() => numbers.includes(129), 'the last event');
  assert.deepEqual(numbers, Array.from({ length: 30 }, (_, i) => 100 + i));
});

test('who is cut off within its snapshot comes back with its ticket and gets it again', async () => {
  await point('pump', 50);
  const proxy = await CutProxy.start(server);
  proxy.cutAfter = '"snapshot":true';
  const source = new EventSource(`${proxy.url}/api/stream?snapshot=latest&types=telemetry,system&ticket=${await ticketFor(viewer())}`);
  atEnd(() => source.close());
  const hellos = [];
  const ends = [];
  source.addEventListener('system', (event) => {
    const message = JSON.parse(event.data);
    if (message.data.kind === 'hello') hellos.push(event.lastEventId);
    if (message.data.kind === 'snapshot') ends.push(event.lastEventId);
    assert.notEqual(message.data.kind, 'gap');
  });
  await until(() => ends.length === 1, 'the whole snapshot');
  assert.deepEqual(hellos, ['snapshot', 'snapshot']);
  const numbers = [];
  source.addEventListener('telemetry', (event) => numbers.push(JSON.parse(event.data).data.fields.n));
  await point('pump', 51);
  await until(() => numbers.includes(51), 'what comes after it');
  proxy.cut();
  await point('pump', 52);
  await until(() => numbers.includes(52), 'what it missed');
  assert.deepEqual(numbers, [51, 52]);
  assert.equal(ends.length, 1, 'it resumed');
});

test('a ticket is for what it was asked for, and never for more than its credential', async () => {
  const headers = viewer({ sites: ['north', 'south'] });
  const ticket = await ticketFor(headers, { topics: ['account:a/site:north'], types: 'telemetry,alert' });
  const stream = await open(ticket);
  await point('fan', 7, 'south');
  await point('pump', 8);
  await stream.waitFor((m) => m.event === 'telemetry' && m.data.data.fields.n === 8, 'its own site');
  assert.ok(!stream.messages.some((m) => m.event === 'telemetry' && m.data.data.fields.n === 7));
  assert.ok(!stream.messages.some((m) => m.event === 'device_status'));
  stream.close();
  for (const more of ['&siteId=south', '&topics=account:a/site:south', '&types=device_status', '&topics=account:b']) {
    const wider = await open(await ticketFor(headers, { topics: 'account:a/site:north', types: ['telemetry'] }), more);
    assert.equal(wider.status, 403, `${more}: ${wider.text}`);
  }
  const narrower = await open(await ticketFor(headers), '&deviceId=pump');
  assert.equal(narrower.status, 200, narrower.text);
  narrower.close();
  const refused = await post(server, '/api/stream-token', '{"topics":["account:a/site:west"]}', { headers });
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.json().detail, /site:west/);
});

test('who cannot read gets no ticket, and what is asked wrongly is named', async () => {
  assert.equal((await post(server, '/api/stream-token', '')).status, 401);
  assert.equal((await post(server, '/api/stream-token', '', { headers: writer })).status, 403);
  assert.equal((await post(server, '/api/stream-token', '', { headers: bearer(await ticketFor(viewer())) })).status, 401);
  for (const [body, pattern] of [
    ['[', /not a JSON object/], ['[]', /not a JSON object/], ['{"topic":"x"}', /unknown member "topic"/],
    ['{"topics":[]}', /topics: names nothing/], ['{"topics":1}', /topics/], ['{"topics":["x"]}', /topics: "x"/],
    ['{"types":"all"}', /types: "all"/], ['{"types":"alert","types":"alert"}', /more than once/],
  ]) {
    const answer = await post(server, '/api/stream-token', body, { headers: viewer() });
    assert.equal(answer.status, 400, `${body}: ${answer.text}`);
    assert.match(answer.json().detail, pattern);
  }
  assert.equal((await post(server, '/api/stream-token?x=1', '', { headers: viewer() })).status, 400);
});

test('nothing that is refused anyway uses a ticket up', async () => {
  const ticket = await ticketFor(viewer());
  assert.equal((await open(ticket, '&mode=sideways')).status, 400);
  assert.equal((await open(ticket, '', { headers: viewer() })).status, 400, 'together with another credential');
  assert.equal((await open(`${ticket}x`)).status, 401);
  assert.equal((await open('')).status, 401);
  const stream = await open(ticket);
  assert.equal(stream.status, 200, stream.text);
  stream.close();
});

test('a ticket of another origin is refused', async () => {
  const ticket = await ticketFor({ ...viewer(), Origin: 'https://a.example' });
  assert.equal((await open(ticket, '', { headers: { Origin: 'https://b.example' } })).status, 401);
});

test('a ticket ends with the credential it was made with', async () => {
  const short = await open(await ticketFor(viewer({}, { expiresInS: 3 }), undefined, 3000));
  assert.equal(short.status, 200, short.text);
  await until(() => short.closed, 'the token\'s end is the stream\'s end');
  assert.equal(short.system('auth_expired').length, 1);

  const data = path.join(server.directory, 'data');
  const made = await run(['key', 'create', '--data-directory', data, '--account', 'a', '--role', 'viewer', '--name', 'x']);
  const [key] = /ms_[a-z0-9]{12}_\S+/.exec(made.stdout);
  await until(async () => (await get(server, '/api/latest', { headers: bearer(key) })).status === 200, 'the key is known');
  const [used, unused] = [await ticketFor(bearer(key)), await ticketFor(bearer(key))];
  const stream = await open(used);
  assert.equal(stream.status, 200, stream.text);
  assert.equal((await run(['key', 'revoke', '--data-directory', data, key.split('_')[1]])).code, 0);
  await until(() => stream.closed, 'the stream ends');
  assert.equal((await open(used, '', { lastEventId: stream.lastEventId })).status, 401);
  assert.equal((await open(unused)).status, 401);
});

test('a ticket outlives a restart of the server', async () => {
  const ticket = await ticketFor(viewer());
  const stream = await open(ticket);
  await stream.waitFor((m) => m.data.data.kind === 'hello', 'the hello');
  await server.stop();
  await server.restart();
  const resumed = await open(ticket, '', { lastEventId: stream.lastEventId });
  assert.equal(resumed.status, 200, resumed.text);
  assert.equal((await open(ticket)).status, 401);
  resumed.close();
});

test('no ticket is in the log or on disk in the clear', async () => {
  await sleep(100);
  const files = fs.readdirSync(path.join(server.directory, 'data'), { recursive: true, withFileTypes: true });
  const places = files.filter((entry) => entry.isFile()).map((file) =>
    [file.name, fs.readFileSync(path.join(file.parentPath ?? file.path, file.name), 'latin1')]);
  places.push(['the log', server.child.output]);
  assert.ok(seen.length > 8);
  for (const [name, text] of places) {
    for (const ticket of seen) assert.ok(!text.includes(ticket.slice(3, 20)), name);
  }
});
