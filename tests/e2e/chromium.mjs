// Debian's Chromium, with an empty profile and no requests of its own.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { chromium } from 'playwright-core';
import { atEnd, tempDirectory } from './harness.mjs';

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
