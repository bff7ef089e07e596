// The packed @millstream/client against the real server: connections cut at random, publishers all the while, and at the
// end each client's own log of ids is the server's log. In full: MILLSTREAM_SDK_SECONDS=60; SEED repeats a run.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import test, { before } from 'node:test';
import { pathToFileURL } from 'node:url';
import { launchChromium, openPage } from './chromium.mjs';
import {
  Child, CutProxy, Server, assertStrictlyRising, atEnd, backfillAll, get, ingest, jwt, jwtSecret, quickRetry, root, sleep,
  tempDirectory, until,
} from './harness.mjs';

const seconds = Number(process.env.MILLSTREAM_SDK_SECONDS ?? 8);
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const quick = { backoffBaseMs: 100, backoffCapMs: 1_000 };

let folder;   // a project that has installed the package
let sdk;

// Packed as it would be published, and installed from the file.
before(() => {
  folder = tempDirectory('sdk');
  const home = path.join(folder, 'node_modules/@millstream/client');
  fs.mkdirSync(home, { recursive: true });
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: path.join(root, 'web/sdk'), stdio: 'pipe' });
  const [packed] = fs.readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  execFileSync('tar', ['-xzf', path.join(folder, packed), '-C', home, '--strip-components=1']);
  fs.writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
});
before(async () => {
  sdk = await import(pathToFileURL(createRequire(path.join(folder, 'package.json')).resolve('@millstream/client')));
});

/** mulberry32: the same numbers for the same seed, from 0 to 1. */
function random(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function follow(options) {
  const client = new sdk.MillstreamClient({ ...quick, ...options });
  const log = { client, ids: [], snapshots: 0, gaps: [], connects: 0 };
  client.onEvent((event) => { event.snapshot ? ++log.snapshots : log.ids.push(event.id); });
  client.onGap((gap) => log.gaps.push(gap));
  client.onStatus(({ state }) => { if (state === 'connected') ++log.connects; });
  client.connect();
  atEnd(() => client.close());
  return log;
}

/** Points from `devices` until the time is over; connections are cut meanwhile, and now and then refused for a while. */
async function feedAndCut(server, proxies, next, headers = {}) {
  const endAt = Date.now() + seconds * 1000;
  let sent = 0;
  let cuts = 0;
  const feed = async () => {
    while (Date.now() < endAt) {
      const points = Array.from({ length: 1 + Math.floor(next() * 8) }, () =>
        ({ deviceId: `d${Math.floor(next() * 10)}`, siteId: 'plant', fields: { n: sent++ } }));
      await ingest(server, points, { headers });
      await sleep(10 + next() * 20);
    }
  };
  const cut = async () => {
    while (Date.now() < endAt) {
      await sleep(100 + next() * 900);
      const proxy = proxies[Math.floor(next() * proxies.length)];
      cuts += proxy.cut();
      if (next() < 0.2) {
        proxy.refusing = true;
        await sleep(next() * 700);
        proxy.refusing = false;
      }
    }
  };
  await Promise.all([feed(), cut()]);
  return { sent, cuts };
}

async function metric(server, name, options) {
  const { text } = await get(server, '/metrics', options);
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

async function assertSame(name, seen, server, query, options) {
  const { events } = await backfillAll(server, query, options);
  const expected = events.map((event) => event.id);
  await until(async () => (await seen()).length >= expected.length, `${name}: all ${expected.length} events`, 30_000);
  const ids = await seen();
  assertStrictlyRising(ids);
  assert.deepEqual(ids, expected, name);
  return ids.length;
}

test('whatever is cut, a client\'s log of ids is the server\'s', { timeout: (seconds + 120) * 1000 }, async (t) => {
  const next = random(seed);
  t.diagnostic(`SEED=${seed} MILLSTREAM_SDK_SECONDS=${seconds}`);
  // Small limits, so that resuming is often a gap.
  const server = await Server.start({
    arguments: [...quickRetry, '--stream.replay_events_max=20'],
    development: false, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret },
  });
  const token = jwt({ accountId: 'a', roles: ['viewer', 'ingest'] });
  const headers = { Authorization: `Bearer ${token}` };
  for (let i = 0; i < 200; ++i) {
    await ingest(server, { deviceId: `d${i % 10}`, siteId: 'plant', fields: { before: i } }, { headers });
  }
  await until(async () => (await backfillAll(server, { types: 'device_status' }, { headers })).events.length === 10, 'all online');
  const { events: old, last } = await backfillAll(server, {}, { headers });
  const proxies = [await CutProxy.start(server), await CutProxy.start(server)];
  const first = follow({ baseUrl: proxies[0].url, token, past: sdk.past({ since: old[49].id }) });
  const second = follow({
    baseUrl: proxies[1].url, token, ticket: true, types: ['telemetry'], snapshot: 'latest',
    past: sdk.past({ since: last }),
  });
  await until(() => second.snapshots > 0, 'the snapshot');
  const { sent, cuts } = await feedAndCut(server, proxies, next, headers);
  const all = await assertSame('from history on', () => first.ids, server, { since: old[49].id }, { headers });
  await assertSame('after a snapshot', () => second.ids, server, { since: last, types: 'telemetry' }, { headers });
  for (const log of [first, second]) {
    assert.deepEqual(log.gaps, [], 'everything could be read');
    assert.deepEqual([log.client.duplicates, log.client.malformed], [0, 0]);
    assert.ok(log.connects > seconds / 4, `${log.connects} connections`);
    log.client.close();
  }
  const gaps = await metric(server, 'millstream_stream_gaps_total', { headers });
  assert.ok(gaps > 0, 'gaps were declared, and healed');
  t.diagnostic(`${all} events, ${sent} points, ${cuts} connections cut, ${first.connects + second.connects} made, ` +
    `${gaps} gaps healed: none lost, none doubled, all in order`);
  await server.stop();
});

/** The installed package with its examples, as a web server of one's own would have it. */
async function webServer() {
  const home = path.join(folder, 'node_modules/@millstream/client');
  const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript' };
  const listener = http.createServer((request, response) => {
    const file = path.join(home, path.normalize(new URL(request.url, 'http://x').pathname));
    if (!fs.existsSync(file) || !types[path.extname(file)]) return response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': types[path.extname(file)] }).end(fs.readFileSync(file));
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  atEnd(() => listener.close());
  return `http://127.0.0.1:${listener.address().port}`;
}

test('tabs have one stream, and closing the one that leads loses nothing', { timeout: (seconds + 120) * 1000 }, async (t) => {
  const next = random(seed + 1);
  const origin = await webServer();
  const server = await Server.start({ arguments: [...quickRetry, `--server.cors_origins=${origin}`] });
  await ingest(server, { deviceId: 'd0', siteId: 'plant', fields: { n: -1 } });
  await until(async () => (await backfillAll(server, { types: 'device_status' })).events.length === 1, 'online');
  const { last } = await backfillAll(server);
  const proxy = await CutProxy.start(server);
  const browser = await launchChromium();
  const tabs = [];
  for (let i = 0; i < 3; ++i) {
    const { page } = await openPage(browser, `${origin}/examples/page.html?server=${encodeURIComponent(proxy.url)}`);
    tabs.push(page);
    await page.getByText('connected', { exact: true }).waitFor();
    // Beside the example's own client, one that keeps its log.
    await page.evaluate(async ([baseUrl, since, quickly]) => {
      const { MillstreamClient, past, share } = await import('/dist/page.js');
      window.log = [];
      window.gaps = [];
      window.client = new MillstreamClient({ baseUrl, share, past: past({ since }), shareKey: 'log', ...quickly });
      window.client.onEvent((event) => window.log.push(event.id));
      window.client.onGap((gap) => window.gaps.push(gap));
      window.client.connect();
    }, [proxy.url, last, quick]);
    await until(() => page.evaluate(() => window.client.status.state === 'connected'), `tab ${i} is connected`);
  }
  const counted = await metric(server, 'millstream_stream_sessions');
  t.diagnostic(`${tabs.length} tabs, ${counted} streams for two clients in each`);
  assert.equal(counted, 2);

  const half = feedAndCut(server, [proxy], next);
  await sleep(seconds * 400);
  const told = () => tabs[1].evaluate(() => window.log.length);
  await tabs[0].close();
  const [before, closedAt] = [await told(), Date.now()];
  await until(async () => (await told()) > before, 'another leads', 5000, 5);
  t.diagnostic(`${Date.now() - closedAt} ms after the leader was closed its followers get events`);
  const { cuts } = await half;
  for (const page of tabs.slice(1)) {
    await assertSame('a tab', () => page.evaluate(() => window.log), server, { since: last });
    assert.deepEqual(await page.evaluate(() => window.gaps), []);
  }
  t.diagnostic(`${cuts} connections cut: none lost, none doubled in ${tabs.length - 1} tabs`);
  await until(async () => (await tabs[1].locator('li').count()) > 10, 'the example lists events');
  for (const page of tabs.slice(1)) await page.close();
  await server.stop();
});

/** The first block of code in the package's README that is in `language`. */
function readmeBlock(language) {
  const text = fs.readFileSync(path.join(folder, 'node_modules/@millstream/client/README.md'), 'utf8');
  return new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'ms').exec(text)[1];
}

test('the example for Node, and the README\'s, follow the stream', async () => {
  const server = await Server.start();
  await ingest(server, { deviceId: 'pump', siteId: 'plant', fields: { T1: 20 } });
  fs.copyFileSync(path.join(folder, 'node_modules/@millstream/client/examples/node.mjs'), path.join(folder, 'example.mjs'));
  fs.writeFileSync(path.join(folder, 'readme.mjs'), readmeBlock('js').replace('http://127.0.0.1:8080', server.url));
  for (const [value, command] of [[21.5, ['example.mjs', server.url, 'account:demo/site:plant']], [22.5, ['readme.mjs']]]) {
    const child = new Child(process.execPath, command, { cwd: folder });
    atEnd(() => child.stop(1000));
    await until(() => /^# connected$/m.test(child.stdout) && /T1"?: ?20\b/.test(child.stdout), `history: ${command[0]}`);
    await ingest(server, { deviceId: 'pump', siteId: 'plant', fields: { T1: value } });
    await until(() => new RegExp(`T1"?: ?${value}\\b`).test(child.stdout), `live: ${command[0]}`);
    child.kill('SIGINT');
    assert.deepEqual(await child.wait(5000, 'the example'), { code: 0, signal: null }, child.output);
    assert.match(child.stdout, /# closed/);
  }
  await server.stop();
});

test('the README\'s page shows events as they come', async () => {
  const origin = await webServer();
  const server = await Server.start({ arguments: [`--server.cors_origins=${origin}`] });
  await ingest(server, { deviceId: 'pump', siteId: 'plant', fields: { T1: 20 } });
  fs.writeFileSync(path.join(folder, 'node_modules/@millstream/client/readme.html'), readmeBlock('html')
    .replace('./node_modules/@millstream/client/', './')
    .replace('MillstreamClient({', `MillstreamClient({ baseUrl: '${server.url}',`));
  const { page } = await openPage(await launchChromium(), `${origin}/readme.html`);
  await page.getByText('connected', { exact: true }).waitFor();
  await page.getByText('"T1":20').first().waitFor();
  await ingest(server, { deviceId: 'pump', siteId: 'plant', fields: { T1: 21.5 } });
  await page.getByText('"T1":21.5').waitFor();
  await page.close();
  await server.stop();
});

test('the types are for users who compile strictly', () => {
  fs.writeFileSync(path.join(folder, 'use.ts'), `
    import { MillstreamClient, past, share, type StreamEvent } from '@millstream/client';
    const client = new MillstreamClient({ past: past({ lastMs: 1 }), share, ticket: async () => 'x' });
    client.onEvent((event: StreamEvent) => { if (event.type === 'alert') { const s: 'info' | 'warning' | 'critical' = event.data.severity; void s; } });
    // @ts-expect-error: no such option
    new MillstreamClient({ nothing: 1 });
  `);
  execFileSync(path.join(root, 'web/node_modules/.bin/tsc'), ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022',
    '--lib', 'es2022,dom,dom.iterable', '--types', '', 'use.ts'], { cwd: folder, stdio: 'inherit' });
});
