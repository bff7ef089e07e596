// Debian's Chromium, with an empty profile and no requests of its own, and what every test of a page watches for.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import axe from 'axe-core';
import { chromium } from 'playwright-core';
import { atEnd, root, sleep, tempDirectory, until } from './harness.mjs';

export async function launchChromium() {
  const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => fs.existsSync(p));
  assert.ok(executablePath, 'Chromium is not installed: ./dev setup');
  const browser = await chromium.launchPersistentContext(tempDirectory('chromium'), {
    executablePath,
    ignoreHTTPSErrors: true, // the server makes its own certificate
    viewport: { width: 1280, height: 800 },
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  atEnd(() => browser.close());
  return browser;
}

/** A page and everything it did that it should not have. watch(page, wrongs): before it goes anywhere; query: the rest of its address. */
export async function openPage(browser, url, watch, query = '') {
  const page = await browser.newPage();
  const wrongs = [];
  page.on('pageerror', (error) => wrongs.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) wrongs.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) wrongs.push(`request to ${request.url()}`);
  });
  await watch?.(page, wrongs);
  await page.goto(url + query);
  return { page, wrongs };
}

/** The page of someone who has a token, live, at an address such as "?page=rules". */
export async function openAs(browser, url, token, query, { width = 1280, height = 900, colorScheme = 'light' } = {}) {
  const opened = await openPage(browser, url, async (page) => {
    await page.addInitScript((credential) => sessionStorage.setItem('millstream.token', credential), token);
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
  }, `/${query}`);
  await untilConnected(opened.page);
  return opened;
}

export const liveText = (page) => page.getByTestId('live').innerText();
export const untilConnected = (page, timeoutMs = 10_000) =>
  until(async () => /^Live: Connected/.test(await liveText(page)), 'Live: Connected', timeoutMs);

const value = (page, device, field) =>
  page.locator(`[data-testid="device-row"][data-device="${device}"] [data-testid="device-value"][data-field="${field}"]`);
export const untilValue = (page, device, field, text) =>
  until(async () => (await value(page, device, field).innerText({ timeout: 2000 })).includes(text), `${device} ${field} = ${text}`);

/** The chart of a field, how many points it has, and how many of its pixels are drawn, or are of a colour [r, g, b]. */
export const chart = (page, field) => page.locator(`[data-testid="chart"][data-field="${field}"]`);
export const points = async (page, field) => Number(await chart(page, field).getAttribute('data-points'));
export const drawnPixels = (page, selector, colour) => page.evaluate(([where, wanted]) => {
  const canvas = document.querySelector(where);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 0 && (!wanted || wanted.every((part, at) => Math.abs(data[i + at] - part) <= 2))) ++count;
  }
  return count;
}, [selector, colour]);

/** In the other colours, and with nothing half faded in. */
export async function inColours(page, colorScheme) {
  await page.emulateMedia({ colorScheme });
  await until(() => page.evaluate((wanted) => getComputedStyle(document.documentElement).colorScheme === wanted, colorScheme), colorScheme);
  await sleep(400);
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)));
}

const screenshots = path.join(process.env.MILLSTREAM_BUILD ?? path.join(root, 'build'), '../screenshots');
export const screenshotFile = (name) => path.join(screenshots, `${name}.png`);
export const screenshot = (page, name) => page.screenshot({ path: screenshotFile(name) });

export async function axeViolations(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((node) => node.html.slice(0, 120)).join(' | ')}`);
}

export async function assertNoSidewaysScroll(page) {
  const [content, view] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(content <= view, `no sideways scroll: ${content} > ${view}`);
}
