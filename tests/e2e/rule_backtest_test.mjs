// A rule tried over the past says what the same rule, in force, has said: the same alerts, ids, times and values.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test, { before } from 'node:test';
import { Server, backfillAll, bearer, ingest, jwt, jwtSecret, request, sleep, tempDirectory, until } from './harness.mjs';

const target = '/api/rules/test';
const scope = { topic: 'account:demo' };
const hot = {
  id: 'hot', scope, when: { all: [{ field: 'T1' }] }, for: '400ms', keepFiring: '300ms',
  levels: [{ severity: 'warning', op: '>', value: 70, clear: 65 }, { severity: 'critical', op: '>', value: 90 }],
};
const mean = {
  id: 'mean', scope, when: { all: [{ field: 'T1', fn: 'avg', window: '1s' }, { field: 'pump', op: '==', value: true }] },
  levels: [{ severity: 'info', op: '>=', value: 75 }], noData: { after: '1500ms', do: 'ok' },
};
const gone = { id: 'gone', scope, when: { all: [{ fn: 'offline' }] }, levels: [{ severity: 'critical', for: '500ms' }] };
const rules = [hot, mean, gone];

const viewer = bearer(jwt({ sub: 'v', accountId: 'demo', roles: ['viewer'] }));
const writer = bearer(jwt({ sub: 'w', accountId: 'demo', roles: ['ingest'] }));
const oneDevice = bearer(jwt({ sub: 'o', accountId: 'demo', roles: ['viewer'], devices: ['cool'] }));

let server;
let begun;
before(async () => {
  const file = path.join(tempDirectory('rules'), 'rules.json');
  fs.writeFileSync(file, JSON.stringify(rules));
  server = await Server.start({
    development: false,
    env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret },
    arguments: [`--alerts.rules_file=${file}`, '--presence.stale_after=1s', '--presence.offline_after=2s'],
  });
  begun = Date.now();
  // cool stays cool, boiler becomes too hot twice, pump falls silent while it is too hot and comes back.
  for (let n = 0; n < 80; ++n) {
    const points = [{ deviceId: 'cool', siteId: 's', fields: { T1: 20 + (n % 7), pump: true } }];
    points.push({ deviceId: 'boiler', siteId: 's', fields: { T1: n % 30 < 12 ? 60 : n % 30 < 22 ? 85 : 95, pump: n % 2 === 0 } });
    if (n < 25 || n > 70) points.push({ deviceId: 'pump', siteId: 's', ts: Date.now() - 15, fields: { T1: n < 12 || n > 75 ? 50 : 80 } });
    await ingest(server, points, { headers: { ...writer } });
    await sleep(100);
  }
  await ingest(server, [{ deviceId: 'boiler', siteId: 's', fields: { T1: 20, pump: false } }], { headers: { ...writer } });
  // In the end everything is silent: everyone is offline, and said to be.
  await until(async () => (await alerts('gone')).filter((a) => a.data.state === 'firing').length >= 4, 'all are gone', 20_000, 200);
});

const alerts = async (rule) => {
  const { events } = await backfillAll(server, { types: 'alert' }, { headers: viewer });
  return events.filter((event) => event.data.ruleId === rule).map(({ id, ...event }) => event);
};
const tryOut = async (body, { headers = viewer } = {}) =>
  request(server.url, 'POST', target, {
    body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers }, timeoutMs: 30_000,
  });
const sorted = (events) => events.map((event) => JSON.stringify(event)).sort();

for (const rule of rules) {
  test(`"${rule.id}" over the past gives the alert events that it gave live`, async () => {
    const live = await alerts(rule.id);
    assert.ok(live.length >= 4, `only ${live.length} alert events`);
    const answer = await tryOut({ rule, since: begun });
    assert.equal(answer.status, 200, answer.text);
    const { devices, alerts: fired, transitions, preview, ...rest } = answer.json();
    assert.equal(devices, 3);
    assert.equal(rest.truncated, undefined);
    assert.equal(rest.missing, undefined);
    assert.deepEqual(sorted(transitions), sorted(live));
    assert.equal(fired, live.filter((event) => event.data.state === 'firing').length);
    if (rule !== gone) {
      assert.equal(preview.filter((p) => p.field === 'T1').length, 3);
      assert.equal(preview.filter((p) => p.field === 'pump').length, rule === mean ? 2 : 0, 'a field that a device has not has no chart');
      assert.ok(preview.every((p) => p.buckets.length > 1 && (p.levels ?? [p.guard]).every((l) => l.op)));
    }
  });
}

test('a rule that is not in force is tried all the same, and leaves nothing behind', async () => {
  const before = await backfillAll(server, { types: 'alert' }, { headers: viewer });
  const answer = await tryOut({ rule: { ...hot, id: 'draft', enabled: false, levels: [{ severity: 'info', op: '>', value: 84 }] }, since: begun });
  assert.equal(answer.status, 200, answer.text);
  const { transitions, alerts: fired } = answer.json();
  assert.ok(fired >= 2);
  assert.ok(transitions.every((event) => event.data.ruleId === 'draft' && event.topic.endsWith('device:boiler')));
  assert.deepEqual((await backfillAll(server, { types: 'alert' }, { headers: viewer })).events, before.events);
});

test('a stretch that is over gives what had come by its end', async () => {
  const first = (await alerts('hot')).find((event) => event.data.state === 'firing');
  const until = Date.parse(first.ts) + 200;
  const answer = (await tryOut({ rule: hot, since: begun, until: new Date(until).toISOString() })).json();
  assert.equal(answer.until, new Date(until).toISOString());
  assert.ok(answer.transitions.length >= 1);
  assert.ok(answer.transitions.every((event) => Date.parse(event.ts) <= until));
});

test('nobody is told of devices that are not theirs', async () => {
  const answer = await tryOut({ rule: { ...hot, levels: [{ severity: 'info', op: '>', value: 0 }] }, since: begun }, { headers: oneDevice });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json().devices, 1);
  assert.ok(!/boiler|device:pump/.test(answer.text));
  const other = { ...hot, scope: { topic: 'account:demo/site:s/device:boiler' } };
  assert.equal((await tryOut({ rule: other }, { headers: oneDevice })).status, 403);
  assert.equal((await tryOut({ rule: hot }, { headers: writer })).status, 403);
  assert.equal((await tryOut({ rule: hot }, { headers: {} })).status, 401);
  assert.equal((await tryOut({ rule: { ...hot, scope: { topic: 'account:other' } } })).status, 400);
});

test('what is wrong is named with its place', async () => {
  for (const [body, place] of [
    [{ rule: { ...hot, levels: [{ severity: 'warning', op: 'above', value: 1 }] } }, 'rule.levels[0].op'],
    [{ rule: { ...hot, when: { all: [{ fn: 'avg', field: 'T1' }] } } }, 'rule.when.all[0].window'],
    [{ rule: { ...hot, schedule: { tz: 'Mars/Olympus', active: [{}] } } }, 'rule.schedule.tz'],
    [{ rule: 'hot' }, 'rule'],
    [{}, 'rule'],
  ]) {
    const answer = await tryOut(body);
    assert.equal(answer.status, 400, answer.text);
    const { detail, errors } = answer.json();
    assert.ok(detail.startsWith(`${place}: `), detail);
    assert.equal(errors[0].path, place);
  }
  for (const [body, place] of [[{ rule: hot, since: 'x' }, 'since'], [{ rule: hot, points: 0 }, 'points'], [{ rule: hot, rules: [] }, 'body']]) {
    const answer = await tryOut(body);
    assert.equal(answer.status, 400);
    assert.ok(answer.json().detail.startsWith(`${place}: `), answer.text);
  }
});

// Messages of the answer as a stream, until it ends or `take` says that it is enough.
const told = (body, take = () => false) =>
  new Promise((resolve, reject) => {
    const url = new URL(server.url);
    const outgoing = http.request(
      { host: url.hostname, port: url.port, method: 'POST', path: target, agent: false,
        headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream', ...viewer } },
      (response) => {
        let text = '';
        const messages = () =>
          [...text.matchAll(/^event: (\w+)\ndata: (.*)\n\n/gm)].map(([, event, data]) => ({ event, data: JSON.parse(data) }));
        response.setEncoding('utf8');
        response.on('data', (more) => {
          text += more;
          if (take(messages())) outgoing.destroy();
        });
        response.on('close', () => resolve({ status: response.statusCode, headers: response.headers, messages: messages(), complete: response.complete }));
        response.on('error', () => {});
      },
    );
    outgoing.on('error', (error) => (outgoing.destroyed ? undefined : reject(error)));
    outgoing.end(JSON.stringify(body));
  });

test('as a stream it tells how far it is, and then the same', async () => {
  const { status, headers, messages, complete } = await told({ rule: hot, since: begun });
  assert.equal(status, 200);
  assert.match(headers['content-type'], /^text\/event-stream/);
  assert.ok(complete);
  assert.equal(messages[0].event, 'progress');
  assert.deepEqual(Object.keys(messages[0].data), ['done', 'of', 'values', 'alerts']);
  assert.equal(messages[0].data.of, 3);
  assert.equal(messages.at(-1).event, 'result');
  const plain = (await tryOut({ rule: hot, since: begun })).json();
  assert.deepEqual(messages.at(-1).data.transitions, plain.transitions);
});

test('whoever leaves ends it, and the account may try the next one', async () => {
  await told({ rule: hot, since: begun }, (messages) => messages.length > 0);
  await until(async () => (await tryOut({ rule: hot, since: begun })).status === 200, 'the place is free again');
});
