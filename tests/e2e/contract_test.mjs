// The description the server hands out is that of the server: every operation answers as documented, no route is left
// out, and what is not marked open asks for a credential.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { before } from 'node:test';
import { Server, Stream, bearer, get, jwt, jwtSecret, request, root, systemData } from './harness.mjs';

let server;
let contract;
before(async () => {
  server = await Server.start({ development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  const answer = await get(server, '/api/openapi.json');
  assert.equal(answer.status, 200);
  assert.match(answer.headers['content-type'], /^application\/json/);
  contract = answer.json();
});

const methods = ['get', 'put', 'post', 'delete'];

function* operations() {
  for (const [name, item] of Object.entries(contract.paths)) {
    for (const method of methods) if (item[method]) yield [method, name, item[method]];
  }
}

function resolved(value) {
  if (!value.$ref) return value;
  return value.$ref.slice(2).split('/').reduce((place, part) => place[part], contract);
}

const ask = (method, name) =>
  request(server.url, method.toUpperCase(), name.replaceAll(/\{\w+\}/g, 'nowhere'), {
    body: method === 'post' ? '' : undefined,
  });

test('every operation answers with a documented status and type, and asks for a credential unless it is open', async () => {
  let open = 0;
  for (const [method, name, operation] of operations()) {
    const what = `${method} ${name}`;
    const answer = await ask(method, name);
    const documented = operation.responses[answer.status];
    assert.ok(documented, `${what}: ${answer.status} is not documented`);
    const types = Object.keys(resolved(documented).content ?? {});
    const type = answer.headers['content-type']?.split(';')[0];
    if (types.length || type) assert.ok(types.includes(type), `${what}: ${type} is not one of ${types}`);
    const isOpen = operation.security?.length === 0;
    if (isOpen) ++open;
    assert.equal(answer.status === 401, !isOpen, `${what}: ${answer.status}`);
  }
  assert.ok(open >= 4);
});

const manyTopics = Array.from({ length: 257 }, (_, i) => `account:a/site:s${i}`).join();
for (const [target, status, { method = 'GET', body } = {}] of [
  ['/api/devices/nowhere', 404],
  ['/api/devices/nowhere?x=1', 400],
  ['/api/devices/nowhere?siteId=a%2Fb', 400],
  ['/api/devices/nowhere?siteId=other', 403],
  ['/api/devices?x=1', 400],
  ['/api/devices?siteId=other', 403],
  [`/api/devices?topics=${manyTopics}`, 422],
  [`/api/latest?topics=${manyTopics}`, 422],
  [`/api/stream?topics=${manyTopics}`, 422],
  [`/api/events/backfill?topics=${manyTopics}`, 422],
  ['/api/series?deviceId=nowhere', 404],
  ['/api/series?deviceId=nowhere&points=11001', 422],
  ['/api/alerts?x=1', 400],
  ['/api/alerts?siteId=other', 403],
  ['/api/alerts?limit=1001', 422],
  ['/api/alerts/nowhere', 404],
  ['/api/alerts/nowhere/ack', 403, { method: 'POST', body: '' }],
  ['/api/silences?active=x', 400],
  ['/api/silences/nowhere', 404],
  ['/api/silences', 403, { method: 'POST', body: '' }],
  ['/api/replay', 400],
  ['/api/replay?since=0&speed=0', 400],
  ['/api/replay?since=0&siteId=other', 403],
  ['/api/replay?since=0&speed=1001', 422],
  [`/api/replay?since=0&topics=${manyTopics}`, 422],
  ['/query', 400],
  ['/query', 413, { method: 'POST', body: 'q'.repeat(70_000) }],
  ['/write?db=x', 403, { method: 'POST', body: '' }],
  ['/api/v2/write?bucket=b', 403, { method: 'POST', body: '' }],
  ['/api/v3/write_lp?db=x', 403, { method: 'POST', body: '' }],
  ['/api/events', 403, { method: 'POST', body: '' }],
  ['/api/ingest', 403, { method: 'POST', body: '' }],
]) {
  const [path] = target.split('?');
  test(`${method} ${path} documents that it answers ${status}`, async () => {
    const headers = bearer(jwt({ accountId: 'a', roles: ['viewer'], sites: ['own', 'second'] }));
    const answer = await request(server.url, method, target, { headers, body });
    assert.equal(answer.status, status, answer.text);
    const { responses } = contract.paths[path.replace('nowhere', '{id}')][method.toLowerCase()];
    assert.ok(Object.keys(resolved(responses[status]).content).includes(answer.headers['content-type'].split(';')[0]));
  });
}

test('a stream begins for an operator too, and says which topics it has, as in the example', async () => {
  const headers = bearer(jwt({ accountId: 'demo', roles: ['operator'] }));
  const stream = await Stream.open(server, '', { headers });
  assert.equal(stream.status, 200, stream.text);
  const hello = systemData(await stream.waitFor((m) => m.event === 'system' && systemData(m).kind === 'hello', 'hello'));
  stream.close();
  const { example } = contract.paths['/api/stream'].get.responses['200'].content['text/event-stream'];
  assert.ok(example.includes(`"topics":${JSON.stringify(hello.topics)}`), JSON.stringify(hello));
});

test('a method that is not documented is 405, with Allow', async () => {
  for (const [name, item] of Object.entries(contract.paths)) {
    for (const method of methods.filter((each) => !item[each])) {
      const answer = await ask(method, name);
      assert.equal(answer.status, 405, `${method} ${name}`);
      for (const allowed of methods.filter((each) => item[each])) {
        assert.ok(answer.headers.allow.includes(allowed.toUpperCase()), `${method} ${name}: ${answer.headers.allow}`);
      }
    }
  }
});

test('every route in the source is documented', () => {
  const routes = ['src/api', 'src/app'].flatMap((folder) =>
    fs
      .readdirSync(path.join(root, folder))
      .filter((name) => name.endsWith('.cc') && !name.endsWith('_test.cc'))
      .flatMap((name) => [
        ...fs
          .readFileSync(path.join(root, folder, name), 'utf8')
          .matchAll(/\badd\(\s*(?:"(?<method>[A-Z]+)", )?"(?<name>\/[^"]*)"/g),
      ]),
  );
  assert.ok(routes.length >= 15, `${routes.length} routes found`);
  for (const { groups } of routes) {
    const name = groups.name.replaceAll('{}', '{id}');
    const method = (groups.method ?? 'GET').toLowerCase();
    assert.ok(contract.paths[name]?.[method], `${method} ${name}`);
  }
});
