// check_size.mjs: what is loaded must stay small. `node tools/check_size.mjs [dist]`: a first visit of the dashboard.
// `node tools/check_size.mjs client [sdk/dist]`: what a page of someone else gets with what it imports of the client.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

// bytes, gzip level 9
const kPageBudget = 60_000;  // all files
const kClientBudgets = {
  'MillstreamClient': 3_000,
  'MillstreamClient, past': 4_100,
  'MillstreamClient, past, share': 5_400,
};

const gzipped = (content) => gzipSync(content, { level: 9 }).length;
const row = (size, name) => console.log(`${String(size).padStart(7)}  ${name}`);

function checkPage(dist = 'dist') {
  let total = 0;
  for (const name of readdirSync(dist, { recursive: true })) {
    const path = join(dist, name);
    if (!statSync(path).isFile()) continue;
    const size = gzipped(readFileSync(path));
    row(size, name);
    total += size;
  }
  row(total, `total, gzip -9 (budget ${kPageBudget})`);
  return total <= kPageBudget;
}

async function checkClient(dist = 'sdk/dist') {
  const { bundle } = await import('../sdk/build.mjs');
  const folder = mkdtempSync(join(tmpdir(), 'millstream-size-'));
  let fits = true;
  try {
    for (const [names, budget] of Object.entries(kClientBudgets)) {
      const entry = join(folder, 'entry.js');
      writeFileSync(entry, `export { ${names} } from ${JSON.stringify(resolve(dist, 'page.js'))};`);
      const size = gzipped(await bundle(entry, { write: false }));
      row(size, `import { ${names} }, gzip -9 (budget ${budget})`);
      fits &&= size <= budget;
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return fits;
}

const [what, ...rest] = process.argv.slice(2);
if (!(what === 'client' ? await checkClient(...rest) : checkPage(what))) {
  console.error('check_size: over the budget');
  process.exit(1);
}
