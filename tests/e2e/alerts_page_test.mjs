// The alerts page in Debian's Chromium against the real server: found, opened and acknowledged by keyboard alone; who was
// first; closing, silences; what a viewer may; markup in names; both themes and a phone.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { before } from 'node:test';
import { assertNoSidewaysScroll, axeViolations, launchChromium, openAs, screenshot } from './chromium.mjs';
import { Server, bearer, get, ingest, jwt, jwtSecret, post, tempDirectory, until } from './harness.mjs';

const token = (sub, roles) => jwt({ sub, accountId: 'acme', roles });
const anna = token('anna', ['operator']);
const bert = bearer(token('bert', ['operator']));
const viewer = token('vera', ['viewer']);
const device = bearer(token('line-1', ['ingest']));
const markup = '<img src=x onerror="document.title=1">';

const rules = `
- id: hot
  name: 'Too hot ${markup}'
  scope: {topic: account:acme}
  when: {all: [{field: T1}]}
  levels:
    - {severity: warning, op: ">", value: 70, clear: 65}
    - {severity: critical, op: ">", value: 90}
  labels: {team: hvac}
  message: '{{device}} is too hot: {{value}} ${markup}'
`;

let server;
let browser;
before(async () => {
  const directory = tempDirectory('alerts-page');
  fs.writeFileSync(path.join(directory, 'rules.yaml'), rules);
  server = await Server.start({
    development: false, directory, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret },
    arguments: [`--alerts.rules_file=${path.join(directory, 'rules.yaml')}`],
  });
  browser = await launchChromium();
  for (const [name, T1] of [['boiler', 95], ['pump', 75], ['fan', 72], ['kiln', 80]]) {
    await measure(name, 20);
    await measure(name, T1);
  }
  await until(async () => (await alerts('?state=open')).length === 4, 'four alerts are open');
});

const measure = (name, T1) => ingest(server, { deviceId: name, siteId: 'cellar', fields: { T1 } }, { headers: device });
const alerts = async (query) => (await get(server, `/api/alerts${query}`, { headers: bearer(viewer) })).json().alerts;
const alertOf = async (name) => (await alerts(`?deviceId=${name}`))[0];

/** The page of someone, at an address; the one before is closed, as a browser has few connections to a server. */
let shown;
async function open(who, query, view) {
  await shown?.close();
  const { page, wrongs } = await openAs(browser, server.url, who, query, { height: 800, ...view });
  shown = page;
  await page.getByTestId('booked-row').first().waitFor({ state: 'attached' });
  return { page, wrongs };
}
const row = (page, name) => page.locator(`[data-testid="booked-row"]:has-text("${name} is too hot")`);
const rowsShown = (page) => page.getByTestId('booked-row').locator('.alert-where a').allInnerTexts();
const outcome = (page) => page.getByTestId('outcome').innerText();
const untilOutcome = (page, words) => until(async () => words.test(await outcome(page)), String(words));
const focused = (page) => page.evaluate(() => document.activeElement.dataset.testid ?? document.activeElement.id ?? '');

test('found, opened and acknowledged by keyboard alone, and the focus is always seen', async () => {
  const { page, wrongs } = await open(anna, '?page=alerts');
  assert.deepEqual((await rowsShown(page)).slice(0, 1), ['boiler'], 'the most severe first');
  await page.keyboard.press('Tab');
  await until(async () => (await page.evaluate(() => document.activeElement.className)) === 'skip', 'the first Tab is the skip link');
  for (let i = 0; i < 40 && (await focused(page)) !== 'alert-search'; ++i) await page.keyboard.press('Tab');
  await page.keyboard.type('pump hot');
  await until(async () => (await page.getByTestId('booked-row').count()) === 1, 'the search leaves one');
  for (let i = 0; i < 12 && !(await page.evaluate(() => document.activeElement.matches('a.alert-text'))); ++i) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await until(async () => (await focused(page)) === 'detail-title', 'the detail has the focus');
  assert.match(page.url(), /alert=hot\.cellar\.pump/);
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'alert-note');
  await page.keyboard.type('on my way');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'ack');
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, 'solid', 'the focus is visible');
  await page.keyboard.press('Enter');
  await untilOutcome(page, /^Acknowledged\.$/);
  assert.equal(await focused(page), 'outcome', 'the focus is on what came of it');
  const { ack } = await alertOf('pump');
  assert.deepEqual([ack.by, ack.note], ['token:anna', 'on my way']);
  await until(async () => /Acknowledged by anna.*on my way/s.test(await page.getByTestId('timeline').innerText()), 'it is in the timeline');
  await page.keyboard.press('Escape');
  await until(async () => page.evaluate(() => document.activeElement.matches('a.alert-text')), 'the focus is back on the row');
  assert.match(await row(page, 'pump').innerText(), /Acknowledged by anna/);
  assert.deepEqual(wrongs, []);
});

test('who is late is told who was first; an acknowledgement is taken back', async () => {
  const alert = await alertOf('fan');
  const { page, wrongs } = await open(anna, `?page=alerts&alert=${alert.alertId}`);
  await page.getByTestId('ack').waitFor();
  // The page does not know of it yet: no event reaches it.
  await page.route('**/api/alerts/*/ack', async (route) => {
    await post(server, `/api/alerts/${alert.alertId}/ack`, JSON.stringify({ note: 'mine' }), { headers: bert });
    await route.continue();
  });
  await page.getByTestId('ack').click();
  await untilOutcome(page, /^Nothing was changed: the alert was acknowledged by bert at \d+ \w+, \d\d:\d\d:\d\d/);
  await page.getByTestId('unack').click();
  await untilOutcome(page, /taken back/);
  await until(async () => /Acknowledgement taken back by anna/.test(await page.getByTestId('timeline').innerText()), 'in the timeline');
  assert.equal((await alertOf('fan')).ack, undefined);
  assert.deepEqual(wrongs, []);
});

test('an answer that it will be done is said as that', async () => {
  const alert = await alertOf('fan');
  const { page } = await open(anna, `?page=alerts&alert=${alert.alertId}`);
  await page.route('**/api/alerts/*/ack', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, status: 202 });
  });
  await page.getByTestId('ack').click();
  await untilOutcome(page, /stored and will be done/);
});

test('closing asks first, with a note; the list follows what happens', async () => {
  const { page, wrongs } = await open(anna, '?page=alerts&state=open');
  await row(page, 'kiln').locator('a.alert-text').click();
  await page.getByTestId('close').click();
  await page.getByTestId('close-dialog').waitFor();
  await page.keyboard.press('Escape');
  assert.equal(await page.getByTestId('close-dialog').count(), 0);
  assert.equal((await alertOf('kiln')).open, true, 'Escape is no');
  assert.equal(await focused(page), 'close');
  await page.getByTestId('close').click();
  await page.getByTestId('close-note').fill('a faulty sensor');
  await page.getByTestId('close-now').click();
  await untilOutcome(page, /^Closed\.$/);
  await until(async () => !(await rowsShown(page)).includes('kiln'), 'it is no longer among the open ones');
  assert.match(await page.getByTestId('timeline').innerText(), /Closed by anna.*a faulty sensor/s);
  await page.getByTestId('alert-state').selectOption('resolved');
  await until(async () => (await rowsShown(page)).join() === 'kiln', 'it is among the ended');
  await page.getByTestId('alert-state').selectOption('');
  await page.getByTestId('severity-critical').click();
  assert.deepEqual(await rowsShown(page), ['boiler']);
  assert.match(page.url(), /severity=critical/);
  await page.getByTestId('severity-critical').click();
  await measure('oven', 20);
  await measure('oven', 99);
  await until(async () => (await rowsShown(page)).includes('oven'), 'a new alert appears by itself');
  assert.deepEqual(wrongs, []);
});

test('a silence of a rule covers its alerts until it is ended', async () => {
  const { page, wrongs } = await open(anna, '?page=alerts');
  await row(page, 'boiler').locator('a.alert-text').click();
  await page.getByTestId('silence').click();
  await page.getByTestId('silence-of-2').check();
  await page.getByTestId('silence-for-custom').check();
  await page.getByTestId('silence-custom').fill('soon');
  assert.ok(await page.getByTestId('silence-now').isDisabled());
  await page.getByTestId('silence-custom').fill('1h 30m');
  await page.getByTestId('silence-comment').fill(`the fitter ${markup}`);
  await page.getByTestId('silence-now').click();
  await untilOutcome(page, /^Silenced until /);
  await page.getByTestId('alert-silenced').waitFor();
  const [silence] = (await get(server, '/api/silences', { headers: bearer(viewer) })).json().silences;
  assert.deepEqual(silence.rules, ['hot']);
  assert.equal(Date.parse(silence.endsAt) - Date.parse(silence.startsAt), 90 * 60_000);
  await until(async () => /Silenced/.test(await row(page, 'pump').innerText()), 'alerts of the rule are marked');
  await page.getByTestId('silence-end').click();
  await page.getByTestId('end-now').click();
  await until(async () => (await page.getByTestId('silence-row').count()) === 0, 'it is ended');
  await until(async () => (await page.getByTestId('alert-silenced').count()) === 0, 'and covers nothing');
  assert.deepEqual(wrongs, []);
});

test('the detail shows the values around the alert, and leads to device and rule', async () => {
  const alert = await alertOf('boiler');
  const { page, wrongs } = await open(anna, `?page=alerts&alert=${alert.alertId}`);
  await until(async () => Number(await page.getByTestId('alert-chart').getAttribute('data-points')) > 0, 'the chart has points');
  assert.equal(await page.getByTestId('alert-device').getAttribute('href'), '?page=device&device=boiler&site=cellar');
  await page.getByTestId('alert-rule').click();
  await until(() => /page=rules&rule=hot/.test(page.url()), 'the rule is opened');
  await page.goBack();
  await until(async () => (await page.getByTestId('alert-detail').getAttribute('data-alert')) === alert.alertId, 'back leads back');
  assert.notEqual(await page.title(), '1', 'markup is text');
  assert.deepEqual(wrongs, []);
});

test('a viewer sees everything, may change nothing, and is told why', async () => {
  const alert = await alertOf('boiler');
  const { page, wrongs } = await open(viewer, `?page=alerts&alert=${alert.alertId}`);
  assert.match(await page.getByTestId('viewer-note').innerText(), /role operator/);
  for (const id of ['ack', 'close', 'silence', 'silence-end']) assert.equal(await page.getByTestId(id).count(), 0, id);
  assert.match(await page.getByTestId('timeline').innerText(), /Fired at 95/);
  assert.deepEqual(wrongs, []);
});

test('no violation in light and dark, and no sideways scroll on a phone, where the detail takes the place of the list', async () => {
  const alert = await alertOf('boiler');
  for (const colorScheme of ['light', 'dark']) {
    for (const [name, query] of [['alerts', '?page=alerts'], ['alert-detail', `?page=alerts&alert=${alert.alertId}`]]) {
      const { page } = await open(anna, query, { colorScheme });
      if (name === 'alert-detail') await page.getByTestId('alert-chart').waitFor();
      assert.deepEqual(await axeViolations(page), [], `${name} ${colorScheme}`);
      await screenshot(page, `${name}-${colorScheme}`);
    }
  }
  const { page } = await open(anna, `?page=alerts&alert=${alert.alertId}`, { width: 360, height: 740 });
  await page.getByTestId('alert-chart').waitFor();
  await assertNoSidewaysScroll(page);
  assert.ok(!(await page.getByTestId('booked-row').first().isVisible()));
  await screenshot(page, 'alert-detail-360');
  await page.getByTestId('alert-back').click();
  await until(() => page.getByTestId('booked-row').first().isVisible(), 'the list is back');
  await assertNoSidewaysScroll(page);
  await screenshot(page, 'alerts-360');
});
