// Notifications: what receivers of every kind get when alerts fire, and what happens when they do not take it.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import {
  Child, Server, Stream, account, atEnd, backfillAll, bearer, get, ingest, jwt, jwtSecret, post, request, root, run,
  tempDirectory, until,
} from './harness.mjs';
import { HttpReceiver, SmtpServer, parseMail } from './receivers.mjs';

const secret = '0123456789abcdef0123456789abcdef';
const directory = tempDirectory('notify');
const file = (name) => path.join(directory, name);
fs.writeFileSync(file('secret'), `${secret}\n`, { mode: 0o600 });

const policyDefaults = { channel: 'ops', groupWait: '200ms', groupInterval: '1s', repeat: '1h' };
let files = 0;

/** A configuration whose rule "hot" notifies by `notify`; `channels` are TOML entries. */
function configWith(channels, notify, { rule = {}, more = '' } = {}) {
  const rules = file(`rules-${++files}.json`);
  const hot = {
    id: 'hot', name: 'Over temperature', scope: { topic: `account:${account}` },
    when: { all: [{ field: 'T1' }] }, levels: [{ severity: 'warning', op: '>', value: 70 }],
    labels: { team: 'hvac' }, notify: notify.map((each) => ({ ...policyDefaults, ...each })), ...rule,
  };
  fs.writeFileSync(rules, JSON.stringify([hot]));
  return `${more}[alerts]\nrules_file = "${rules}"\nexternal_url = "https://ms.example"\n${channels.join('\n')}`;
}
function webhook(port, more = '', name = 'ops') {
  return `[[channels]]\nname = "${name}"\ntype = "webhook"\nurl = "http://127.0.0.1:${port}/hook"\nallow_private = true\n` +
    `retry_min = "20ms"\nretry_max = "200ms"\ntimeout = "1s"\n${more}`;
}
const heat = (server, ...devices) => ingest(server, devices.map((deviceId) => ({ deviceId, siteId: 'north', fields: { T1: 85.5 } })));
const cool = (server, ...devices) => ingest(server, devices.map((deviceId) => ({ deviceId, siteId: 'north', fields: { T1: 20 } })));
const deliveries = async (server, query = '', options) => {
  const answer = await get(server, `/api/notifications${query}`, options);
  assert.equal(answer.status, 200, answer.text);
  return answer.json().notifications;
};
const delivered = (server, count) => until(async () => {
  const all = await deliveries(server, '?state=sent');
  return all.length >= count && all;
}, `${count} notifications are delivered`, 20_000);

/** That the functions of docs/notifications.md take what is genuine, and nothing else. */
async function checkAsDocumented(header, body) {
  const docs = fs.readFileSync(path.join(root, 'docs/notifications.md'), 'utf8');
  const block = (language) => new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 's').exec(docs)[1];
  const forged = body.replace('oven', 'even');
  fs.writeFileSync(file('check.mjs'), `${block('js')}\nexport { isGenuine };`);
  const { isGenuine } = await import(file('check.mjs'));
  assert.deepEqual([isGenuine(secret, header, body), isGenuine(secret, header, forged)], [true, false]);
  fs.writeFileSync(file('check.py'), `${block('python')}\nimport sys\nsecret, header, *bodies = map(str.encode, sys.argv[1:])\n` +
    `print([is_genuine(secret, header.decode(), body) for body in bodies])\n`);
  const python = new Child('python3', [file('check.py'), secret, header, body, forged]);
  assert.equal((await python.ended).code, 0, python.output);
  assert.equal(python.stdout.trim(), '[True, False]');
}

test('a webhook gets the alert, signed, and its end', async () => {
  const receiver = await HttpReceiver.start();
  const server = await Server.start({ config: configWith([webhook(receiver.port, `secret_file = "${file('secret')}"\n`)], [{ groupBy: ['site'] }]) });
  const stream = await Stream.open(server);
  await heat(server, 'oven');
  const [sent] = await delivered(server, 1);
  const [{ path: target, headers, text, body }] = receiver.requests;
  assert.equal(target, '/hook');
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['idempotency-key'], sent.notificationId);
  const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['x-millstream-signature']);
  assert.ok(Math.abs(Number(t) - Date.now() / 1000) < 30);
  assert.equal(v1, crypto.createHmac('sha256', secret).update(`${t}.${text}`).digest('hex'));
  await checkAsDocumented(headers['x-millstream-signature'], text);
  const [alert] = body.alerts;
  assert.deepEqual(alert.labels, {
    account, alertname: 'Over temperature', device: 'oven', field: 'T1', rule: 'hot', severity: 'warning', site: 'north', team: 'hvac',
  });
  assert.equal(alert.annotations.value, '85.5');
  assert.equal(alert.generatorURL, 'https://ms.example/?device=oven&site=north');
  assert.deepEqual([body.version, body.status, body.receiver, body.truncatedAlerts], ['4', 'firing', 'ops', 0]);
  assert.deepEqual(body.groupLabels, { site: 'north' });

  await cool(server, 'oven');
  await delivered(server, 2);
  const end = receiver.requests[1].body;
  assert.equal(end.status, 'resolved');
  assert.equal(end.groupKey, body.groupKey);
  assert.equal(end.alerts[0].fingerprint, alert.fingerprint);
  assert.ok(end.alerts[0].endsAt >= alert.startsAt);

  // In the stream: what was decided and how it went, on the topic that all of the group lies in, without the alerts.
  await stream.waitFor((m) => m.data.data?.kind === 'notification_result', 'the result');
  const [decided] = stream.events('system').filter((e) => e.data.kind === 'notification');
  assert.equal(decided.topic, `account:${account}/site:north`);
  assert.equal(decided.data.notificationId, sent.notificationId);
  assert.ok(!JSON.stringify(decided).includes('oven'));
  stream.close();
  await server.stop();
});

test('a storm of 500 alerts is one POST', async () => {
  const receiver = await HttpReceiver.start();
  const server = await Server.start({ config: configWith([webhook(receiver.port)], [{ groupWait: '2s', groupInterval: '1m' }]) });
  const devices = Array.from({ length: 500 }, (_, i) => `d${i}`);
  await heat(server, ...devices);
  await delivered(server, 1);
  assert.equal(receiver.requests.length, 1);
  const { body } = receiver.requests[0];
  assert.deepEqual(new Set(body.alerts.map((a) => a.labels.device)), new Set(devices));
  assert.equal(body.truncatedAlerts, 0);
  await server.stop();
});

test('a flapping receiver gets every notification at least once, over kill -9 too', async () => {
  // Refuses connections, then answers 500, hangs, resets, is busy and takes, in turns.
  const moods = ['take', 500, 'hang', 'reset', { status: 429, headers: { 'Retry-After': '1' } }, 'take', 503, 'take'];
  const port = await new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = probe.address();
      probe.close(() => resolve(free));
    });
  });
  const server = await Server.start({ config: configWith([webhook(port)], [{ groupBy: ['device'], groupWait: '10ms' }]) });
  const devices = Array.from({ length: 24 }, (_, i) => `d${i}`);
  await heat(server, ...devices.slice(0, 8));
  await until(async () => (await deliveries(server, '?state=retrying')).length, 'nobody is there');
  assert.equal((await deliveries(server, '?state=retrying'))[0].reason, 'could_not_connect');

  const receiver = await HttpReceiver.start((_, n) => moods[n % moods.length], { port });
  await until(() => receiver.taken.length > 2, 'some are taken', 20_000);
  await server.kill9();
  await server.restart();
  await heat(server, ...devices.slice(8, 16));
  await until(() => receiver.taken.length > 6, 'more are taken', 20_000);
  await server.kill9();
  await server.restart();
  await heat(server, ...devices.slice(16));
  const ids = async (kind) => {
    const { events } = await backfillAll(server, { types: 'system' });
    return events.filter((e) => e.data.kind === kind);
  };
  await until(async () => (await ids('notification')).length === devices.length, 'all are decided to be told');
  await cool(server, ...devices);
  // Every alert was told, and its end; every decision has a result.
  await until(async () => {
    const ended = new Set(receiver.taken.filter((b) => b.status === 'resolved').map((b) => b.alerts[0].labels.device));
    const results = new Set((await ids('notification_result')).filter((e) => e.data.state === 'sent').map((e) => e.data.notificationId));
    return ended.size === devices.length && (await ids('notification')).every((e) => results.has(e.data.notificationId));
  }, 'every notification is delivered', 60_000, 200);
  const decided = (await ids('notification')).map((e) => e.data.notificationId);
  assert.equal(decided.length, new Set(decided).size, 'no decision twice');
  assert.equal(decided.length, 2 * devices.length, 'one firing and one resolved a device, whatever was killed');
  const taken = receiver.requests.filter((r) => r.answered === 'take').map((r) => r.headers['idempotency-key']);
  assert.deepEqual(new Set(taken), new Set(decided));
  for (const device of devices) {
    const told = receiver.taken.filter((b) => b.alerts[0].labels.device === device).map((b) => b.status);
    assert.equal(told.lastIndexOf('firing') < told.indexOf('resolved'), true, `${device} in order: ${told}`);
  }
  await server.stop();
});

test('a silence that the log does not know of is heeded from the start on', async () => {
  const receiver = await HttpReceiver.start();
  const server = await Server.start({ config: configWith([webhook(receiver.port)], [{ groupBy: ['device'], groupWait: '10ms' }]) });
  const quiet = await post(server, '/api/silences', JSON.stringify({ topic: `account:${account}/site:north/device:oven`, duration: '1h' }));
  assert.equal(quiet.status, 201, quiet.text);
  await server.stop();
  fs.rmSync(path.join(server.directory, 'data', 'log'), { recursive: true });
  await server.restart();
  assert.deepEqual((await backfillAll(server, { types: 'system' })).events, []);
  assert.deepEqual((await get(server, '/api/silences')).json().silences.map((s) => s.id), [quiet.json().id]);
  await heat(server, 'oven');
  await heat(server, 'kiln');
  await delivered(server, 1);
  assert.deepEqual(receiver.taken.map((b) => b.alerts[0].labels.device), ['kiln']);
  await request(server.url, 'DELETE', `/api/silences/${quiet.json().id}`);
  await delivered(server, 2);
  assert.deepEqual(receiver.taken.map((b) => b.alerts[0].labels.device), ['kiln', 'oven']);
  await server.stop();
});

test('a dead receiver holds up no other', async () => {
  const dead = await HttpReceiver.start(() => 'hang');
  const alive = await HttpReceiver.start();
  const server = await Server.start({
    config: configWith([webhook(dead.port, '', 'dead'), webhook(alive.port)], [{ channel: 'dead' }, {}]),
  });
  await heat(server, 'oven');
  await until(() => alive.taken.length, 'the other is told');
  await until(async () => (await deliveries(server, '?channel=dead&state=retrying')).some((d) => d.reason === 'timeout'), 'it is said');
  const channels = (await get(server, '/api/channels')).json().channels;
  assert.deepEqual(channels.map(({ name, type, pending }) => ({ name, type, pending })),
    [{ name: 'dead', type: 'webhook', pending: 1 }, { name: 'ops', type: 'webhook', pending: 0 }]);
  const metrics = (await get(server, '/metrics')).text;
  assert.match(metrics, /millstream_notifications_sent_total\{channel="ops"\} 1/);
  assert.match(metrics, /millstream_notifications_pending\{channel="dead"\} 1/);
  await server.stop();
});

test('what a receiver refuses for good is not tried again, and redirects lead nowhere', async () => {
  const answers = [400, { status: 302, headers: { Location: 'http://169.254.169.254/latest/meta-data' } }, 'take'];
  const receiver = await HttpReceiver.start((_, n) => answers[n]);
  const elsewhere = await HttpReceiver.start();
  answers[2] = { status: 307, headers: { Location: `http://127.0.0.1:${elsewhere.port}/` } };
  const server = await Server.start({ config: configWith([webhook(receiver.port)], [{ groupBy: ['device'], groupWait: '10ms' }]) });
  for (const [i, device] of ['a', 'b', 'c'].entries()) {
    await heat(server, device);
    await until(async () => (await deliveries(server, '?state=failed')).length === i + 1, `${device} has failed`);
  }
  const failed = await deliveries(server, '?state=failed');
  assert.deepEqual(failed.map((d) => [d.reason, d.attempts]), [['answered_307', 1], ['answered_302', 1], ['answered_400', 1]]);
  assert.equal(receiver.requests.length, 3);
  assert.equal(elsewhere.connections, 0);
  await server.stop();
});

test('what nobody takes is given up after a time that is set, and said to be', async () => {
  const receiver = await HttpReceiver.start(() => 503);
  const server = await Server.start({ config: configWith([webhook(receiver.port, 'give_up_after = "1s"\n')], [{}]) });
  await heat(server, 'oven');
  const [given] = await until(async () => {
    const all = await deliveries(server, '?state=gave_up');
    return all.length && all;
  }, 'it is given up');
  assert.equal(given.reason, 'answered_503');
  assert.equal(given.attempts, receiver.requests.length);
  assert.match((await get(server, '/metrics')).text, /millstream_notifications_failed_total\{channel="ops"\} 1/);
  await server.stop();
});

test('a name that leads to this machine is not connected to unless that is meant', async () => {
  const receiver = await HttpReceiver.start();
  const to = (more) => `[[channels]]\nname = "ops"\ntype = "webhook"\nurl = "http://localhost:${receiver.port}/"\nretry_min = "20ms"\nretry_max = "50ms"\n${more}`;
  // A proxy of the environment must not be a way round.
  const env = { http_proxy: `http://127.0.0.1:${receiver.port}`, all_proxy: `http://127.0.0.1:${receiver.port}` };
  const server = await Server.start({ config: configWith([to('')], [{}]), env });
  await heat(server, 'oven');
  await until(async () => (await deliveries(server)).some((d) => d.reason === 'private_address'), 'it is refused');
  assert.equal(receiver.connections, 0);
  await server.stop();
  // What was decided is sent once the operator has said so.
  fs.writeFileSync(path.join(server.directory, 'config.toml'), configWith([to('allow_private = true\n')], [{}]));
  await server.restart();
  await delivered(server, 1);
  assert.equal(receiver.taken.length, 1);
  await server.stop();
});

test('an e-mail is sent over STARTTLS, with a password, in words of any language', async () => {
  const openssl = await new Child('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', file('key.pem'),
    '-out', file('cert.pem'), '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']).ended;
  assert.equal(openssl.code, 0);
  const starttls = { key: fs.readFileSync(file('key.pem')), cert: fs.readFileSync(file('cert.pem')) };
  fs.writeFileSync(file('password'), 'pass word\n', { mode: 0o600 });
  // The first mail is put off: greylisting.
  const smtp = await SmtpServer.start({
    starttls, login: { username: 'ms', password: 'pass word' }, refuse: (verb, n) => (verb === 'RCPT' && n === 1 ? '451 come back later' : undefined),
  });
  const channel = (more) => `[[channels]]\nname = "mail"\ntype = "email"\nurl = "smtp://localhost:${smtp.port}"\nallow_private = true\n` +
    `ca_file = "${file('cert.pem')}"\nfrom = "ms@example.com"\nto = ["ops@example.com", "night@example.com"]\nretry_min = "20ms"\n${more}`;
  const notify = [{ channel: 'mail' }];
  const message = 'Über {{device}}\r\nBcc: all@example.com';
  const server = await Server.start({
    config: configWith([channel(`username = "ms"\npassword_file = "${file('password')}"\n`)], notify, { rule: { message } }),
  });
  await heat(server, 'oven');
  const [sent] = await delivered(server, 1);
  assert.equal(sent.attempts, 2);
  assert.deepEqual(smtp.faults, []);
  const [mail] = smtp.mails;
  assert.deepEqual([mail.from, mail.to, mail.secure, mail.user], ['ms@example.com', ['ops@example.com', 'night@example.com'], true, 'ms']);
  const { headers, body } = parseMail(mail.text);
  assert.deepEqual(Object.keys(headers).sort(), ['auto-submitted', 'content-transfer-encoding', 'content-type', 'date', 'from',
    'message-id', 'mime-version', 'references', 'subject', 'to']);
  assert.match(headers.subject, /^\[FIRING:1\] Über oven +Bcc: all@example.com$/);
  assert.ok(!Number.isNaN(Date.parse(headers.date)));
  assert.match(headers['message-id'], /^<[^<>@ ]+@example.com>$/);
  assert.match(body, /FIRING {4}Über oven/);
  assert.ok(!server.child.output.includes('pass word'));
  await server.stop();
});

test('a mail that must be private is not sent in the clear', async () => {
  const smtp = await SmtpServer.start();
  const channel = (more) => `[[channels]]\nname = "mail"\ntype = "email"\nurl = "smtp://127.0.0.1:${smtp.port}"\nallow_private = true\n` +
    `from = "ms@example.com"\nto = ["ops@example.com"]\nretry_min = "20ms"\nretry_max = "50ms"\n${more}`;
  const server = await Server.start({ config: configWith([channel('')], [{ channel: 'mail' }]) });
  await heat(server, 'oven');
  await until(async () => (await deliveries(server)).some((d) => d.reason === 'tls'), 'it is not sent');
  assert.equal(smtp.tries, 0);
  await server.stop();
  fs.writeFileSync(path.join(server.directory, 'config.toml'), configWith([channel('starttls = "if_offered"\n')], [{ channel: 'mail' }]));
  await server.restart();
  await delivered(server, 1);
  assert.equal(smtp.mails[0].secure, false);
  assert.deepEqual(smtp.faults, []);
  await server.stop();
});

test('a real Alertmanager takes our alerts, and its own webhook has the shape of ours', async () => {
  const ours = await HttpReceiver.start();
  const theirs = await HttpReceiver.start();
  const config = file('alertmanager.yml');
  fs.writeFileSync(config, `route: {receiver: ops, group_by: [site], group_wait: 100ms, group_interval: 1s}\n` +
    `receivers: [{name: ops, webhook_configs: [{url: "http://127.0.0.1:${theirs.port}/"}]}]\n`);
  const alertmanager = new Child('prometheus-alertmanager', [`--config.file=${config}`, `--storage.path=${file('alertmanager')}`,
    '--web.listen-address=127.0.0.1:0', '--cluster.listen-address=', '--log.level=debug']);
  atEnd(() => alertmanager.stop());
  const line = await until(() => /Listening on".*address=127\.0\.0\.1:(\d+)/.exec(alertmanager.output) ??
    /msg="?Listening on"? address=127\.0\.0\.1:(\d+)/.exec(alertmanager.output), 'Alertmanager listens', 20_000);
  const base = `http://127.0.0.1:${line[1]}`;
  const server = await Server.start({
    config: configWith([webhook(ours.port),
      `[[channels]]\nname = "am"\ntype = "alertmanager"\nurl = "${base}"\nallow_private = true\n`], [{ groupBy: ['site'] }, { channel: 'am' }]),
  });
  await heat(server, 'oven', 'kiln');
  await until(() => theirs.taken.length && ours.taken.length, 'both have told', 20_000);
  const [own] = ours.taken;
  const [real] = theirs.taken;
  // Keys and the types of their values, whatever they hold.
  const shape = (value) => {
    if (Array.isArray(value)) return [shape(value[0])];
    if (value === null || typeof value !== 'object') return typeof value;
    return Object.fromEntries(Object.keys(value).sort().map((key) => [key, shape(value[key])]));
  };
  assert.deepEqual(shape(own), shape(real));
  for (const key of ['version', 'status', 'truncatedAlerts']) assert.equal(own[key], real[key], key);
  assert.deepEqual(own.groupLabels, real.groupLabels);
  assert.deepEqual(own.commonLabels, real.commonLabels);
  const byDevice = (body) => Object.fromEntries(body.alerts.map((a) => [a.labels.device, a]));
  for (const device of ['oven', 'kiln']) {
    const [a, b] = [byDevice(own)[device], byDevice(real)[device]];
    assert.equal(a.fingerprint, b.fingerprint, 'fingerprints are Alertmanager\'s');
    assert.deepEqual(a.labels, b.labels);
    assert.deepEqual(a.annotations, b.annotations);
    assert.equal(Date.parse(a.startsAt), Date.parse(b.startsAt));
    assert.equal(a.endsAt, '0001-01-01T00:00:00Z');
    assert.equal(a.generatorURL, b.generatorURL);
  }
  const posted = (await request(base, 'GET', '/api/v2/alerts')).json();
  assert.ok(posted.every((a) => Date.parse(a.endsAt) > Date.now() + 86_400_000), 'it does not end them by itself');

  await cool(server, 'oven', 'kiln');
  await until(async () => (await request(base, 'GET', '/api/v2/alerts')).json().length === 0, 'they have ended there too', 20_000);
  const end = await until(() => theirs.taken.find((b) => b.status === 'resolved'), 'it tells the end', 20_000);
  const ownEnd = await until(() => ours.taken.find((b) => b.status === 'resolved'), 'so do we', 20_000);
  assert.deepEqual(shape(ownEnd), shape(end));
  await server.stop();
  await alertmanager.stop();
});

test('channels are shown and tried out by those who may, and never say where they lead', async () => {
  const receiver = await HttpReceiver.start();
  const config = configWith([webhook(receiver.port), webhook(receiver.port, 'account = "other"\n', 'theirs')], [{}], {
    more: `[auth]\njwt_secret = "${jwtSecret}"\n`,
  });
  const server = await Server.start({ development: false, config });
  const as = (roles, more = {}) => ({ headers: bearer(jwt({ accountId: account, roles, ...more })) });
  for (const [options, status] of [[as(['viewer']), 403], [as(['operator'], { sites: ['north'] }), 403], [as(['operator']), 200], [{}, 401]]) {
    for (const target of ['/api/channels', '/api/notifications']) assert.equal((await get(server, target, options)).status, status, target);
  }
  const list = await get(server, '/api/channels', as(['operator']));
  assert.deepEqual(list.json(), { channels: [{ name: 'ops', type: 'webhook', shared: true, pending: 0 }] });
  assert.ok(!list.text.includes(String(receiver.port)));

  assert.equal((await post(server, '/api/channels/ops/test', undefined, as(['operator']))).status, 403);
  assert.equal((await post(server, '/api/channels/theirs/test', undefined, as(['admin']))).status, 404);
  const asked = await post(server, '/api/channels/ops/test', undefined, as(['admin']));
  assert.equal(asked.status, 202, asked.text);
  const { notificationId } = asked.json();
  const sent = await until(async () => (await deliveries(server, '?channel=ops', as(['operator']))).find((d) => d.state === 'sent'), 'it is sent');
  assert.equal(sent.notificationId, notificationId);
  assert.equal(sent.test, true);
  assert.match(receiver.taken[0].alerts[0].annotations.summary, /A test of the channel ops, asked for by token:tester/);
  const last = (await get(server, '/api/channels', as(['operator']))).json().channels[0].last;
  assert.equal(last.state, 'sent');
  assert.deepEqual(await deliveries(server, `?since=${Date.now() + 1000}`, as(['operator'])), []);
  assert.deepEqual((await get(server, '/api/notifications', as(['operator'], { accountId: 'other' }))).json(), { notifications: [] });
  const wrong = await get(server, '/api/notifications?state=lost', as(['operator']));
  assert.equal(wrong.status, 400);
  assert.equal(wrong.json().detail, 'state: one of pending, retrying, sent, failed, gave_up, dropped');
  // Nobody can say that something was told, or sent.
  for (const kind of ['notification', 'notification_result']) {
    const forged = await post(server, '/api/events', JSON.stringify({ topic: `account:${account}`, type: 'system', data: { kind } }),
      { headers: { ...as(['admin']).headers, 'Content-Type': 'application/json' } });
    assert.equal(forged.status, 400, forged.text);
  }
  await server.stop();
});

test('a rule that notifies a channel that is not there does not start', async () => {
  const config = file('unknown.toml');
  fs.writeFileSync(config, configWith([webhook(9)], [{ channel: 'oops' }], { more: '[auth]\ndevelopment = true\n' }));
  const refused = await run(['check-config', '--config', config]);
  assert.equal(refused.code, 2, refused.output);
  assert.match(refused.output, /rule "hot" of account "demo" notifies the channel "oops", and there is no \[\[channels\]\] of that name/);
  fs.writeFileSync(config, configWith([webhook(9)], [{}], { more: '[auth]\ndevelopment = true\n' }));
  const good = await run(['check-config', '--config', config]);
  assert.equal(good.code, 0, good.output);
  assert.match(good.stdout, /1 rule, 1 channel/);
});
