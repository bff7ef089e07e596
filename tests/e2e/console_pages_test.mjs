// The pages beside the overview that are about the server itself, in Debian's Chromium against the real server: the events
// console, status, connect, and users & keys. Real clicks, and what was shown is then run or asked of the server.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import test, { before } from 'node:test';
import { assertNoSidewaysScroll, axeViolations, launchChromium, openPage, screenshot, untilConnected } from './chromium.mjs';
import {
  Server, account, addUser, backfillAll, bearer, get, ingest, login, post, quickRetry, run, sessionOf, sleep, tempDirectory, until,
} from './harness.mjs';

const password = 'a password of some length';
const markup = '<img src=x onerror="window.hurt=1">';
let browser;

before(async () => {
  browser = await launchChromium();
});

/** A server where people sign in: anna is admin, bob viewer. */
async function startSecured(flags = []) {
  await browser.clearCookies(); // cookies do not tell ports apart
  const directory = tempDirectory('server');
  await addUser(directory, 'anna', { role: 'admin', password });
  await addUser(directory, 'bob', { role: 'viewer', password });
  return Server.start({ development: false, directory, arguments: flags });
}
async function signInAs(server, user) {
  const [name, value] = sessionOf(await login(server, { user, password })).split(/=(.*)/);
  await browser.clearCookies();
  await browser.addCookies([{ name, value, url: server.url }]);
  return { Cookie: `${name}=${value}`, Origin: server.url };
}

async function open(server, query) {
  const opened = await openPage(browser, server.url, undefined, `/${query}`);
  await untilConnected(opened.page);
  return opened;
}
async function finish(page, wrongs) {
  assert.equal(await page.evaluate(() => window.hurt), undefined);
  assert.deepEqual(wrongs, []);
  await page.close();
}

/** Both themes pass axe, and nothing sticks out on a phone. */
async function assertForEveryone(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await sleep(200);
    assert.deepEqual(await axeViolations(page), [], `${name}, ${colorScheme}`);
    await screenshot(page, `${name}-${colorScheme}`);
  }
  const before = page.viewportSize();
  await page.setViewportSize({ width: 360, height: 740 });
  await sleep(200);
  await assertNoSidewaysScroll(page);
  assert.deepEqual(await axeViolations(page), [], `${name}, phone`);
  await screenshot(page, `${name}-phone`);
  await page.setViewportSize(before);
}

const text = (page, id) => page.getByTestId(id).innerText({ timeout: 2000 });
const untilText = (page, id, words) => until(async () => words.test(await text(page, id).catch(() => '')), `${id}: ${words}`);
const fieldErrors = (page) => page.getByTestId('field-error').allInnerTexts();
const shell = (command, env = {}) => execFileSync('bash', ['-c', command], { stdio: 'pipe', env: { ...process.env, ...env }, timeout: 20_000 }).toString();

test('the events console shows what comes as it is written, stands still while paused, and follows what it is asked to', async () => {
  const server = await Server.start({ arguments: [...quickRetry, '--stream.heartbeat_interval=1s'] });
  await ingest(server, { deviceId: 'pump-1', siteId: 'cellar', fields: { T1: 1, [markup]: markup } });
  const { page, wrongs } = await open(server, `?page=events&topics=account:${account}/site:cellar&types=telemetry,system`);
  const frame = (event) => page.locator(`[data-testid="frame"][data-event="${event}"]`);
  await untilText(page, 'events-state', /Running/);
  await page.locator('[data-testid="frame"]', { hasText: 'hello' }).first().waitFor();
  await page.locator('[data-testid="frame"]', { hasText: 'heartbeat' }).first().waitFor();

  await ingest(server, { deviceId: 'pump-1', siteId: 'cellar', fields: { T1: 42.5, text: markup } });
  await ingest(server, { deviceId: 'fan', siteId: 'roof', fields: { rpm: 900 } });
  await frame('telemetry').first().waitFor();
  const { events } = await backfillAll(server, { types: 'telemetry' });
  const stored = events.find(({ data }) => data.fields.T1 === 42.5);
  await page.getByTestId('events-pause').click();
  assert.equal(await frame('telemetry').count(), 1, 'the roof was not asked for');
  await frame('telemetry').getByRole('button').first().click();
  const shown = await text(page, 'frame-raw');
  assert.match(shown, new RegExp(`^id: ${stored.id}\nevent: telemetry\ndata: \\{\n  "id"`));
  assert.deepEqual(JSON.parse(shown.slice(shown.indexOf('data: ') + 6)), stored, 'the very event of the log');

  // Held back, then shown.
  for (let i = 0; i < 30; ++i) await ingest(server, { deviceId: 'pump-1', siteId: 'cellar', fields: { n: i } });
  await untilText(page, 'events-counts', /(3\d|[4-9]\d) frames are held back/);
  assert.equal(await frame('telemetry').count(), 1);
  await page.getByTestId('events-pause').click();
  await page.getByTestId('events-filter').fill('"n":29');
  await until(async () => (await page.getByTestId('frame').count()) === 1, 'the filter finds one frame');
  await page.getByTestId('events-filter').fill('');
  await assertForEveryone(page, 'events');
  await page.getByTestId('events-clear').click();
  await until(async () => (await frame('telemetry').count()) === 0, 'cleared');

  // From an id on: exactly what came after it. Then another stream by the line for a shell.
  await page.getByTestId('events-begin').selectOption('id');
  await page.getByTestId('events-from').fill('seven');
  await page.getByTestId('events-start').click();
  assert.match((await fieldErrors(page)).join(), /two numbers with a dash/);
  await page.getByTestId('events-from').fill(stored.id);
  await page.getByTestId('events-start').click();
  await page.getByTestId('events-filter').fill('"n":0}');
  await page.getByTestId('frame').first().waitFor();
  await page.getByTestId('events-filter').fill('42.5');
  await until(async () => (await page.getByTestId('frame').count()) === 0, 'not the event of the id itself');
  const line = await page.getByTestId('events-curl').textContent();
  const curl = shell(`timeout 2 ${line.replaceAll('\\\n', ' ')} -sS || true`);
  assert.match(curl, /"n":29/);
  assert.ok(!curl.includes('"rpm"') && !curl.includes('42.5'), 'the same stream');
  await finish(page, wrongs);
  await server.stop();
});

test('a server that goes away and comes back is told of in the console, and nothing is missed', async () => {
  const server = await Server.start({ arguments: quickRetry });
  const { page, wrongs } = await open(server, '?page=events&types=telemetry');
  await untilText(page, 'events-state', /Running/);
  await server.kill9();
  await untilText(page, 'events-state', /Reconnecting/);
  await server.restart();
  await ingest(server, { deviceId: 'late', fields: { T1: 7 } });
  await untilText(page, 'events-state', /Running/);
  await page.locator('[data-testid="frame"]', { hasText: 'T1 7' }).waitFor();
  await page.getByTestId('events-stop').click();
  await untilText(page, 'events-state', /Stopped/);
  await finish(page, wrongs);
  await server.stop();
});

test('what the server refuses of a stream or an event stands at its field; who may not publish is told so', async () => {
  const server = await startSecured();
  await signInAs(server, 'anna');
  const { page, wrongs } = await open(server, '?page=events&topics=nonsense');
  await until(async () => (await fieldErrors(page)).some((each) => /must start with "account:"/.test(each)), 'the topic is refused');
  assert.equal(await page.getByTestId('events-topics').getAttribute('aria-invalid'), 'true');
  for (const [topics, words] of [['account:other', /not allowed/], [`account:${account}`, undefined]]) {
    await page.getByTestId('events-topics').fill(topics);
    await page.getByTestId('events-start').click();
    if (words) await until(async () => (await fieldErrors(page)).some((each) => words.test(each)), String(words));
    else await untilText(page, 'events-state', /Running/);
  }
  assert.deepEqual(await fieldErrors(page), []);
  assert.equal(new URL(page.url()).searchParams.get('topics'), `account:${account}`, 'the address can be sent to someone');

  await page.getByTestId('publish-data').fill('{ "kind": ');
  await page.getByTestId('publish-now').click();
  assert.match((await fieldErrors(page)).join(), /Not JSON/);
  await page.getByTestId('publish-data').fill('{ "kind": "hello" }');
  await page.getByTestId('publish-now').click();
  await until(async () => (await fieldErrors(page)).some((each) => /data\.kind/.test(each)), 'a kind of the stream itself is refused');
  await page.getByTestId('publish-data').fill(JSON.stringify({ kind: 'maintenance', message: markup }));
  await page.getByTestId('publish-now').click();
  await untilText(page, 'publish-done', /id \d+-\d+/);
  const [id] = /\d+-\d+/.exec(await text(page, 'publish-done'));
  await page.locator(`[data-testid="frame"][data-id="${id}"]`).waitFor();
  await finish(page, wrongs);

  await signInAs(server, 'bob');
  const viewer = await open(server, '?page=events');
  await untilText(viewer.page, 'publish-not', /role publish or admin. You have viewer/);
  await finish(viewer.page, viewer.wrongs);
  await server.stop();
});

test('the status page says how the server does, in figures that are the server\'s own', async () => {
  const server = await Server.start();
  await ingest(server, { deviceId: 'pump-1', fields: { T1: 1 } });
  const { page, wrongs } = await open(server, '?page=status');
  await untilText(page, 'findings', /Everything works as it should[\s\S]*Development mode/);
  const { version } = (await get(server, '/health')).json();
  assert.match(await text(page, 'facts'), new RegExp(`Version\\s+${version.replaceAll('.', '\\.')}`));
  // Two samples, with something in between.
  for (let i = 0; i < 40; ++i) await ingest(server, { deviceId: 'pump-1', fields: { T1: i } });
  await post(server, '/api/ingest', '{"deviceId":"bad name","fields":{"x":1}}', { headers: { 'Content-Type': 'application/json' } });
  await until(async () => Number(await page.getByTestId('latency').first().getAttribute('data-count')) > 0, 'a latency was measured', 15_000);
  await until(async () => /bad name/.test(await text(page, 'drops')), 'the refused point is counted', 15_000);
  assert.match(await text(page, 'connections'), /Viewers of this account\s+[1-9]/);
  assert.match(await text(page, 'fan-out'), new RegExp(`account:${account}/site:\\*/device:\\*\\s+[1-9]`));
  assert.match(await text(page, 'storage'), /Disk\s+writes succeed\s+Packed[\s\S]*Free on the disk\s+[\d.]+ [KMGT]iB\s+Events are kept for\s+1 d/);
  assert.match(await text(page, 'notifications'), /No channel is set up/);
  await assertForEveryone(page, 'status');
  await finish(page, wrongs);
  await server.stop();
});

test('the status page shows notifications that failed, and to a viewer what a viewer may know', async () => {
  const config = `
[[channels]]
name = "ops"
type = "webhook"
url = "http://127.0.0.1:1/"
allow_private = true
retry_min = "100ms"
give_up_after = "1s"
account = "${account}"
`;
  await browser.clearCookies();
  const directory = tempDirectory('server');
  await addUser(directory, 'anna', { role: 'admin', password });
  await addUser(directory, 'bob', { role: 'viewer', password });
  const server = await Server.start({ development: false, directory, config });
  const admin = await signInAs(server, 'anna');
  const tried = await post(server, '/api/channels/ops/test', '', { headers: admin });
  assert.equal(tried.status, 202, tried.text);
  const states = async () => (await get(server, '/api/notifications', { headers: admin })).json().notifications.map(({ state }) => state);
  await until(async () => (await states())[0] === 'gave_up', 'given up');
  const { page, wrongs } = await open(server, '?page=status');
  await page.locator('[data-testid="delivery"][data-state="gave_up"]').waitFor();
  assert.match(await text(page, 'delivery'), /Given up\s+ops\s+test\s+could not connect, \d+ tr/);
  await untilText(page, 'findings', /Warning\s+1 notification of those listed below could not be delivered/);
  assert.ok(!/Everything works/.test(await text(page, 'findings')));
  await screenshot(page, 'status-notifications');
  await finish(page, wrongs);
  await signInAs(server, 'bob');
  const viewer = await open(server, '?page=status');
  await untilText(viewer.page, 'stats-not', /operators and admins[\s\S]*You have viewer/);
  await untilText(viewer.page, 'notifications', /operators and admins/);
  await finish(viewer.page, viewer.wrongs);
  await server.stop();
});

test('the lines of the connect page run as they stand, with a fresh key, and their devices appear', async () => {
  const server = await startSecured();
  await signInAs(server, 'anna');
  const { page, wrongs } = await openPage(browser, server.url);
  await page.getByTestId('empty').waitFor();
  await page.getByTestId('empty-connect').click();
  const line = async (id) => page.getByTestId(id).textContent();
  const runs = {
    curl: ['snippet-command', (lines) => shell(lines)],
    python: ['snippet-python', (lines) => execFileSync('python3', ['-c', lines], { stdio: 'pipe', timeout: 20_000 })],
    javascript: ['snippet-node', (lines) => execFileSync(process.execPath, ['--input-type=module', '-e', lines], { stdio: 'pipe', timeout: 20_000 })],
  };
  assert.match(await line('snippet-command'), /\$MILLSTREAM_KEY/);
  await page.getByTestId('create-ingest').click();
  const key = await text(page, 'secret-key');
  assert.match(key, /^ms_/);
  const me = (await get(server, '/api/me', { headers: bearer(key) })).json();
  assert.deepEqual(me.roles, ['ingest'], 'the key can only send');
  for (const [way, [id, start]] of Object.entries(runs)) {
    await page.getByTestId(`way-${way}`).click();
    await page.getByTestId('connect-device').fill(`by-${way}`);
    const lines = await line(id);
    assert.ok(lines.includes(key) && lines.includes(server.url), lines);
    await untilText(page, 'arrived', /not been heard/);
    start(lines);
    await untilText(page, 'arrived', new RegExp(`Online[\\s\\S]*by-${way}`));
  }
  // With the key in the environment instead.
  await page.reload();
  await page.getByTestId('way-python').click();
  await page.getByTestId('connect-device').fill('by-variable');
  execFileSync('python3', ['-c', await line('snippet-python')], { stdio: 'pipe', env: { ...process.env, MILLSTREAM_KEY: key }, timeout: 20_000 });
  await untilText(page, 'arrived', /Online/);

  // What is not run here is read by those who will.
  await page.getByTestId('way-telegraf').click();
  const toml = (lines) => execFileSync('python3', ['-c', 'import json, sys, tomllib; print(json.dumps(tomllib.loads(sys.stdin.read())))'], { input: lines });
  const telegraf = JSON.parse(toml(await line('snippet-telegraf')));
  assert.deepEqual(telegraf.outputs.influxdb[0].urls, [server.url]);
  await page.getByTestId('way-mqtt').click();
  const file = path.join(server.directory, 'feed.toml');
  fs.writeFileSync(file, `[auth]\ndevelopment = true\n${await line('snippet-feed')}\n`);
  const checked = await run(['--config', file, 'check-config']);
  assert.equal(checked.code, 0, checked.output);

  // Watching: a key that can only read follows the stream as the line says.
  await page.getByTestId('create-viewer').click();
  await untilText(page, 'secret-key', /^ms_/);
  assert.deepEqual((await get(server, '/api/me', { headers: bearer(await text(page, 'secret-key')) })).json().roles, ['viewer']);
  assert.match(shell(`timeout 2 ${(await line('watch-curl')).replaceAll('\\\n', ' ')} -sS || true`), /"deviceId":"by-curl"/);
  const ticket = execFileSync(process.execPath, ['--input-type=module', '-e', `${await line('watch-ticket')}\nconsole.log(url);`], { stdio: 'pipe' }).toString();
  assert.match(ticket, /^\/api\/stream\?ticket=mt_/);
  const seen = await page.evaluate(
    `new Promise((resolve) => { const console = { log: (event) => resolve(event.data.deviceId) }; ${await line('watch-page')} })`);
  assert.match(seen, /^by-/, 'the lines for a page of this origin, with its cookie');
  await finish(page, wrongs);

  await signInAs(server, 'bob');
  const viewer = await open(server, '?page=connect&way=arduino');
  await untilText(viewer.page, 'key-box-ingest', /Only admins can create keys; you have viewer/);
  assert.equal(await viewer.page.getByTestId('create-ingest').count(), 0);
  assert.match(await viewer.page.getByTestId('snippet-arduino').textContent(), /Bearer YOUR KEY/);
  await assertForEveryone(viewer.page, 'connect');
  await finish(viewer.page, viewer.wrongs);
  await server.stop();
});

test('keys are made, replaced and revoked, each after a question, and a secret is shown once', async () => {
  const server = await startSecured();
  const admin = await signInAs(server, 'anna');
  const { page, wrongs } = await open(server, '?page=users');
  const works = async (key) => (await get(server, '/api/me', { headers: bearer(key) })).status === 200;
  const row = (name) => page.locator(`[data-testid="key"][data-name=${JSON.stringify(name)}]`);
  const keys = async () => (await get(server, '/api/keys', { headers: admin })).json().keys;

  await page.getByTestId('key-new').click();
  await page.getByTestId('key-create').click();
  await until(async () => (await fieldErrors(page)).includes('is needed'), 'a name is needed');
  await page.getByTestId('key-name').fill('line <b>1');
  await page.getByTestId('key-sites').fill('no such*');
  await page.getByTestId('key-create').click();
  await until(async () => (await fieldErrors(page)).some((each) => /a name is 1 to 64/.test(each)), 'a site has a good name');
  await page.getByTestId('key-sites').fill('north, south');
  await page.getByTestId('key-create').click();
  const first = await text(page, 'secret-key');
  assert.ok(await works(first));
  assert.deepEqual((await keys()).map(({ name, roles, sites }) => ({ name, roles, sites })), [{ name: 'line <b>1', roles: ['ingest'], sites: ['north', 'south'] }]);
  await page.getByTestId('secret-done').click();
  assert.ok(!(await page.content()).includes(first), 'it is nowhere any more');

  await row('line <b>1').getByTestId('key-replace').click();
  await page.keyboard.press('Escape');
  assert.equal((await keys()).length, 1, 'asked, and not done');
  await row('line <b>1').getByTestId('key-replace').click();
  await page.getByTestId('key-overlap').selectOption('1h');
  await page.getByTestId('ask-yes').click();
  await untilText(page, 'secret-key', /^ms_/);
  const second = await text(page, 'secret-key');
  assert.notEqual(second, first);
  assert.ok((await works(first)) && (await works(second)), 'the old one goes on for a while');
  await until(async () => (await row('line <b>1').count()) === 2, 'both are listed');

  await row('line <b>1').first().getByTestId('key-revoke').click();
  await page.getByTestId('ask-no').click();
  assert.ok(await works(second), 'asked, and not done');
  await row('line <b>1').first().getByTestId('key-revoke').click();
  assert.deepEqual(await axeViolations(page), [], 'the question');
  await page.getByTestId('ask-yes').click();
  await until(async () => !(await works(second)), 'revoked');
  assert.ok(await works(first));
  await page.getByTestId('keys-over').locator('summary').click();
  assert.equal(await page.locator('[data-testid="key"][data-state="revoked"]').count(), 1);
  await page.getByTestId('secret-done').click();
  await assertForEveryone(page, 'users');

  await finish(page, wrongs);

  await signInAs(server, 'bob');
  const viewer = await open(server, '?page=users');
  await untilText(viewer.page, 'users-not', /Only admins[\s\S]*You have viewer/);
  assert.equal(await viewer.page.getByTestId('key-new').count(), 0);
  await finish(viewer.page, viewer.wrongs);
  await server.stop();
});

test('users are added, given another password, disabled and enabled, each after a question', async () => {
  const server = await startSecured();
  await signInAs(server, 'anna');
  const { page, wrongs } = await open(server, '?page=users');
  const row = (name) => page.locator(`[data-testid="user"][data-name=${JSON.stringify(name)}]`);
  const signsIn = async (user, secret) => (await login(server, { user, password: secret })).status === 200;
  const fill = async (first, second = first) => {
    await page.getByTestId('new-password').fill(first);
    await page.getByTestId('again-password').fill(second);
  };
  await row('anna').getByText('you', { exact: true }).waitFor();
  assert.equal(await row('anna').getByTestId('user-disable').count(), 0, 'nobody disables themselves');

  await page.getByTestId('user-new').click();
  await page.getByTestId('user-name').fill('not a name');
  await fill(password, 'another');
  await page.getByTestId('user-create').click();
  await until(async () => (await fieldErrors(page)).some((each) => /not the same/.test(each)), 'typed twice');
  await fill(password);
  await page.getByTestId('user-create').click();
  await until(async () => (await fieldErrors(page)).some((each) => /1 to 64/.test(each)), 'a good name');
  await page.getByTestId('user-name').fill('carl@site.example');
  await fill('short');
  await page.getByTestId('user-create').click();
  await until(async () => (await fieldErrors(page)).some((each) => /at least 8/.test(each)), 'a good password');
  assert.deepEqual(await axeViolations(page), [], 'the form');
  await fill(password);
  await page.getByTestId('user-create').click();
  await row('carl@site.example').waitFor();
  assert.ok(await signsIn('carl@site.example', password));

  await row('carl@site.example').getByTestId('user-password').click();
  await fill('another long password');
  assert.deepEqual(await axeViolations(page), [], 'the question');
  await page.getByTestId('ask-yes').click();
  await page.getByTestId('ask').waitFor({ state: 'detached' });
  assert.ok(!(await signsIn('carl@site.example', password)) && (await signsIn('carl@site.example', 'another long password')));

  await row('carl@site.example').getByTestId('user-disable').click();
  await page.getByTestId('ask-no').click();
  assert.ok(await signsIn('carl@site.example', 'another long password'), 'asked, and not done');
  await row('carl@site.example').getByTestId('user-disable').click();
  await page.getByTestId('ask-yes').click();
  await page.locator('[data-testid="user"][data-state="disabled"]').waitFor();
  assert.ok(!(await signsIn('carl@site.example', 'another long password')));
  await assertForEveryone(page, 'users');
  await row('carl@site.example').getByTestId('user-enable').click();
  await page.getByTestId('ask-yes').click();
  await until(() => signsIn('carl@site.example', 'another long password'), 'in again');
  await finish(page, wrongs);
  await server.stop();
});
