// The rules page in Debian's Chromium against the real server: a rule is made with its preview, changed as a form and as
// JSON without losing what the form does not know, kept from undoing someone else's change, and deleted; what stands in a
// file and what a viewer may; both themes and a phone.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { before } from 'node:test';
import { assertNoSidewaysScroll, axeViolations, launchChromium, openAs, screenshot } from './chromium.mjs';
import { Server, bearer, get, ingest, jwt, jwtSecret, post, request, tempDirectory, until } from './harness.mjs';

const token = (sub, roles) => jwt({ sub, accountId: 'acme', roles });
const anna = token('anna', ['admin']);
const bert = bearer(token('bert', ['admin']));
const viewer = token('vera', ['viewer']);
const device = bearer(token('line-1', ['ingest']));
const markup = '<img src=x onerror="document.title=1">';

const config = (directory) => `
[alerts]
rules_file = "${path.join(directory, 'rules.yaml')}"
[[channels]]
name = "ops"
type = "webhook"
url = "https://hooks.invalid/x"
`;
const rules = `
- id: filed
  name: 'From a file ${markup}'
  scope: {topic: "account:acme/site:cellar"}
  when: {all: [{field: T1}]}
  levels: [{severity: info, op: "<", value: -40}]
`;
const odd = {
  name: 'Odd one', scope: { topic: 'account:acme', tags: { model: 'elink' } }, when: { all: [{ field: 'T1', fn: 'ewma', halfLife: '10s', warmup: 3 }] },
  levels: [{ severity: 'warning', op: '>', value: { attr: 'T1_warn', default: 70 } }], flap: { history: 11, high: 0.5, low: 0.25 },
  schedule: { tz: 'Europe/Kyiv', active: [{ days: 'mon,tue,wed,thu,fri', from: '08:00', to: '18:00' }] }, labels: { team: 'hvac' },
  notify: [{ channel: 'ops', groupWait: '10s' }],
};

let server;
let browser;
before(async () => {
  const directory = tempDirectory('rules-page');
  fs.writeFileSync(path.join(directory, 'rules.yaml'), rules);
  server = await Server.start({ development: false, directory, config: config(directory), env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret } });
  browser = await launchChromium();
  for (const T1 of [20, 75, 60, 80, 60]) {
    await ingest(server, ['boiler', 'pump'].map((name) => ({ deviceId: name, siteId: 'cellar', fields: { T1: name === 'pump' ? 20 : T1 } })), { headers: device });
  }
  await make({ ...odd, id: 'odd' });
});

const make = async (rule) => {
  const answer = await post(server, '/api/rules', JSON.stringify(rule), { headers: bert });
  assert.equal(answer.status, 201, answer.text);
};
const ruleOf = async (id) => {
  const answer = await get(server, `/api/rules/${id}`, { headers: bert });
  return answer.status === 200 ? answer.json() : undefined;
};
const change = async (id, what) => {
  const answer = await request(server.url, 'PUT', `/api/rules/${id}`, { headers: bert, body: JSON.stringify({ ...(await ruleOf(id)), ...what }) });
  assert.equal(answer.status, 200, answer.text);
};

/** The page of someone, at an address; the one before is closed, as a browser has few connections to a server. */
let shown;
async function open(who, query, view) {
  await shown?.close({ runBeforeUnload: false });
  const { page, wrongs } = await openAs(browser, server.url, who, query, view);
  shown = page;
  return { page, wrongs };
}
const row = (page, id) => page.locator(`[data-testid="rule-row"][data-rule="${id}"]`);
const field = (page, place) => page.getByTestId(`rule-${place}`);
const untilState = (page, state) =>
  until(async () => (await page.getByTestId('preview').getAttribute('data-state')) === state, `the preview is ${state}`, 20_000);
const untilText = (page, id, words) => until(async () => words.test(await page.getByTestId(id).innerText()), `${id}: ${words}`);

test('the list says what each rule says; a file\'s is changed there, others are switched here', async () => {
  const { page, wrongs } = await open(anna, '?page=rules');
  await row(page, 'odd').waitFor();
  assert.match(await row(page, 'odd').innerText(), /All devices with model=elink: smoothed value of T1 above T1_warn of the device \(else 70\) \(warning\)/);
  assert.match(await row(page, 'filed').innerText(), /All devices at cellar: T1 below -40 \(info\)[^]*2 devices[^]*Rules file/);
  const filed = row(page, 'filed').getByTestId('rule-enabled');
  assert.ok(await filed.isDisabled());
  assert.match(await filed.getAttribute('title'), /rules file/);
  await row(page, 'odd').getByTestId('rule-enabled').click();
  await until(async () => (await row(page, 'odd').getAttribute('data-enabled')) === 'false', 'it is off');
  assert.equal((await ruleOf('odd')).enabled, false);
  assert.deepEqual((await ruleOf('odd')).schedule, odd.schedule);
  await row(page, 'odd').getByTestId('rule-enabled').click();
  await until(async () => (await ruleOf('odd')).enabled, 'it is on');
  await page.getByTestId('rule-search').fill('smoothed');
  await until(async () => (await page.getByTestId('rule-row').count()) === 1, 'the search leaves one');
  assert.notEqual(await page.title(), '1', 'markup is text');
  assert.deepEqual(wrongs, []);
});

test('a rule is made: suggestions, what is wrong at its field, a preview as one types', async () => {
  const { page, wrongs } = await open(anna, '?page=rules');
  await page.getByTestId('rule-new').click();
  await field(page, 'name').fill('Too hot');
  assert.deepEqual(await page.locator('#rule-fields option').evaluateAll((options) => options.map((option) => option.value)), ['T1']);
  const topics = await page.locator('#rule-topics option').evaluateAll((options) => options.map((option) => option.value));
  assert.deepEqual(topics, ['account:acme', 'account:acme/site:cellar', 'account:acme/site:cellar/device:pump', 'account:acme/site:cellar/device:boiler']);
  await field(page, 'when-all-0-field').fill('T1');
  await field(page, 'levels-0-value').fill('70');
  await field(page, 'levels-0-clear').fill('80');
  await until(async () => /lies beyond/.test(await page.locator('#rule-levels-0-clear-hint').innerText({ timeout: 500 })), 'the server says what is wrong, at the field');
  assert.equal(await field(page, 'levels-0-clear').getAttribute('aria-invalid'), 'true');
  await page.getByTestId('rule-save').click();
  await untilText(page, 'rule-refused', /levels\[0\]\.clear/);
  await until(async () => (await page.evaluate(() => document.activeElement.id)) === 'rule-levels-0-clear', 'the focus is where it is wrong');
  await field(page, 'levels-0-clear').fill('65');
  await field(page, 'for').fill('');
  await page.getByTestId('add-level').click();
  await field(page, 'levels-1-value').fill('78');
  await untilText(page, 'preview-state', /^2 alerts on 1 of 2 devices/);
  assert.match(await page.getByTestId('preview-devices').innerText(), /boiler/);
  await until(async () => Number(await page.getByTestId('preview-chart').getAttribute('data-points')) > 0, 'the preview has a chart');
  await page.getByTestId('channel-ops').check();
  await field(page, 'notify-0-minSeverity').selectOption('critical');
  await page.getByRole('button', { name: /^\{\{device\}\}/ }).click();
  await until(async () => (await page.evaluate(() => document.activeElement.id)) === 'rule-message', 'one types on behind it');
  await page.keyboard.type(' is hot');
  await page.getByTestId('rule-save').click();
  await untilText(page, 'rule-said', /^Saved/);
  assert.match(page.url(), /rule=too-hot/);
  const { levels, notify, message, scope } = await ruleOf('too-hot');
  assert.deepEqual(levels, [{ severity: 'warning', op: '>', value: 70, clear: 65 }, { severity: 'critical', op: '>', value: 78 }]);
  assert.deepEqual([notify[0].channel, notify[0].minSeverity, message], ['ops', 'critical', '{{device}} is hot']);
  assert.match(scope.topic, /^account:acme/);
  assert.deepEqual(wrongs, []);
});

test('the preview tells its progress and can be stopped', async () => {
  const { page } = await open(anna, '?page=rules&rule=odd');
  await untilState(page, 'done');
  let held;
  await page.route('**/api/rules/test', (route) => { held = route; });
  await field(page, 'levels-0-value-default').fill('60');
  await untilState(page, 'running');
  await page.getByRole('progressbar').waitFor();
  await until(() => held, 'the server is asked');
  await page.getByTestId('preview-stop').click();
  await untilState(page, 'cancelled');
  await page.unroute('**/api/rules/test');
  await page.getByTestId('preview-run').click();
  await untilState(page, 'done');
});

test('form and JSON are one rule, and neither loses what the form does not know', async () => {
  const { page, wrongs } = await open(anna, '?page=rules&rule=odd');
  await untilText(page, 'rule-elsewhere', /maxLateness, flap, schedule, labels, scope\.tags/);
  await field(page, 'levels-0-value-default').fill('72.5');
  await page.getByTestId('view-json').click();
  const typed = JSON.parse(await page.getByTestId('rule-json').inputValue());
  assert.deepEqual(typed.levels[0].value, { attr: 'T1_warn', default: 72.5 });
  assert.deepEqual([typed.schedule, typed.labels, typed.scope.tags, typed.when.all[0].warmup], [odd.schedule, odd.labels, odd.scope.tags, 3]);
  await page.getByTestId('rule-json').fill('{"name":');
  assert.match(await page.locator('#json-hint').innerText(), /not JSON of a rule/);
  typed.labels.shift = 'night';
  await page.getByTestId('rule-json').fill(JSON.stringify(typed));
  await page.getByTestId('view-form').click();
  await field(page, 'name').fill('Odd, renamed');
  await page.getByTestId('rule-save').click();
  await untilText(page, 'rule-said', /^Saved/);
  const now = await ruleOf('odd');
  assert.deepEqual([now.name, now.labels, now.schedule, now.flap], ['Odd, renamed', { team: 'hvac', shift: 'night' }, odd.schedule, odd.flap]);
  assert.equal(now.notify[0].groupWait, '10s');
  assert.deepEqual(wrongs, []);
});

test('what is not saved is kept on other pages', async () => {
  const { page } = await open(anna, '?page=rules&rule=odd');
  await field(page, 'name').fill('Not yet');
  await page.getByTestId('rules-back').click();
  await row(page, 'odd').getByTestId('rule-open').click();
  assert.equal(await field(page, 'name').inputValue(), 'Not yet');
  await page.getByTestId('rule-unsaved').waitFor();
  await page.getByTestId('rule-discard').click();
  assert.equal(await field(page, 'name').inputValue(), 'Odd, renamed');
});

test('someone else\'s change is neither lost nor overwritten unasked', async () => {
  const { page, wrongs } = await open(anna, '?page=rules&rule=too-hot');
  await field(page, 'name').fill('Mine');
  await change('too-hot', { name: 'Theirs' });
  await page.getByTestId('rule-save').click();
  await untilText(page, 'conflict-dialog', /bert saved version 2/);
  await page.getByTestId('load-theirs').click();
  await until(async () => (await field(page, 'name').inputValue()) === 'Theirs', 'theirs is loaded');
  await field(page, 'name').fill('Mine again');
  await change('too-hot', { name: 'Theirs again' });
  await page.getByTestId('rule-save').click();
  await untilText(page, 'conflict-dialog', /version 3/);
  assert.equal((await ruleOf('too-hot')).name, 'Theirs again');
  await page.getByTestId('overwrite').click();
  await untilText(page, 'rule-said', /^Saved/);
  assert.deepEqual([(await ruleOf('too-hot')).name, (await ruleOf('too-hot')).version], ['Mine again', 4]);
  assert.deepEqual(wrongs, []);
});

test('deleting asks first', async () => {
  await make({ ...odd, id: 'short-lived', name: `Short ${markup}` });
  const { page, wrongs } = await open(anna, '?page=rules&rule=short-lived');
  await page.getByTestId('rule-delete').click();
  await page.getByTestId('delete-dialog').waitFor();
  await page.keyboard.press('Escape');
  assert.ok(await ruleOf('short-lived'), 'Escape is no');
  await page.getByTestId('rule-delete').click();
  await page.getByTestId('delete-now').click();
  await row(page, 'odd').waitFor();
  assert.equal(await ruleOf('short-lived'), undefined);
  await until(async () => (await row(page, 'short-lived').count()) === 0, 'it is gone from the list');
  assert.deepEqual(wrongs, []);
});

test('a viewer and a file\'s rule: everything is seen, nothing can be changed, and why is said', async () => {
  const { page, wrongs } = await open(viewer, '?page=rules');
  assert.match(await page.getByTestId('viewer-note').innerText(), /role admin/);
  assert.equal(await page.getByTestId('rule-new').count(), 0);
  assert.ok(await row(page, 'odd').getByTestId('rule-enabled').isDisabled());
  await row(page, 'odd').getByTestId('rule-open').click();
  await page.getByTestId('rule-readonly').waitFor();
  assert.ok(await field(page, 'name').isDisabled());
  assert.equal(await page.getByTestId('rule-save').count(), 0);
  const other = await open(anna, '?page=rules&rule=filed');
  await untilText(other.page, 'rule-readonly', /rules file of the server/);
  assert.ok(await field(other.page, 'levels-0-value').isDisabled());
  await other.page.getByTestId('rule-copy').click();
  await until(async () => /^Copy of From a file/.test(await field(other.page, 'name').inputValue()), 'a copy may be changed');
  assert.deepEqual([...wrongs, ...other.wrongs], []);
});

test('no violation in light and dark, and no sideways scroll on a phone', async () => {
  for (const colorScheme of ['light', 'dark']) {
    for (const [name, query] of [['rules', '?page=rules'], ['rule', '?page=rules&rule=odd'], ['rule-new', '?page=rules&rule=*']]) {
      const { page } = await open(anna, query, { colorScheme });
      if (name === 'rules') await row(page, 'odd').waitFor();
      if (name === 'rule') await untilState(page, 'done');
      if (name === 'rule-new') await field(page, 'name').waitFor();
      assert.deepEqual(await axeViolations(page), [], `${name} ${colorScheme}`);
      await screenshot(page, `${name}-${colorScheme}`);
    }
  }
  for (const [name, query] of [['rules-360', '?page=rules'], ['rule-360', '?page=rules&rule=too-hot']]) {
    const { page } = await open(anna, query, { width: 360, height: 740 });
    await (name === 'rules-360' ? row(page, 'odd').waitFor() : untilState(page, 'done'));
    await assertNoSidewaysScroll(page);
    await screenshot(page, name);
  }
});
