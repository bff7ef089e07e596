// The overview and the page of a device in Debian's Chromium: find a device, look at its past, take it away as a table; on a
// wall; with a sound; by keyboard, by every eye, and with names that would like to be more than names.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import test, { before } from 'node:test';
import {
  assertNoSidewaysScroll, axeViolations, chart, drawnPixels, inColours, launchChromium, openPage, points, screenshot, untilConnected,
} from './chromium.mjs';
import { Server, get, ingest, sleep, tooHot, until } from './harness.mjs';

let browser;

before(async () => {
  browser = await launchChromium();
});

/** Ten minutes of a boiler, a point each 10 s, the newest hot. */
async function withBoiler() {
  const server = await Server.start({ config: tooHot });
  const now = Date.now();
  const points = Array.from({ length: 60 }, (_, i) => ({
    deviceId: 'boiler', siteId: 'cellar', ts: now - (60 - i) * 10_000, tags: { 'unit.T1': '°C', model: 'b-2' },
    fields: { T1: 60 + (i % 7) / 3, pressure: 1.2, run: i % 2 === 0, state: 'on' },
  }));
  await ingest(server, points);
  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', tags: { 'unit.T1': '°C', model: 'b-2' }, fields: { T1: 71.5 } });
  return server;
}

async function openDevice(server, query) {
  const opened = await openPage(browser, server.url, undefined, `/?page=device&${query}`);
  await untilConnected(opened.page);
  return opened;
}

/** Until a point that is sent now is one of its own on the charts of 15 minutes, which have one for each 2 s. */
const nextPoint = () => sleep(2100);

test('the overview groups by site, draws the last numbers, and leads to the device', async () => {
  const server = await Server.start({ config: tooHot });
  const feed = (value) => ingest(server, ['a-1', 'a-2', 'b-1'].map((deviceId) => ({
    deviceId, siteId: `site-${deviceId[0]}`, tags: { 'unit.T1': '°C' }, fields: { T1: value, OPM: 3 },
  })));
  await feed(20);
  const { page, wrongs } = await openPage(browser, server.url, undefined, '/?field=T1');
  await untilConnected(page);
  await page.getByTestId('device-row').first().waitFor();
  for (let value = 21; value < 27; ++value) await feed(value);
  await page.getByText('26 °C').first().waitFor();
  await until(async () => (await drawnPixels(page, '.spark')) > 20, 'a line of the last numbers');
  assert.match(await page.getByTestId('alert-strip').innerText(), /No open alert/);

  await page.getByTestId('group-by-site').press('Enter');
  const site = page.locator('[data-testid="site-row"][data-site="site-a"]').getByRole('button');
  assert.equal(await page.getByTestId('site-row').count(), 2);
  await site.press('Enter');
  assert.equal(await site.getAttribute('aria-expanded'), 'false');
  assert.equal(await page.getByTestId('device-row').count(), 1);
  await site.press('Enter');
  await page.getByTestId('device-search').fill('a-2');
  await until(async () => (await page.getByTestId('device-row').count()) === 1, 'one device matches');
  await page.getByTestId('device-search').fill('');

  await feed(90);
  await until(async () => /too hot: 90 above 70[^]*2 more/.test(await page.getByTestId('alert-strip').innerText()), 'the strip says what is worst');
  for (const colorScheme of ['light', 'dark']) {
    await inColours(page, colorScheme);
    assert.deepEqual(await axeViolations(page), [], colorScheme);
    await screenshot(page, `overview-by-site-${colorScheme}`);
  }
  await page.getByRole('button', { name: 'Chart of T1, b-1' }).press('Enter');
  await until(async () => (await page.getByTestId('chart-panel').getAttribute('data-device')) === 'b-1', 'its chart');
  await page.getByTestId('device-link').getByText('b-1').press('Enter');
  await page.getByTestId('device-head').waitFor();
  assert.match(page.url(), /page=device.*device=b-1/);
  await page.goBack();
  await page.getByTestId('device-row').first().waitFor();
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('a device has its values with units and ages, its charts with limits, and its alerts', async () => {
  const server = await withBoiler();
  const { page, wrongs } = await openDevice(server, 'device=boiler');
  const value = (field) => page.locator(`[data-testid="value-row"][data-field="${field}"]`);
  await until(async () => /71\.5\s°C/.test(await value('T1').innerText()), 'T1 with its unit');
  await until(async () => /\d+ s/.test(await value('T1').innerText()), 'its age');
  await until(async () => /1\.2\s+\d+ s/.test(await value('pressure').innerText()), 'the age of a value the newest point did not bring');
  await until(async () => /boiler[^]*Online[^]*cellar[^]*ago/.test(await page.getByTestId('device-head').innerText()), 'what it is');
  assert.match(await page.getByTestId('device-about').innerText(), /model\s+b-2/);
  assert.equal(await page.getByTestId('field-chart').count(), 3, 'T1, pressure, run; no chart of a text');
  await until(async () => (await points(page, 'T1')) === 61, 'the past is drawn');
  assert.match(await page.getByTestId('limits').innerText(), /Critical\s*>\s*70\s°C/);
  await until(async () => /too hot: 71\.5 above 70/.test(await page.getByTestId('device-alerts').innerText()), 'its alert');

  await nextPoint();
  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 30.25 } });
  await until(async () => /30\.25/.test(await value('T1').innerText()), 'a live value');
  await until(async () => (await points(page, 'T1')) === 62, 'drawn live');
  await until(async () => /Resolved/.test(await page.getByTestId('device-alerts').innerText()), 'the alert is over');

  for (const colorScheme of ['light', 'dark']) {
    await inColours(page, colorScheme);
    assert.deepEqual(await axeViolations(page), [], colorScheme);
    await screenshot(page, `device-${colorScheme}`);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  await sleep(300);
  await assertNoSidewaysScroll(page);
  await screenshot(page, 'device-phone');
  await page.setViewportSize({ width: 1280, height: 800 });

  // The axes are drawn in the colours of the theme that is on.
  const [light, dark] = [[0x55, 0x61, 0x6d], [0x98, 0xa6, 0xb5]];
  const pixels = async () => [await drawnPixels(page, '.u-wrap canvas', light), await drawnPixels(page, '.u-wrap canvas', dark)];
  await until(async () => { const [l, d] = await pixels(); return l === 0 && d > 0; }, 'dark axes');
  await page.emulateMedia({ colorScheme: 'light' });
  await until(async () => { const [l, d] = await pixels(); return l > 0 && d === 0; }, 'light axes');
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('its charts zoom by drag and by key, pause, have an address, and what they show comes as a table', async () => {
  const server = await withBoiler();
  const { page, wrongs } = await openDevice(server, 'device=boiler&field=T1');
  await until(async () => (await points(page, 'T1')) === 61, 'the past is drawn');
  const span = page.getByTestId('span');
  assert.equal(await span.innerText(), '');

  // The table is the chart: the same points, and those of the server.
  const table = async () => {
    const wait = page.waitForEvent('download');
    await page.getByTestId('csv').click();
    const [head, ...rows] = fs.readFileSync(await (await wait).path(), 'utf8').trim().split('\n').map((row) => row.trim().split(','));
    assert.deepEqual(head, ['time', 'field', 'min', 'max', 'avg', 'last', 'count']);
    return rows;
  };
  const shown = async () => (await page.locator('.points tbody tr').allInnerTexts())
    .map((row) => row.split(/\s+/).slice(-3).map(Number)).reverse();
  const asShown = (rows) => rows.map(([, , min, max, avg]) => [avg, min, max].map((number) => Number(Number(number).toFixed(3))));
  await page.getByText('Points as a table').click();
  assert.equal((await shown()).length, 61);
  const whole = await table();
  assert.deepEqual(asShown(whole), await shown());

  await page.getByTestId('pause').focus();
  await page.keyboard.press('+');
  await until(async () => / – /.test(await span.innerText()), 'what is shown is said');
  await until(async () => (await points(page, 'T1')) < 61, 'read again, finer');
  const half = await table();
  assert.ok(half.length > 10 && half.length < whole.length, `${half.length} rows`);
  assert.deepEqual(asShown(half), await shown());
  await page.keyboard.press('0');
  await until(async () => (await span.innerText()) === '', 'all of it again');

  const box = await chart(page, 'T1').boundingBox();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 120, { steps: 4 });
  await page.mouse.up();
  await until(async () => / – /.test(await span.innerText()), 'the part that was dragged over');
  await page.mouse.dblclick(box.x + box.width / 2, box.y + 100);
  await until(async () => (await span.innerText()) === '', 'a double click shows all');

  await page.getByTestId('pause').click();
  const before = await points(page, 'T1');
  await nextPoint();
  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 44.5 } });
  await page.locator('[data-testid="value-row"][data-field="T1"]').getByText('44.5').waitFor();
  await sleep(600);
  assert.equal(await points(page, 'T1'), before, 'a paused chart stands');
  await page.getByTestId('pause').click();
  await until(async () => (await points(page, 'T1')) === before + 1, 'and then has what it missed');

  await page.getByTestId('range-24h').click();
  assert.match(page.url(), /device=boiler&field=T1&range=24h/);
  await page.reload();
  await untilConnected(page);
  await until(async () => (await points(page, 'T1')) > 3, 'the address has it all');
  assert.equal(await page.getByTestId('range-24h').getAttribute('aria-pressed'), 'true');
  const answer = (await get(server, '/api/series?deviceId=boiler&siteId=cellar&fields=T1')).json();
  assert.equal(answer.series.T1.reduce((sum, bucket) => sum + bucket.count, 0), 62);
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('a device that is not known is explained, and appears with its first point; names are never run', async () => {
  const server = await withBoiler();
  const { page, wrongs } = await openDevice(server, 'device=later');
  assert.match(await page.getByTestId('unknown-device').innerText(), /later is not known/);
  const markup = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>';
  await ingest(server, { deviceId: 'later', tags: { [markup]: markup, [`unit.${markup}`]: markup }, fields: { [markup]: 1, text: markup } });
  await page.getByTestId('device-head').waitFor();
  await until(async () => (await page.getByTestId('device-about').innerText()).includes('<img'), 'tags are shown');
  await page.getByTestId('enlarge').first().click();
  await sleep(500);
  assert.equal(await page.evaluate(() => window.hurt), undefined);
  await page.goto(`${server.url}/?page=device`);
  await untilConnected(page);
  await page.getByText('No device is chosen').waitFor();
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('on a wall there is the overview alone', async () => {
  const server = await withBoiler();
  const { page, wrongs } = await openPage(browser, server.url);
  await page.setViewportSize({ width: 1920, height: 1080 });
  await page.goto(`${server.url}/?kiosk=1&page=device&device=boiler`);
  await untilConnected(page);
  await page.getByTestId('device-row').first().waitFor();
  assert.equal(await page.getByRole('navigation').count(), 0);
  for (const hidden of ['settings', 'sign-out', 'device-head']) assert.equal(await page.getByTestId(hidden).count(), 0, hidden);
  await until(async () => (await page.getByTestId('count-devices').evaluate((count) => parseFloat(getComputedStyle(count).fontSize))) >= 36, 'large type');
  assert.deepEqual(await axeViolations(page), []);
  await screenshot(page, 'kiosk');
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('new alerts are heard and shown by the desktop only when someone asked for it', async () => {
  const server = await Server.start({ config: tooHot });
  await ingest(server, { deviceId: 'oven', fields: { T1: 20 } });
  await browser.grantPermissions(['notifications'], { origin: server.url });
  const { page, wrongs } = await openPage(browser, server.url);
  await page.addInitScript(() => {
    window.told = [];
    window.tones = 0;
    window.Notification = class extends window.Notification {
      constructor(title, options) { super(title, options); window.told.push([title, options.body]); }
    };
    window.OscillatorNode = class extends window.OscillatorNode {
      start(...when) { ++window.tones; super.start(...when); }
    };
  });
  await page.reload();
  await untilConnected(page);
  await ingest(server, { deviceId: 'oven', fields: { T1: 90 } });
  await page.getByTestId('toast').waitFor();
  await ingest(server, { deviceId: 'oven', fields: { T1: 20 } });
  await page.getByTestId('settings').click();
  for (const want of ['want-sound', 'want-desktop']) assert.equal(await page.getByTestId(want).isChecked(), false, want);
  await sleep(1500);
  assert.deepEqual(await page.evaluate(() => [window.told, window.tones]), [[], 0], 'silent by itself');
  await page.getByTestId('want-sound').check();
  await page.getByTestId('want-desktop').check();
  assert.deepEqual(await axeViolations(page), []);
  await page.keyboard.press('Escape');
  await page.getByTestId('settings-menu').waitFor({ state: 'detached' });

  await page.reload(); // it is remembered
  await untilConnected(page);
  await page.getByTestId('device-row').first().click();
  await until(() => page.evaluate(() => performance.getEntriesByType('resource').some((entry) => /settings-.*js/.test(entry.name))), 'what it needs is loaded');
  await sleep(300);
  await ingest(server, { deviceId: 'oven', fields: { T1: 95 } });
  await until(() => page.evaluate(() => window.told.length > 0 && window.tones > 0), 'a sound and a notification');
  assert.deepEqual(await page.evaluate(() => window.told), [['Critical: oven', 'oven is too hot: 95 above 70']]);
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});
