// The dashboard in Debian's Chromium against the real server: live, a value that changes, an alert, connections that are
// cut and come back without one event missing or doubled; and that everyone can use it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test, { before } from 'node:test';
import {
  assertNoSidewaysScroll, axeViolations, launchChromium, liveText, openPage, screenshot, untilConnected, untilValue,
} from './chromium.mjs';
import { CutProxy, Server, assertStrictlyRising, backfillAll, get, ingest, quickRetry, sleep, tooHot, until } from './harness.mjs';

let browser;

before(async () => {
  browser = await launchChromium();
});

/** As a viewer who does not want to wait out the backoff of a connection that failed many times. */
const hurryUntilConnected = (page) =>
  until(async () => {
    if (/^Live: Connected/.test(await liveText(page))) return true;
    await page.getByRole('button', { name: 'Retry now' }).click({ timeout: 200 }).catch(() => {});
    return false;
  }, 'Live: Connected', 20_000);

/** Ids the page has received, and the log's own since `since`: they must become the same. */
async function assertSameAsLog(page, server, since) {
  const seen = () => page.evaluate(() => [...window.__millstream.log]);
  const { events } = await backfillAll(server, { since });
  await until(async () => (await seen()).length >= events.length, `all ${events.length} events on the page`, 15_000);
  const ids = await seen();
  assertStrictlyRising(ids);
  assert.deepEqual(ids, events.map((event) => event.id));
  assert.equal(await page.evaluate(() => window.__millstream.client.duplicates), 0, 'the server sent none twice');
  return ids.length;
}

test('an empty server shows a command, and that command, run as it stands, makes a device appear', async () => {
  const server = await Server.start();
  const { page, wrongs } = await openPage(browser, server.url);
  const command = (await page.getByTestId('empty').locator('code, pre').first().innerText()).trim();
  assert.match(command, /^curl /);
  execFileSync('bash', ['-c', command], { stdio: 'pipe' });
  await page.getByTestId('device-row').first().waitFor({ timeout: 5000 });
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('the page is live, follows values and alerts, and survives cut connections and kill -9 without a hole', async () => {
  const server = await Server.start({ config: tooHot, arguments: quickRetry });
  await ingest(server, [
    { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 21.5, pressure: 1.2 } },
    { deviceId: 'fan', siteId: 'roof', fields: { rpm: 900 } },
  ]);
  const proxy = await CutProxy.start(server);
  await until(async () => (await backfillAll(server, { types: 'device_status' })).events.length === 2, 'both are online');
  const { last } = await backfillAll(server);

  const started = Date.now();
  const { page, wrongs } = await openPage(browser, proxy.url);
  await untilConnected(page);
  console.log(`Live: Connected after ${Date.now() - started} ms`);
  await untilValue(page, 'boiler', 'T1', '21.5');

  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 22.75 } });
  await untilValue(page, 'boiler', 'T1', '22.75');

  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 95 } });
  const alert = page.locator('[data-testid="alert-row"][data-open="true"]');
  await alert.first().waitFor({ timeout: 5000 });
  assert.match(await alert.first().innerText(), /boiler is too hot: 95 above 70/);
  const chart = await page.getByTestId('chart').first().boundingBox();
  assert.ok(chart.width > 200 && chart.height > 80, JSON.stringify(chart));
  await sleep(500);
  await screenshot(page, 'alert');

  // Points flow all the while; connections are cut again and again, refused for a while, and the server is killed.
  let feeding = true;
  let sent = 0;
  const feed = (async () => {
    while (feeding) {
      try {
        await ingest(server, { deviceId: 'fan', siteId: 'roof', fields: { rpm: 900 + (sent % 50), n: sent } });
        ++sent;
      } catch (error) {
        if (error.code === 'ERR_ASSERTION') throw error;
      }
      await sleep(15);
    }
  })();
  for (let i = 0; i < 5; ++i) {
    await sleep(600);
    proxy.cut();
    await until(async () => !/^Live: Connected/.test(await liveText(page)), 'the page notices the cut', 3000, 5);
    await (i < 2 ? untilConnected(page) : hurryUntilConnected(page));
  }
  proxy.refusing = true;
  proxy.cut();
  await until(async () => /Reconnecting/.test(await liveText(page)), 'Live: Reconnecting', 3000, 5);
  await sleep(400);
  await screenshot(page, 'reconnecting');
  await sleep(1200);
  proxy.refusing = false;
  await hurryUntilConnected(page);
  await server.kill9();
  await server.restart();
  await hurryUntilConnected(page);
  await sleep(500);
  feeding = false;
  await feed;
  await untilValue(page, 'fan', 'n', String(sent - 1));
  const count = await assertSameAsLog(page, server, last);
  assert.ok(count >= sent && sent > 100, `${count} events, ${sent} points`);
  console.log(`${count} events over ${proxy.connections} connections, none missing, none doubled`);

  await ingest(server, { deviceId: 'boiler', siteId: 'cellar', fields: { T1: 20 } });
  await until(async () => (await alert.count()) === 0, 'the alert is over');
  await assertSameAsLog(page, server, last);
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('the page passes axe in light and dark, fits a phone, and is usable by keyboard', async () => {
  const server = await Server.start({ config: tooHot });
  const points = Array.from({ length: 40 }, (_, i) => ({
    deviceId: `device-${i}`, siteId: `site-${i % 4}`, fields: { T1: 20 + i / 2, OPM: 1 + (i % 5), run: i % 3 > 0 },
  }));
  await ingest(server, [...points, { deviceId: 'boiler', siteId: 'site-0', fields: { T1: 96.5 } }]);
  const { page, wrongs } = await openPage(browser, server.url);
  await untilConnected(page);
  await page.getByTestId('alert-row').first().waitFor({ timeout: 5000 });
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await sleep(400);
    assert.deepEqual(await axeViolations(page), [], colorScheme);
    await screenshot(page, `dashboard-${colorScheme}`);
  }

  await page.keyboard.press('Tab');
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Skip/i, 'the first Tab is the skip link');

  await page.setViewportSize({ width: 360, height: 740 });
  await sleep(300);
  await assertNoSidewaysScroll(page);
  const live = await page.getByTestId('live').boundingBox();
  assert.ok(live.x >= 0 && live.x + live.width <= 360 && live.y < 740, JSON.stringify(live));
  await screenshot(page, 'phone');
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('markup in names and texts is shown, never run', async () => {
  const server = await Server.start({ config: tooHot });
  const markup = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>';
  await ingest(server, { deviceId: 'mark', fields: { [markup]: 1, text: markup, T1: 99 } });
  const { page, wrongs } = await openPage(browser, server.url);
  await untilConnected(page);
  await page.getByTestId('alert-row').first().waitFor({ timeout: 5000 });
  await ingest(server, { deviceId: 'mark', fields: { text: `${markup}!` } });
  await untilValue(page, 'mark', 'text', '<img');
  await sleep(500);
  assert.equal(await page.evaluate(() => window.hurt), undefined);
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});

test('over HTTPS the page is live too, with everything on one HTTP/2 connection', async () => {
  const server = await Server.start({ arguments: ['--tls.self_signed=true'] });
  const { page, wrongs } = await openPage(browser, server.url);
  await untilConnected(page);
  await ingest(server, { deviceId: 'boiler', siteId: 'plant', fields: { T1: 48.25 } });
  await page.getByText('48.25').first().waitFor();
  const protocols = await page.evaluate(() => performance.getEntriesByType('resource').map((entry) => entry.nextHopProtocol));
  assert.deepEqual([...new Set(protocols.filter(Boolean))], ['h2']);
  assert.match((await get(server, '/metrics')).text, /^millstream_http2_connections 1$/m, 'streams and requests share it');
  assert.deepEqual(wrongs, []);
  await page.close();
  await server.stop();
});
