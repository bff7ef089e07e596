// Debian's Chromium, with an empty profile and no requests of its own, and what every test of a page watches for.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import axe from 'axe-core';
import { chromium } from 'playwright-core';
import { atEnd, root, tempDirectory, until } from './harness.mjs';

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

/** A page and everything it did that it should not have. watch(page, wrongs): before it goes anywhere. */
export async function openPage(browser, url, watch) {
  const page = await browser.newPage();
  const wrongs = [];
  page.on('pageerror', (error) => wrongs.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) wrongs.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) wrongs.push(`request to ${request.url()}`);
  });
  watch?.(page, wrongs);
  await page.goto(url);
  return { page, wrongs };
}

/** The page of someone who has a token, live, at an address such as "?page=rules". */
export async function openAs(browser, url, token, query, { width = 1280, height = 900, colorScheme = 'light' } = {}) {
  const { page, wrongs } = await openPage(browser, url, (opened) =>
    opened.addInitScript((credential) => sessionStorage.setItem('millstream.token', credential), token));
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme });
  await page.goto(`${url}/${query}`);
  await untilConnected(page);
  return { page, wrongs };
}

export const liveText = (page) => page.getByTestId('live').innerText();
export const untilConnected = (page, timeoutMs = 10_000) =>
  until(async () => /^Live: Connected/.test(await liveText(page)), 'Live: Connected', timeoutMs);

const value = (page, device, field) =>
  page.locator(`[data-testid="device-row"][data-device="${device}"] [data-testid="device-value"][data-field="${field}"]`);
export const untilValue = (page, device, field, text) =>
  until(async () => (await value(page, device, field).innerText({ timeout: 2000 })).includes(text), `${device} ${field} = ${text}`);

const screenshots = path.join(process.env.MILLSTREAM_BUILD ?? path.join(root, 'build'), '../screenshots');
export const screenshot = (page, name) => page.screenshot({ path: path.join(screenshots, `${name}.png`) });

export async function axeViolations(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((node) => node.html.slice(0, 120)).join(' | ')}`);
}

export async function assertNoSidewaysScroll(page) {
  const [content, view] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(content <= view, `no sideways scroll: ${content} > ${view}`);
}
