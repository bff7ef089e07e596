// The life of an alert over HTTP: who may see it, acknowledge, close and silence it; that everything is in the stream and in
// the past; and that a kill -9 at any moment changes none of it.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { before } from 'node:test';
import { Server, Stream, backfillAll, bearer, get, ingest, jwt, jwtSecret, post, request, sleep, tempDirectory, until } from './harness.mjs';

const who = (sub, roles, more = {}) => bearer(jwt({ sub, accountId: 'acme', roles, ...more }));
const anna = who('anna', ['operator']);
const bert = who('bert', ['operator']);
const viewer = who('vera', ['viewer']);
const device = who('line-1', ['ingest']);
const publisher = who('scada', ['publish']);
const topicOf = (name, site = 'cellar') => `account:acme/site:${site}/device:${name}`;

const rules = `
- id: hot
  name: Too hot
  scope: {topic: account:acme}
  when: {all: [{field: T1}]}
  levels:
    - {severity: warning, op: ">", value: 70, clear: 65}
    - {severity: critical, op: ">", value: 90}
  keepFiring: 1s
  labels: {team: hvac}
`;

let server;
before(async () => {
  const directory = tempDirectory('alerts');
  fs.writeFileSync(path.join(directory, 'rules.yaml'), rules);
  server = await Server.start({
    development: false, directory, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret },
    arguments: [`--alerts.rules_file=${path.join(directory, 'rules.yaml')}`, '--presence.stale_after=1s', '--presence.offline_after=2s'],
  });
});

const measure = (name, T1, siteId = 'cellar') => ingest(server, { deviceId: name, siteId, fields: { T1 } }, { headers: device });
const list = async (query = '', headers = viewer) => {
  const answer = await get(server, `/api/alerts${query}`, { headers });
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
};
const one = async (id, headers = viewer) => (await get(server, `/api/alerts/${encodeURIComponent(id)}`, { headers })).json();
const tell = (id, action, headers, body) => post(server, `/api/alerts/${encodeURIComponent(id)}/${action}`, body && JSON.stringify(body), { headers });
async function told(id, action, headers, body) {
  const answer = await tell(id, action, headers, body);
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
}
async function refused(promise, status, words) {
  const answer = await promise;
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'], /^application\/problem\+json/);
  assert.match(answer.json().detail, words);
}
const openAlert = (name) => until(async () => (await list(`?state=open&deviceId=${name}`)).alerts[0], `${name} has an alert`);
async function reaches(id, state) {
  return until(async () => { const alert = await one(id); return alert.state === state && alert; }, `${id} is ${state}`, 15_000);
}
async function publish(name, state, more = {}, headers = publisher) {
  const data = { alertId: `scada:${name}`, ruleId: 'scada:leak', ruleName: 'Leak', deviceId: name, state, severity: 'critical',
    message: 'water', field: 'leak', value: 1, threshold: 0.5, startedAt: new Date(Date.now() - 1000).toISOString(), ...more };
  const answer = await post(server, '/api/events', JSON.stringify({ topic: topicOf(name), type: 'alert', data }), { headers });
  assert.equal(answer.status, 202, answer.text);
  return data.alertId;
}
const silence = async (body, headers = anna) => {
  const answer = await post(server, '/api/silences', JSON.stringify(body), { headers });
  assert.equal(answer.status, 201, answer.text);
  return answer.json();
};

const words = (event) => {
  const { kind, state, severity, reason, ack, status, action, by, note, silence, silenceId, value } = event.data;
  const parts = event.type === 'alert' ? [state, severity, `T1=${value}`, reason && `(${reason})`, ack && `ack by ${ack.by}${ack.note && `: "${ack.note}"`}`]
    : event.type === 'device_status' ? [status, `(${event.data.reason})`]
      : [kind, action, silence?.id ?? silenceId, by && `by ${by}`, note && `"${note}"`];
  return `${event.ts.slice(11, 23)}  ${event.type.padEnd(13)}  ${parts.filter(Boolean).join(' ')}`;
};

test('one alert through its whole life, over three kills', { timeout: 120_000 }, async (t) => {
  const seen = [];
  let stream = await Stream.open(server, '?deviceId=boiler&types=alert,system,device_status', { headers: viewer });
  const crash = async () => {
    await server.kill9();
    await server.restart();
    seen.push(...stream.events());
    const { lastEventId } = stream;
    stream = await Stream.open(server, '?deviceId=boiler&types=alert,system,device_status', { headers: viewer, lastEventId });
  };
  await measure('boiler', 75);
  const { alertId } = await openAlert('boiler');
  const acknowledged = await told(alertId, 'ack', anna, { note: 'on my way' });
  assert.deepEqual({ ...acknowledged.ack, at: '' }, { by: 'token:anna', at: '', note: 'on my way' });
  assert.equal(acknowledged.state, 'acknowledged');
  await refused(tell(alertId, 'ack', bert), 409, /acknowledged by token:anna at 20/);
  await crash();
  assert.deepEqual((await one(alertId)).ack, acknowledged.ack);
  const taken = await told(alertId, 'unack', bert, { note: 'not a spare part left' });
  assert.equal(taken.ack, undefined);
  assert.deepEqual([taken.timeline.at(-1).by, taken.timeline.at(-1).note], ['token:bert', 'not a spare part left']);

  const quiet = await silence({ topic: topicOf('boiler'), rules: ['hot'], duration: '1h', comment: 'the fitter is at it' });
  assert.deepEqual((await one(alertId)).silenced, [quiet.id]);
  await measure('boiler', 76);
  const stale = await reaches(alertId, 'stale');
  assert.ok(stale.open && stale.stale && stale.silenced.length === 1, 'a silence changes no state');
  assert.deepEqual((await list('?state=stale&deviceId=boiler')).alerts.map((alert) => alert.alertId), [alertId]);
  await crash();
  await measure('boiler', 91);
  const firing = await reaches(alertId, 'updated');
  assert.ok(!firing.stale && firing.severity === 'critical');
  await measure('boiler', 60); // recovering, for a second
  assert.ok((await one(alertId)).open);
  const resolved = await reaches(alertId, 'resolved');
  assert.deepEqual([resolved.open, resolved.reason ?? '', resolved.highestSeverity], [false, '', 'critical']);
  await refused(tell(alertId, 'ack', anna), 409, /^the alert was resolved at 20/);

  await measure('boiler', 80);
  const again = await openAlert('boiler');
  assert.notEqual(again.alertId, alertId);
  const closed = await told(again.alertId, 'close', bert, { note: 'a faulty sensor' });
  assert.deepEqual([closed.open, closed.state, closed.reason, closed.ack.by], [false, 'resolved', 'closed', 'token:bert']);
  await refused(tell(again.alertId, 'close', anna), 409, /closed by token:bert at 20/);
  await crash();
  await measure('boiler', 81);
  await measure('boiler', 82);
  assert.deepEqual((await list('?state=open&deviceId=boiler')).alerts, [], 'closed until the values were in order once');
  assert.deepEqual((await one(again.alertId)).timeline, closed.timeline);
  assert.equal((await request(server.url, 'DELETE', `/api/silences/${quiet.id}`, { headers: anna })).status, 204);

  const { events } = await backfillAll(server, { topic: topicOf('boiler'), types: 'alert,system,device_status' }, { headers: viewer });
  const streamed = await until(() => { const all = [...seen, ...stream.events()]; return all.at(-1)?.id === events.at(-1).id && all; }, 'the stream has it all');
  assert.deepEqual(streamed, events);
  assert.deepEqual(events.filter((e) => e.type === 'alert').map((e) => [e.data.alertId === alertId, e.data.state]), [
    ...['firing', 'acknowledged', 'unacknowledged', 'stale', 'updated', 'resolved'].map((state) => [true, state]),
    [false, 'firing'], [false, 'resolved']]);
  assert.deepEqual(events.filter((e) => e.type === 'system').map(({ data }) => [data.kind, data.action ?? '', data.by, data.note ?? '']), [
    ['alert_command', 'ack', 'token:anna', 'on my way'], ['alert_command', 'unack', 'token:bert', 'not a spare part left'],
    ['silence_saved', '', 'token:anna', ''], ['alert_command', 'close', 'token:bert', 'a faulty sensor'], ['silence_deleted', '', 'token:anna', '']]);
  const lines = events.map(words);
  t.diagnostic(`what the stream told of ${topicOf('boiler')}:`);
  for (const line of lines) t.diagnostic(line);
  t.diagnostic(`GET /api/alerts/${alertId}, its timeline:`);
  for (const { ts, state, severity, reason, by, note } of (await one(alertId)).timeline) {
    t.diagnostic(`${ts.slice(11, 23)}  ${state} ${severity}${reason ? ` (${reason})` : ''}${by ? ` by ${by}` : ''}${note ? `: "${note}"` : ''}`);
  }
  stream.close();
});

test('a published alert is acknowledged and closed like any other, and keeps its ack when its publisher goes on', async () => {
  const id = await publish('pump', 'firing');
  const stream = await Stream.open(server, '?deviceId=pump&types=alert,system', { headers: viewer });
  await openAlert('pump');
  const { ack } = await told(id, 'ack', anna, { note: 'seen' });
  assert.equal(ack.by, 'token:anna');
  await publish('pump', 'updated', { value: 3 });
  await stream.waitFor((m) => m.data.data.state === 'updated', 'the update');
  const latest = (await get(server, '/api/latest?types=alert&deviceId=pump', { headers: viewer })).json().events;
  assert.deepEqual(latest.map((event) => [event.data.state, event.data.value, event.data.ack]), [['updated', 3, ack]]);
  await server.kill9();
  await server.restart();
  assert.deepEqual((await one(id)).ack, ack);
  assert.equal((await told(id, 'unack', bert)).state, 'unacknowledged');
  await refused(tell(id, 'unack', anna), 409, /not acknowledged/);
  const closed = await told(id, 'close', bert, { note: 'false alarm' });
  assert.deepEqual([closed.state, closed.reason, closed.ack.by, closed.value], ['resolved', 'closed', 'token:bert', 3]);
  assert.deepEqual((await get(server, '/api/latest?types=alert&deviceId=pump', { headers: viewer })).json().events, []);
  await publish('pump', 'firing');
  const again = await openAlert('pump');
  assert.deepEqual([again.ack, again.timelineCount], [undefined, 6], 'told again, it is open again');
  assert.equal((await told(id, 'close', anna)).open, false);
  stream.close();
});

test('each sees and changes the alerts of its own devices only', async () => {
  await measure('fan', 95);
  await measure('fan', 96, 'roof');
  const own = who('roofer', ['operator'], { sites: ['roof'] });
  const narrow = who('tess', ['viewer'], { devices: ['fan'], sites: ['roof'] });
  const stranger = bearer(jwt({ sub: 'eve', accountId: 'other', roles: ['admin'] }));
  const { alertId: cellar, firstEvent } = await until(async () => (await list('?state=open&siteId=cellar&deviceId=fan')).alerts[0], 'an alert');
  const { alertId: roof } = await until(async () => (await list('?state=open&siteId=roof')).alerts[0], 'another');
  for (const headers of [own, narrow]) assert.deepEqual((await list('?state=open', headers)).alerts.map((a) => a.alertId), [roof]);
  assert.deepEqual((await list('', stranger)).alerts, []);
  await refused(get(server, '/api/alerts?siteId=cellar', { headers: own }), 403, /siteId "cellar"/);
  for (const [headers, id] of [[own, cellar], [narrow, cellar], [stranger, cellar], [stranger, roof], [stranger, firstEvent], [anna, 'nothing']]) {
    await refused(get(server, `/api/alerts/${id}`, { headers }), 404, /no alert/);
    if (headers !== narrow) for (const action of ['ack', 'unack', 'close']) await refused(tell(id, action, headers), 404, /no alert/);
  }
  await refused(tell(roof, 'ack', narrow), 403, /role operator/);
  await refused(tell(roof, 'ack', publisher), 403, /role operator/);
  await refused(get(server, '/api/alerts', { headers: publisher }), 403, /role viewer/);
  await refused(tell(roof, 'ack', own, { note: 'x'.repeat(1025) }), 422, /note: at most 1024/);
  await refused(tell(roof, 'ack', own, { text: 'x' }), 400, /known are: note/);
  await refused(post(server, `/api/alerts/${roof}/ack?x=1`, '', { headers: own }), 400, /x: unknown parameter/);
  assert.equal((await one(cellar)).timeline.length, 1, 'nobody changed it');
  assert.equal((await told(roof, 'ack', own)).ack.by, 'token:roofer');
  assert.equal((await told(firstEvent, 'close', who('admin', ['admin']), { note: 'é ☃ "quoted"\n' })).ack.note, 'é ☃ "quoted"\n');
  assert.equal((await told(roof, 'close', own)).open, false);
});

test('two publishers may use one id: then the alert is named by its first event', async () => {
  for (const name of ['a1', 'a2']) await publish(name, 'firing', { alertId: 'scada:same/7' });
  const both = await until(async () => { const { alerts } = await list('?state=open&rule=scada:leak'); return alerts.length === 2 && alerts; }, 'both');
  assert.equal((await tell('scada:same/7', 'ack', anna)).status, 400, 'a slash is no part of a path\'s segment');
  for (const name of ['b1', 'b2']) await publish(name, 'firing', { alertId: 'scada:same' });
  await until(async () => (await list('?state=open&rule=scada:leak')).alerts.length === 4, 'all four');
  await refused(get(server, '/api/alerts/scada:same', { headers: viewer }), 409, /several alerts.*firstEvent: \d+-\d+ \(account:acme\/site:cellar\/device:b1\) \d+-\d+/);
  const narrow = who('tess', ['viewer'], { devices: ['b1'] });
  assert.equal((await one('scada:same', narrow)).topic, topicOf('b1'), 'to whoever sees one, there is one');
  await told(both[0].firstEvent, 'ack', anna);
  assert.deepEqual((await list('?state=acknowledged&rule=scada:leak')).alerts.map((a) => a.topic), [both[0].topic]);
  for (const { firstEvent } of (await list('?state=open&rule=scada:leak')).alerts) await told(firstEvent, 'close', anna);
});

test('lists are filtered, paged in either order, and come as tables', async () => {
  for (let i = 0; i < 7; ++i) await publish(`m${i}`, 'firing', { severity: ['info', 'warning', 'critical'][i % 3], ruleId: 'scada:many' });
  await until(async () => (await list('?rule=scada:many')).alerts.length === 7, 'seven alerts');
  const ids = async (query) => (await list(`?rule=scada:many&${query}`)).alerts.map((alert) => alert.alertId.slice(6));
  assert.deepEqual(await ids(''), ['m6', 'm5', 'm4', 'm3', 'm2', 'm1', 'm0']);
  assert.deepEqual(await ids('severity=info,critical&order=asc'), ['m0', 'm2', 'm3', 'm5', 'm6']);
  assert.deepEqual(await ids('minSeverity=critical'), ['m5', 'm2']);
  assert.deepEqual(await ids(`topics=${topicOf('m1')},${topicOf('m4')}`), ['m4', 'm1']);
  assert.deepEqual(await ids('until=2020-01-01T00:00:00Z'), []);
  assert.equal((await ids(`since=${Date.now() + 60_000}`)).length, 7, 'what is open is open at any later time');
  for (const order of ['asc', 'desc']) {
    const found = [];
    for (let cursor = ''; cursor !== undefined;) {
      const page = await list(`?rule=scada:many&limit=2&order=${order}${cursor && `&cursor=${cursor}`}`);
      assert.ok(page.alerts.length <= 2);
      found.push(...page.alerts.map((alert) => alert.alertId.slice(6)));
      cursor = page.next ?? undefined;
    }
    assert.deepEqual(found, await ids(`order=${order}`));
  }
  const quiet = await silence({ topic: topicOf('m3'), duration: '1h' });
  await silence({ topic: topicOf('m3'), rules: ['another'], duration: '1h' });
  assert.deepEqual((await list('?rule=scada:many&silenced=1')).alerts.map((a) => [a.alertId, a.silenced]), [['scada:m3', [quiet.id]]]);
  assert.equal((await ids('silenced=0')).length, 6);
  await told('scada:m5', 'close', anna, { note: '=1+1' });
  assert.deepEqual(await ids('state=resolved'), ['m5']);
  assert.equal((await ids('state=resolved,open')).length, 7);
  const csv = await get(server, '/api/alerts?rule=scada:many&limit=3', { headers: { ...viewer, Accept: 'text/csv' } });
  assert.match(csv.headers['content-type'], /^text\/csv/);
  assert.match(csv.headers['x-next-cursor'], /^\d+-\d+$/);
  const rows = csv.text.trimEnd().split('\r\n');
  assert.equal(rows.length, 4);
  assert.match(rows[2], /^scada:m5,scada:many,Leak,m5,cellar,resolved,false,false,critical,critical,water,leak,1,0.5,.*,closed,token:anna,.*Z,'=1\+1,,\d+-\d+$/);
  for (const [query, status, wrong] of [['state=gone', 400, /"gone" is none of open firing stale/], ['severity=bad', 400, /severity/], ['order=up', 400, /order/],
    ['limit=1001', 422, /limit: at most 1000/], ['cursor=x', 400, /cursor/], ['silenced=maybe', 400, /silenced/], ['since=soon', 400, /since/], ['x=1', 400, /unknown parameter/]]) {
    await refused(get(server, `/api/alerts?${query}`, { headers: viewer }), status, wrong);
  }
  for (const { firstEvent } of (await list('?state=open&rule=scada:many')).alerts) await told(firstEvent, 'close', anna);
});

test('silences are made, shown, ended and told to whoever sees what they cover', async () => {
  const stream = await Stream.open(server, '?types=system&siteId=attic&deviceId=saw', { headers: viewer });
  await stream.waitFor((m) => m.event === 'system', 'hello');
  const made = await silence({ topic: 'account:acme/site:attic', duration: '30m', comment: 'painting' });
  assert.match(made.id, /^s-[a-z0-9]{6}$/);
  assert.deepEqual([made.createdBy, made.active, made.comment, made.topic], ['token:anna', true, 'painting', 'account:acme/site:attic/device:*']);
  const other = await silence({ topic: topicOf('drill', 'attic'), startsAt: '2090-01-01T00:00:00Z', endsAt: '2090-01-02T00:00:00Z' });
  assert.equal(other.active, false);
  const shown = async (query = '', headers = viewer) => (await get(server, `/api/silences${query}`, { headers })).json().silences.map((s) => s.id);
  assert.ok((await shown()).includes(made.id) && (await shown()).includes(other.id));
  assert.ok((await shown('?active=1')).includes(made.id) && !(await shown('?active=1')).includes(other.id));
  assert.ok((await shown('?active=0')).includes(other.id));
  const narrow = who('sam', ['operator'], { sites: ['attic'], devices: ['saw'] });
  assert.deepEqual(await shown('', narrow), [made.id], 'what concerns its devices');
  await refused(get(server, `/api/silences/${other.id}`, { headers: narrow }), 404, /no silence/);
  await refused(request(server.url, 'DELETE', `/api/silences/${other.id}`, { headers: narrow }), 404, /no silence/);
  await refused(request(server.url, 'DELETE', `/api/silences/${made.id}`, { headers: narrow }), 403, /topic/);
  await refused(request(server.url, 'DELETE', `/api/silences/${made.id}`, { headers: viewer }), 403, /role operator/);
  await refused(post(server, '/api/silences', JSON.stringify({ topic: 'account:acme', duration: '1h' }), { headers: narrow }), 403, /topic/);
  const stranger = bearer(jwt({ accountId: 'other', roles: ['admin'] }));
  await refused(get(server, `/api/silences/${made.id}`, { headers: stranger }), 404, /no silence/);
  assert.deepEqual(await shown('', stranger), []);
  for (const [body, status, wrong] of [[{}, 400, /topic/], [{ topic: 'account:other', duration: '1h' }, 400, /account:acme is yours/], [{ topic: 'account:acme' }, 400, /endsAt/],
    [{ topic: 'account:acme', duration: '1h', id: 'mine' }, 400, /id/], ['[]', 400, /silence/], [{ topic: 'account:acme', endsAt: '2020-01-01T00:00:00Z' }, 400, /endsAt/]]) {
    await refused(post(server, '/api/silences', typeof body === 'string' ? body : JSON.stringify(body), { headers: anna }), status, wrong);
  }
  const mine = await silence({ topic: topicOf('saw', 'attic'), duration: '10m' }, narrow);
  await server.kill9();
  await server.restart();
  assert.deepEqual((await get(server, `/api/silences/${made.id}`, { headers: viewer })).json(), made);
  for (const id of [mine.id, made.id, other.id]) assert.equal((await request(server.url, 'DELETE', `/api/silences/${id}`, { headers: anna })).status, 204);
  await refused(request(server.url, 'DELETE', `/api/silences/${made.id}`, { headers: anna }), 404, /no silence/);
  const past = async (name) => (await backfillAll(server, { topic: topicOf(name, 'attic'), types: 'system' }, { headers: viewer })).events
    .map(({ data }) => [data.kind, data.silence?.id ?? data.silenceId, data.by]);
  assert.deepEqual(await past('saw'), [['silence_saved', made.id, 'token:anna'], ['silence_saved', mine.id, 'token:sam'],
    ['silence_deleted', mine.id, 'token:anna'], ['silence_deleted', made.id, 'token:anna']], 'and nothing of the drill\'s');
  stream.close();
});

test('a command that a kill cuts short is carried out once or not at all', { timeout: 120_000 }, async () => {
  for (let round = 0; round < 4; ++round) {
    const name = `kill-${round}`;
    await measure(name, 80);
    const { alertId } = await openAlert(name);
    const asked = tell(alertId, 'ack', anna, { note: `round ${round}` }).catch(() => undefined);
    await sleep([0, 1, 3, 8][round]);
    await server.kill9();
    const answer = await asked;
    await server.restart();
    const { events } = await backfillAll(server, { topic: topicOf(name), types: 'system' }, { headers: viewer });
    assert.ok(events.length === 1 || !answer, 'what was answered is on disk');
    if (events.length === 1) await reaches(alertId, 'acknowledged');
    const states = (await backfillAll(server, { topic: topicOf(name), types: 'alert' }, { headers: viewer })).events.map((e) => e.data.state);
    assert.deepEqual(states.filter((state) => state !== 'stale'), events.length === 1 ? ['firing', 'acknowledged'] : ['firing']);
    assert.equal((await told(alertId, 'close', anna)).open, false);
  }
});
