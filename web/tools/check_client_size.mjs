// check_client_size.mjs: what a page of someone else gets with what it imports of the client must stay small.
// `node tools/check_client_size.mjs [sdk/dist]`
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

// bytes, gzip level 9
const kClientBudgets = {
  'MillstreamClient': 3_000,
  'MillstreamClient, past': 4_100,
  'MillstreamClient, past, share': 5_500,
};

const gzipped = (content) => gzipSync(content, { level: 9 }).length;
const row = (size, name) => console.log(`${String(size).padStart(7)}  ${name}`);

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

if (!(await checkClient(process.argv[2]))) {
  console.error('check_client_size: over the budget');
  process.exit(1);
}
