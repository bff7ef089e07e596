// check_size.mjs: what is loaded must stay small. `node tools/check_size.mjs [dist]`
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';

// Bytes, gzip level 9.
const kFirstBudget = 60_000;  // what a first visit of the overview loads
const kPageBudget = 10_000;   // each file that another page adds

const dist = process.argv[2] ?? 'dist';
const index = readFileSync(join(dist, 'index.html'), 'utf8');
// A file that index.html does not name is loaded with a page.
const isPage = (name) => name.startsWith('assets') && !index.includes(basename(name));

let [first, total, over] = [0, 0, false];
for (const name of readdirSync(dist, { recursive: true })) {
  const path = join(dist, name);
  if (!statSync(path).isFile()) continue;
  const size = gzipSync(readFileSync(path), { level: 9 }).length;
  total += size;
  if (isPage(name)) over ||= size > kPageBudget;
  else first += size;
  console.log(`${String(size).padStart(7)}  ${name}`);
}
console.log(`${String(first).padStart(7)}  first visit, gzip -9 (budget ${kFirstBudget}; each file of a page ${kPageBudget})`);
console.log(`${String(total).padStart(7)}  total`);
if (over || first > kFirstBudget) {
  console.error('check_size: over the budget');
  process.exit(1);
}
