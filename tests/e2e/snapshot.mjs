// A picture of a page that is the same at every run, and its comparison with the one that was accepted, snapshots/NAME.png.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pixelmatch from 'pixelmatch';
import { PNG } from 'pngjs';
import { screenshotFile } from './chromium.mjs';
import { root, until } from './harness.mjs';

export const directory = fileURLToPath(new URL('snapshots', import.meta.url));
export const fonts = path.join(directory, 'fonts.conf');

// Runs with one Chromium differ in no pixel, also under load: how far a colour may be off (0 to 1, of black to white) and how
// many pixels may be off further, fewer than a letter has. Smoothed edges are not counted. Another Chromium than the pictures
// were made with may draw every letter a little differently: then only a change of the layout is found, and that is said.
const kColourOff = 0.03;
const kPixelsOff = 40;
const kChromium = '156';
const kShareOffElsewhere = 0.02;
const kBytesMax = 100_000;
const kSettledMs = 400; // a page that has said the same for so long has heard the answers to what it asked

// What is another at every run. [pattern, what stands there instead]
const kChanging = [
  [/\b\d\d:\d\d:\d\d\b/, '12:34:56'],
  [/(?<!:)\b\d\d:\d\d\b(?!:)/, '12:34'],
  [/\b\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b/, '27 Nov'],
  [/\b(?!24 h\b)\d+ (?:s|min|h|d)\b/, '3 s'], // 24 h is no age, that would be a day: it is what lists go back
  [/127\.0\.0\.1:\d+/, '127.0.0.1:8080'],
];
const kChangingElements = { version: '1.0.0', 'count-rate': '2.4' };

/**
 * In the page: its words with what changes made constant, and true once they are those of `before` and the page stands still,
 * never touched by a script again. Undefined while something of `ready` (selectors) is not there.
 */
function standStill({ ready, changing, elements, before }) {
  if (!ready.every((selector) => document.querySelector(selector))) return undefined;
  for (const option of document.querySelectorAll('option')) option.toggleAttribute('selected', option.selected);
  const picture = document.body.cloneNode(true); // nobody draws here: between the words and the shot nothing changes
  for (const [name, words] of Object.entries(elements)) {
    for (const element of picture.querySelectorAll(`[data-testid="${name}"]`)) {
      element.textContent = words;
      element.closest('.zero')?.classList.remove('zero');
    }
  }
  const texts = document.createTreeWalker(picture, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (text.parentElement.closest('button, option')) continue; // they offer spans of time, and say always the same
    for (const [pattern, words] of changing) text.data = text.data.replace(new RegExp(pattern, 'g'), words);
  }
  if (picture.textContent !== before) return picture.textContent;
  // What is drawn moves with time: its place is seen, not the lines. Not a <style>, which the policy of the page refuses.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync('.canvas, .spark { background: #8884; } .canvas > * { visibility: hidden; }');
  document.adoptedStyleSheets.push(sheet);
  document.body.replaceWith(picture);
  return true;
}

async function freeze(page, ready) {
  const how = { ready, changing: kChanging.map(([pattern, words]) => [pattern.source, words]), elements: kChangingElements };
  let said;
  await until(async () => (said = await page.evaluate(standStill, { ...how, before: said })) === true,
    `all of ${ready.join(' and ')}, and the same words twice`, 20_000, kSettledMs);
  await page.evaluate(() => document.fonts.ready);
}

function write(file, png) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, PNG.sync.write(png, { deflateLevel: 9, deflateStrategy: 0, filterType: 0, colorType: 2 }));
}

const called = (file) => path.relative(root, file);

/** What is wrong with the picture `seen`, and the picture that shows where; undefined when it is as it was accepted. */
function compare(seen, golden, chromium) {
  if (!golden) return { wrong: 'it was never accepted' };
  const { width, height } = seen;
  if (golden.width !== width || golden.height !== height) {
    return { wrong: `it is ${width}x${height}, not ${golden.width}x${golden.height}` };
  }
  const diff = new PNG({ width, height });
  const off = pixelmatch(golden.data, seen.data, diff.data, width, height, { threshold: kColourOff });
  const may = chromium === kChromium ? kPixelsOff : Math.round(width * height * kShareOffElsewhere);
  if (chromium !== kChromium) console.log(`made with Chromium ${kChromium}, this is ${chromium}: ${off} pixels differ, ${may} may`);
  return off <= may ? undefined : { wrong: `${off} of ${width * height} pixels differ, ${may} may`, diff };
}

function accept(file, seen) {
  write(file, seen);
  const { size } = fs.statSync(file);
  assert.ok(size < kBytesMax, `${called(file)} has ${size} bytes, at most ${kBytesMax} may be kept`);
  console.log(`accepted ${called(file)}`);
}

/** The page looks as it was accepted, once everything of `ready` is there. With ACCEPT=1 that is how it looks now. */
export async function assertLooks(page, name, ready) {
  await freeze(page, ready);
  const seen = PNG.sync.read(await page.screenshot({ animations: 'disabled' }));
  const file = path.join(directory, `${name}.png`);
  const golden = fs.existsSync(file) ? PNG.sync.read(fs.readFileSync(file)) : undefined;
  if (process.env.ACCEPT) {
    if (!golden?.data.equals(seen.data)) accept(file, seen);
    return;
  }
  const [, chromium] = /Chrome\/(\d+)/.exec(await page.evaluate(() => navigator.userAgent));
  const found = compare(seen, golden, chromium);
  if (!found) return;
  const files = [[screenshotFile(`${name}-seen`), seen], [screenshotFile(`${name}-diff`), found.diff]].filter(([, png]) => png);
  for (const [where, png] of files) write(where, png);
  assert.fail(`${name} does not look as in ${called(file)}: ${found.wrong}. See ${files.map(([where]) => called(where)).join(' and ')}; `
    + 'if it is meant to be so: ACCEPT=1 node snapshots_test.mjs');
}
