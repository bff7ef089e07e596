// What the overview costs a browser under load: the share of its main thread, frames it could not draw in time, memory, and
// how soon it answers a click. Judged strictly with MILLSTREAM_JUDGE=1, on a machine of its own, and else only by what no
// machine should need.

import assert from 'node:assert/strict';
import { openPage, untilConnected } from './chromium.mjs';
import { Child, Server, atEnd, binary, sleep, until } from './harness.mjs';

export const judge = process.env.MILLSTREAM_JUDGE === '1';
const windowMs = judge ? 20_000 : 8_000;
export const limits = judge
  ? { thread: 10, dropped: 5, heapMb: 5, clickMs: 300, lagMs: 2_000 }
  : { thread: 70, dropped: Infinity, heapMb: 20, clickMs: 3_000, lagMs: 10_000 };

async function simulate(server, devices, interval) {
  const child = new Child(binary, [
    'simulate', '--url', server.url, '--devices', String(devices), '--sites', '10', '--fields', '4', '--interval', interval,
  ]);
  atEnd(() => child.stop());
  return child;
}

async function metricsOf(session) {
  await session.send('HeapProfiler.collectGarbage');
  const { metrics } = await session.send('Performance.getMetrics');
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}

const received = (page) => page.evaluate(() => ({ count: window.__millstream.log.length, last: window.__millstream.log.at(-1) }));
const lagMs = async (page) => Date.now() - Number((await received(page)).last.split('-')[0]);

/** Frames that should have been drawn in the window and were not, and the longest task. */
const frames = (page, ms) => page.evaluate((length) => new Promise((resolve) => {
  let longestTask = 0;
  const tasks = new PerformanceObserver((list) => {
    for (const task of list.getEntries()) longestTask = Math.max(longestTask, task.duration);
  });
  tasks.observe({ type: 'longtask' });
  const started = performance.now();
  let [last, drawn, dropped] = [started, 0, 0];
  const frame = (now) => {
    ++drawn;
    dropped += Math.max(0, Math.round((now - last) / (1000 / 60)) - 1);
    last = now;
    if (now - started < length) return requestAnimationFrame(frame);
    tasks.disconnect();
    resolve({ drawn, dropped, longestTask });
  };
  requestAnimationFrame(frame);
}), ms);

/** From a click on a row to its mark, as someone who clicks sees it. */
async function clickMs(page) {
  const row = page.getByTestId('device-row').nth(5);
  const device = await row.getAttribute('data-device');
  return page.evaluate((name) => new Promise((resolve) => {
    const started = performance.now();
    const here = document.querySelector(`[data-testid="device-row"][data-device="${name}"]`);
    here.click();
    const look = () => {
      if (here.getAttribute('aria-current') === 'true') resolve(performance.now() - started);
      else requestAnimationFrame(look);
    };
    look();
  }), device);
}

/** Lets simulated devices send and follows them on the overview. perSecond: how many events are to come. */
export async function measureLoad(browser, devices, interval, perSecond) {
  const server = await Server.start();
  const plant = await simulate(server, devices, interval);
  const { page, wrongs } = await openPage(browser, server.url);
  await untilConnected(page);
  await until(async () => (await page.getByTestId('count-devices').innerText()) === String(devices), `${devices} devices`, 60_000, 250);
  await sleep(5_000); // every device has come, and everything that is made once is made
  const session = await browser.newCDPSession(page);
  // By the thread's own clock, so that what else runs on the machine does not count.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const started = performance.now();
  const first = await metricsOf(session);
  const before = await received(page);
  await sleep(windowMs);
  const after = await received(page);
  const last = await metricsOf(session);
  const wallS = (performance.now() - started) / 1000;
  const { drawn, dropped, longestTask } = await frames(page, windowMs);
  const click = await clickMs(page);
  const lag = await lagMs(page);
  const rate = await page.getByTestId('count-rate').innerText();

  const share = (name) => (100 * (last[name] - first[name])) / wallS;
  const thread = share('TaskDuration');
  const heapMb = (last.JSHeapUsedSize - first.JSHeapUsedSize) / 2 ** 20;
  console.log(`${devices} devices, a point each ${interval}, ${rate} events/s seen: main thread ${thread.toFixed(1)} % ` +
    `(scripts ${share('ScriptDuration').toFixed(1)} %, style and layout ${(share('RecalcStyleDuration') + share('LayoutDuration')).toFixed(1)} %), ` +
    `heap ${(last.JSHeapUsedSize / 2 ** 20).toFixed(1)} MB (grew by ${heapMb.toFixed(2)} MB), ${last.Nodes} nodes, ` +
    `${dropped} frames dropped of ${drawn + dropped} in ${windowMs / 1000} s, longest task ${longestTask.toFixed(0)} ms, ` +
    `a click shows after ${click.toFixed(0)} ms, newest event ${lag} ms old`);

  // The page keeps the newest 20,000 ids: what came is counted where it did not run over.
  const events = after.count - before.count;
  if (after.count < 15_000) assert.ok(events > (perSecond * windowMs) / 1000 / 4, `${events} events in the window`);
  assert.notEqual(before.last, after.last);
  assert.equal(await page.evaluate(() => window.__millstream.client.duplicates), 0);
  assert.ok(heapMb < limits.heapMb, `heap grew by ${heapMb} MB`);
  assert.ok(click < limits.clickMs, `a click shows after ${click} ms`);
  assert.ok(lag < limits.lagMs, `the newest event is ${lag} ms old`);
  assert.deepEqual(wrongs, []);
  await session.detach();
  await page.close();
  await plant.stop();
  await server.stop();
  return { events, thread, dropped, longestTask, heapMb };
}
