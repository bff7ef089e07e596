// Signing in to the dashboard with user and password, in Debian's Chromium against the real server: the page, the cookie
// that two tabs share, the end of a session, and that a page nobody is signed in to leaves the server alone.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { before } from 'node:test';
import {
  assertNoSidewaysScroll, axeViolations, launchChromium, liveText, openPage, screenshot, untilConnected, untilValue,
} from './chromium.mjs';
import { CutProxy, Server, assertStrictlyRising, backfillAll, bearer, get, ingest, jwt, jwtSecret, post, quickRetry, run, sleep, tempDirectory, until } from './harness.mjs';

const password = 'a password of some length';
const secretEnvironment = { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret };
const device = bearer(jwt({ accountId: 'acme', roles: ['ingest'] }));
const reader = bearer(jwt({ accountId: 'acme', roles: ['viewer'] }));
let browser;

before(async () => {
  browser = await launchChromium();
});

/** A server of the account acme, with the users anna (acme) and bob (of another account) and one device. */
async function start(...flags) {
  await browser.clearCookies(); // cookies do not tell ports apart
  const directory = tempDirectory('server');
  const file = path.join(directory, 'password');
  fs.writeFileSync(file, `${password}\n`, { mode: 0o600 });
  for (const [name, account] of [['anna', 'acme'], ['bob', 'other']]) {
    const added = await run(['user', 'add', '--data-directory', path.join(directory, 'data'), '--account', account, '--role', 'viewer',
      '--password-file', file, name]);
    assert.equal(added.code, 0, added.output);
  }
  const server = await Server.start({ development: false, directory, env: secretEnvironment, arguments: flags });
  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 21.5 } }, { headers: device });
  return server;
}

/** A page that notes every request it makes to the API, and whatever its console calls an error. */
async function open(server) {
  const requests = [];
  const { page, wrongs } = await openPage(browser, server.url, (opened, found) => {
    opened.on('request', (request) => {
      const { pathname } = new URL(request.url());
      if (pathname.startsWith('/api/')) requests.push(`${request.method()} ${pathname}`);
    });
    opened.on('console', (message) => {
      // Chromium says of every refused request that it was; those are what is tested here.
      if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) found.push(message.text());
    });
  });
  return { page, wrongs, requests };
}

const panel = (page) => page.getByTestId('sign-in');
const button = (page, name = 'Sign in') => panel(page).getByRole('button', { name, exact: true });
async function signIn(page, user = 'anna') {
  await page.getByLabel('User', { exact: true }).fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await button(page).click();
}
const untilRefusal = (page, words) =>
  until(async () => words.test(await page.getByTestId('refusal').innerText({ timeout: 500 })), String(words));
const focused = (page) => page.evaluate(() => document.activeElement.id);
const rows = (page) => page.getByTestId('device-row').count();

test('who is not signed in sees the sign-in page alone, by keyboard too, in light, dark and on a phone', async () => {
  const server = await start();
  const { page, wrongs, requests } = await open(server);
  await until(async () => (await focused(page)) === 'user', 'the first empty field is next');
  assert.equal(await page.getByTestId('live').count(), 0);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await sleep(300);
    assert.deepEqual(await axeViolations(page), [], colorScheme);
    await screenshot(page, `sign-in-${colorScheme}`);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  await sleep(200);
  await assertNoSidewaysScroll(page);
  await screenshot(page, 'sign-in-phone');

  await page.keyboard.type('anna');
  await page.keyboard.press('Tab');
  await page.keyboard.type('secret');
  const field = page.locator('#password');
  assert.equal(await field.getAttribute('type'), 'password');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await field.getAttribute('type'), 'text', 'shown on request');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByLabel('Token or API key').waitFor();
  assert.deepEqual(await axeViolations(page), [], 'with everything open');

  assert.deepEqual(requests, ['GET /api/me'], 'one question, no stream and nothing again');
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('a wrong password is refused in words, the right one opens the page, and it stays open over a reload', async () => {
  const server = await start();
  const { page, wrongs, requests } = await open(server);
  await until(async () => (await focused(page)) === 'user', 'the first empty field is next');
  await page.keyboard.type('anna');
  await page.keyboard.press('Tab');
  await page.keyboard.type('wrong');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter'); // an impatient one
  await untilRefusal(page, /User or password is wrong/);
  assert.equal(requests.filter((request) => request === 'POST /api/login').length, 1);
  await until(async () => (await focused(page)) === 'password', 'the password is next');
  await page.keyboard.type('x');
  assert.equal(await page.locator('#password').inputValue(), 'x', 'typing replaces what was refused');
  assert.deepEqual(await axeViolations(page), [], 'with a refusal');

  await page.route('**/api/login', (route) => route.fulfill({ status: 429, headers: { 'Retry-After': '2' }, body: '{}' }));
  await page.keyboard.press('Enter');
  await untilRefusal(page, /Too many attempts\. Try again in \d s/);
  assert.equal(await button(page).isDisabled(), true);
  await until(() => button(page).isEnabled(), 'the pause is over', 5000);
  await page.unroute('**/api/login');
  await page.route('**/api/login', (route) => route.abort());
  await page.locator('#password').press('Enter');
  await untilRefusal(page, /cannot be reached/);
  await page.unroute('**/api/login');

  await signIn(page);
  await untilConnected(page);
  await untilValue(page, 'boiler', 'T1', '21.5');
  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 22.75 } }, { headers: device });
  await untilValue(page, 'boiler', 'T1', '22.75');
  const who = page.getByTestId('who');
  assert.equal(await who.innerText(), 'anna');
  assert.match(await who.getAttribute('title'), /acme.*viewer/);
  assert.deepEqual(
    await page.evaluate(() => [document.cookie, JSON.stringify({ ...sessionStorage, ...localStorage })]), ['', '{}'],
    'no script can see the cookie, and nothing else is kept');
  assert.deepEqual(await axeViolations(page), [], 'signed in');

  await page.reload();
  await untilConnected(page);
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('signing out in one tab ends the other, which then is quiet, and signing in brings both back', async () => {
  const server = await start();
  const one = await open(server);
  await signIn(one.page);
  await untilConnected(one.page);
  const two = await open(server);
  await untilConnected(two.page);

  await two.page.route('**/api/logout', (route) => route.abort());
  await two.page.getByTestId('sign-out').click();
  await two.page.getByTestId('sign-out-failed').waitFor();
  assert.match(await liveText(two.page), /Connected/, 'not done is not called done');
  await two.page.unroute('**/api/logout');

  one.requests.length = two.requests.length = 0;
  await two.page.getByTestId('sign-out').click();
  await panel(two.page).waitFor();
  await panel(one.page).waitFor();
  assert.deepEqual([await rows(one.page), await rows(two.page)], [0, 0], 'nothing is left in view');
  await sleep(5000);
  assert.ok(one.requests.length <= 2, JSON.stringify(one.requests));
  assert.deepEqual(two.requests.filter((request) => request === 'GET /api/stream'), []);

  await signIn(one.page);
  await untilConnected(one.page);
  await untilConnected(two.page);
  await untilValue(two.page, 'boiler', 'T1', '21.5');

  // Another user in one tab is another user in both: the cookie is one.
  await two.page.getByTestId('sign-out').click();
  await panel(two.page).waitFor();
  await signIn(two.page, 'bob');
  for (const { page, wrongs } of [one, two]) {
    await untilConnected(page);
    assert.equal(await page.getByTestId('who').innerText(), 'bob');
    assert.equal(await rows(page), 0, 'of the account before');
    assert.deepEqual(wrongs, []);
    await page.close();
  }
  await server.stop();
});

test('a session that has ended leaves its values in view, leaves the server alone, and resumes without a hole', async () => {
  const server = await start('--auth.session_max=3s');
  const { last } = await backfillAll(server, {}, { headers: reader });
  const { page, wrongs, requests } = await open(server);
  await signIn(page);
  await untilConnected(page);
  await untilValue(page, 'boiler', 'T1', '21.5');
  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 23.5 } }, { headers: device });
  await untilValue(page, 'boiler', 'T1', '23.5');
  await sleep(500);
  requests.length = 0;

  await panel(page).waitFor({ timeout: 10_000 });
  await sleep(5000);
  assert.ok(requests.length <= 2, JSON.stringify(requests));
  assert.equal(await liveText(page), 'Live: Sign in again');
  assert.equal(await panel(page).getByRole('heading').innerText(), 'Sign in again');
  assert.match(await page.getByTestId('as-of').first().innerText(), /^as of \d\d:\d\d:\d\d$/);
  await untilValue(page, 'boiler', 'T1', '23.5');
  assert.equal(await focused(page), 'password', 'the name is there already');
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await sleep(300);
    assert.deepEqual(await axeViolations(page), [], colorScheme);
    await screenshot(page, `sign-in-again-${colorScheme}`);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  await assertNoSidewaysScroll(page);

  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 24.25 } }, { headers: device });
  await signIn(page);
  await untilConnected(page);
  await untilValue(page, 'boiler', 'T1', '24.25');
  const { events } = await backfillAll(server, { since: last }, { headers: reader });
  const ids = await page.evaluate(() => [...window.__millstream.log]);
  assertStrictlyRising(ids);
  const wanted = events.filter((event) => event.type === 'telemetry').map((event) => event.id);
  assert.deepEqual(wanted.filter((id) => !ids.includes(id)), [], 'what came meanwhile was sent after');
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('the end of a session is announced, and signing in before it goes on with a new stream', async () => {
  const server = await start('--auth.session_max=64s');
  const { page, wrongs, requests } = await open(server);
  await signIn(page);
  await untilConnected(page);
  const notice = page.getByTestId('session-ends');
  await notice.waitFor({ timeout: 15_000 });
  assert.match(await notice.innerText(), /Your session ends at \d\d:\d\d; sign in again to go on\./);
  assert.deepEqual(await axeViolations(page), [], 'with the notice');
  requests.length = 0;
  await notice.getByRole('button').click();
  await until(async () => (await focused(page)) === 'password', 'the password is next');
  await signIn(page);
  await panel(page).waitFor({ state: 'detached' });
  await untilConnected(page);
  assert.equal(await notice.count(), 0);
  assert.equal(requests.filter((request) => request === 'GET /api/stream').length, 1, JSON.stringify(requests));
  assert.equal(await rows(page), 1);
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('a key can be used instead, for this tab alone, and be forgotten', async () => {
  const server = await start();
  const made = await run(['key', 'create', '--data-directory', path.join(server.directory, 'data'), '--account', 'acme', '--role', 'viewer',
    '--name', 'wall']);
  const key = /ms_[a-z0-9]{12}_\S{43}/.exec(made.stdout)[0];
  await until(async () => (await get(server, '/api/me', { headers: bearer(key) })).status === 200, 'the server knows the key');
  const { page, wrongs } = await open(server);
  await page.getByText('Use a token or API key instead').click();
  const field = page.getByLabel('Token or API key');
  await field.fill(`${key.slice(0, -2)}xx`);
  await button(page, 'Connect').click();
  await untilRefusal(page, /does not accept this credential/);
  await field.fill(key);
  await button(page, 'Connect').click();
  await untilConnected(page);
  await untilValue(page, 'boiler', 'T1', '21.5');

  const other = await open(server);
  await panel(other.page).waitFor();
  await other.page.close();
  await page.getByTestId('sign-out').click();
  await panel(page).waitFor();
  assert.equal(await rows(page), 0);
  assert.equal(await page.evaluate(() => JSON.stringify({ ...sessionStorage })), '{}');
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

/** The browser's own EventSource, and nothing of ours: it notes the ids it gets, how often it opened, and its state. */
const nativeStream = (page, url) => page.evaluate((target) => {
  const source = new EventSource(target);
  window.native = { source, ids: [], opened: 0, kinds: [] };
  source.onopen = () => ++window.native.opened;
  source.addEventListener('telemetry', (event) => window.native.ids.push(event.lastEventId));
  source.addEventListener('system', (event) => window.native.kinds.push(JSON.parse(event.data).data.kind));
}, url);
const native = (page) => page.evaluate(() => ({ ...window.native, source: undefined, state: window.native.source.readyState }));

test('with a ticket the browser\'s own EventSource comes back after every cut, misses nothing, and ends with the token', async () => {
  const server = await start(...quickRetry);
  const proxy = await CutProxy.start(server);
  const { page } = await openPage(browser, `${proxy.url}/`);
  const expiresInS = 14;
  const token = bearer(jwt({ accountId: 'acme', roles: ['viewer'] }, { expiresInS }));
  const begin = Date.now();
  const ticket = async () => (await post(server, '/api/stream-token', '', { headers: token })).json().url;
  const url = await ticket();
  await nativeStream(page, url);
  await until(async () => (await native(page)).kinds.includes('hello'), 'it is open, and knows where to go on');
  for (let cut = 1; cut <= 3; ++cut) {
    for (let i = 0; i < 20; ++i) await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: cut + i / 100 } }, { headers: device });
    assert.ok(proxy.cut() >= 1);
    for (let i = 0; i < 20; ++i) await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: cut + i / 10 } }, { headers: device });
    await until(async () => (await native(page)).kinds.filter((kind) => kind === 'hello').length === cut + 1, `it is open again after cut ${cut}`);
  }
  await until(async () => (await native(page)).ids.length === 120, 'all 120 events');
  const { ids, kinds } = await native(page);
  assertStrictlyRising(ids);
  const { events } = await backfillAll(server, { types: 'telemetry' }, { headers: reader });
  assert.deepEqual(ids, events.map((event) => event.id).slice(-120));
  assert.ok(!kinds.includes('gap'), kinds.join());

  // Nobody else gets in with it, not even this very page.
  assert.equal(await page.evaluate(async (target) => (await fetch(target)).status, url), 401);
  await until(async () => (await native(page)).kinds.includes('auth_expired'), 'the token ends', 20_000);
  assert.ok(Math.abs(Date.now() - begin - expiresInS * 1000) < 2000, `${Date.now() - begin} ms`);
  await until(async () => (await native(page)).state === 2, 'a browser that is told 401 does not come back');
  const opened = (await native(page)).opened;
  const connections = proxy.connections;
  await sleep(2000);
  assert.equal((await native(page)).opened, opened);
  assert.equal(proxy.connections, connections, 'nor does it ask again');
  await page.close();
  await server.stop();
});

test('with the cookie the browser\'s own EventSource comes back after a cut, and is told when the session is over', async () => {
  const server = await start(...quickRetry, '--auth.session_max=10s');
  const proxy = await CutProxy.start(server);
  const { page } = await openPage(browser, `${proxy.url}/`);
  await panel(page).waitFor();
  await signIn(page);
  await untilConnected(page);
  await nativeStream(page, '/api/stream');
  await until(async () => (await native(page)).kinds.includes('hello'), 'it is open, and knows where to go on');
  proxy.cut();
  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 3 } }, { headers: device });
  await until(async () => (await native(page)).ids.length === 1, 'what came meanwhile');
  await until(async () => (await native(page)).kinds.includes('auth_expired'), 'the session ends', 20_000);
  await until(async () => (await native(page)).state === 2, 'and the browser stays away');
  await page.close();
  await server.stop();
});
