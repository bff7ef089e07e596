// How the dashboard looks in its main states, in Debian's Chromium, pixel by pixel beside the accepted pictures in snapshots/.
// A change that is meant: ACCEPT=1 node snapshots_test.mjs, and look at the pictures before committing them.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test, { before } from 'node:test';
import { launchChromium, liveText, openPage, untilConnected } from './chromium.mjs';
import { CutProxy, Server, addUser, get, ingest, post, request, tempDirectory, tooHot, until } from './harness.mjs';
import { assertLooks, directory, fonts } from './snapshot.mjs';

const hot = { deviceId: 'boiler', siteId: 'cellar', tags: { 'unit.T1': '°C' }, fields: { T1: 71.5 } };
// Silence makes only those offline or stale of whom it is said.
const config = `${tooHot}\n[presence]\nstale_after = "12h"\noffline_after = "24h"\n`;
const silences = {
  'valve-1': ['offline', { name: 'Feed valve', staleAfter: '100ms', offlineAfter: '200ms' }],
  'valve-2': ['stale', { name: 'Drain valve', staleAfter: '100ms', offlineAfter: '24h' }],
};

let browser;
let fleet; // without an alert, then with one
let empty;
let closed;

before(async () => {
  process.env.FONTCONFIG_FILE = fonts;
  browser = await launchChromium();
  [fleet, empty, closed] = await Promise.all([startFleet(), Server.start(), startClosed()]);
});

/** A boiler with ten minutes of its past, and twelve more, one of them offline and one stale. */
async function startFleet() {
  const server = await Server.start({ config });
  const now = Date.now();
  await ingest(server, Array.from({ length: 60 }, (_, i) => ({
    deviceId: 'boiler', siteId: 'cellar', ts: now - (60 - i) * 10_000, tags: { 'unit.T1': '°C', model: 'b-2' },
    fields: { T1: 60 + (i % 7) / 2, pressure: 1.2, run: i % 2 === 1, state: 'on' },
  })));
  await ingest(server, Array.from({ length: 10 }, (_, i) => ({
    deviceId: `pump-${i + 1}`, siteId: i < 5 ? 'hall-a' : 'hall-b', tags: { 'unit.T1': '°C', 'unit.flow': 'l/s' },
    fields: { T1: 20 + i / 4, flow: 3.5, load: 41 + i },
  })));
  for (const [name, [status, said]] of Object.entries(silences)) {
    const saved = await request(server.url, 'PUT', `/api/devices/${name}?siteId=hall-b`, { body: JSON.stringify(said) });
    assert.equal(saved.status, 200, saved.text);
    await ingest(server, { deviceId: name, siteId: 'hall-b', fields: { open: true, turns: 12 } });
    await until(async () => (await get(server, '/api/devices')).json().devices.find((device) => device.deviceId === name).status === status,
      `${name} is ${status}`);
  }
  return server;
}

async function startClosed() {
  const data = tempDirectory('closed');
  await addUser(data, 'anna', { password: 'a long password' });
  return Server.start({ development: false, directory: data });
}

const alerts = async () => (await get(fleet, '/api/alerts?state=open')).json().alerts;
const alarmed = '[data-testid="open-alerts"] svg';
const chartDrawn = '[data-testid="chart"]:not([data-points="0"])';
const overview = ['[data-testid="device-row"]:nth-of-type(13)', chartDrawn, '.alerts :is(.note, li)'];

/** Opens a page, does what `act` does, and compares what is to be seen then. */
async function look(name, { server, query = '', colours = 'light', width = 1280, height = 800, signedIn = true, act, ready }) {
  const { page, wrongs } = await openPage(browser, server.url, async (opened) => {
    await opened.setViewportSize({ width, height });
    await opened.emulateMedia({ colorScheme: colours, reducedMotion: 'reduce' });
  }, `/${query}`);
  try {
    if (signedIn) await untilConnected(page);
    await act?.(page);
    await assertLooks(page, name, ready);
    assert.deepEqual(wrongs, []);
  } finally {
    await page.close(); // a browser has few connections to a server
  }
}

const pictures = [];
function state(name, words, how) {
  pictures.push(`${name}.png`);
  test(`${name}: ${words}`, async () => look(name, await how()));
}

state('overview-light', 'devices, one of them offline, and no alert', () => ({ server: fleet, query: '?device=boiler', ready: overview }));

state('overview-stale', 'values of before while it is not live', async () => {
  const server = await CutProxy.start(fleet);
  return {
    server, query: '?device=boiler', ready: [...overview, '[data-testid="as-of"]', '.live .num', '.live button', '.not-live'],
    act: async (page) => {
      await page.locator(chartDrawn).waitFor();
      await page.getByText('No alerts in the last').waitFor();
      server.refusing = true;
      server.cut();
      await until(async () => /Reconnecting/.test(await liveText(page)), 'it is cut off');
    },
  };
});

state('overview-dark', 'with an open alert', async () => {
  await ingest(fleet, hot);
  await until(async () => (await alerts()).length === 1, 'the alert is open');
  return { server: fleet, query: '?device=boiler', colours: 'dark', ready: [...overview, alarmed, '[data-testid="alert-row"]'] };
});

state('overview-phone', 'with an open alert, 360 wide', () => ({
  server: fleet, query: '?device=boiler', width: 360, height: 740, ready: [...overview, alarmed, '[data-testid="alert-row"]'],
}));

state('kiosk-dark', 'on a wall, with an open alert', () => ({
  server: fleet, query: '?kiosk=1', colours: 'dark', ready: ['.kiosk', ...overview, alarmed, '[data-testid="alert-row"]'],
}));

state('device-light', 'its values, its charts with a limit, and its alert', () => ({
  server: fleet, query: '?page=device&device=boiler',
  ready: [
    alarmed, `[data-field="run"] ${chartDrawn}`, '[data-testid="limits"]', '[data-testid="device-alert"]',
    '[data-testid="device-about"]', '[data-testid="value-row"][data-field="state"]',
  ],
}));

state('alert-dark', 'an open alert, acknowledged with a note', async () => {
  const [{ alertId }] = await alerts();
  const done = await post(fleet, `/api/alerts/${alertId}/ack`, JSON.stringify({ note: 'on my way' }));
  assert.equal(done.status, 200, done.text);
  return {
    server: fleet, query: `?page=alerts&alert=${alertId}`, colours: 'dark',
    ready: [
      alarmed, '[data-testid="alert-chart"]:not([data-points="0"])', '[data-testid="timeline"] li:nth-of-type(2)', '[data-testid="alert-ack"]',
    ],
  };
});

state('rule-light', 'a rule with what it would have done', async () => {
  const rule = {
    id: 'warm', name: 'Warm', scope: { topic: 'account:demo' }, when: { all: [{ field: 'T1' }] },
    levels: [{ severity: 'warning', op: '>', value: 62, clear: 61 }, { severity: 'critical', op: '>', value: 71 }],
    message: '{{device}} is warm', enabled: false,
  };
  const made = await post(fleet, '/api/rules', JSON.stringify(rule));
  assert.equal(made.status, 201, made.text);
  return {
    server: fleet, query: '?page=rules&rule=warm',
    ready: [
      alarmed, '[data-testid="preview"][data-state="done"]', '[data-testid="preview-chart"]:not([data-points="0"])',
      '[data-testid="preview-devices"] td',
    ],
  };
});

state('empty-light', 'a server that has heard of nothing says how to begin', () => ({ server: empty, ready: ['[data-testid="empty"] pre'] }));

state('sign-in-dark', 'nobody is signed in', () => ({ server: closed, colours: 'dark', signedIn: false, ready: ['[data-testid="sign-in"] input'] }));

test('every accepted picture is of a state that is looked at', () => {
  assert.deepEqual(fs.readdirSync(directory).filter((name) => path.extname(name) === '.png').sort(), pictures.sort());
});
