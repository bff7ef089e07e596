// A large fleet that sends all it can: the page stays responsive.

import test from 'node:test';
import { launchChromium } from './chromium.mjs';
import { judge, measureLoad } from './page_load.mjs';

test('2,000 devices with many events a second leave the page responsive', async () => {
  await measureLoad(await launchChromium(), 2_000, judge ? '200ms' : '1s', judge ? 10_000 : 2_000);
});
