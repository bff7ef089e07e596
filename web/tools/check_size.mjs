// check_size.mjs: what a first visit loads must stay small. `node tools/check_size.mjs [dist]`
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const kBudget = 60_000;  // bytes, all files, gzip level 9

const dist = process.argv[2] ?? 'dist';
let total = 0;
for (const name of readdirSync(dist, { recursive: true })) {
  const path = join(dist, name);
  if (!statSync(path).isFile()) continue;
  const size = gzipSync(readFileSync(path), { level: 9 }).length;
  console.log(`${String(size).padStart(7)}  ${name}`);
  total += size;
}
console.log(`${String(total).padStart(7)}  total, gzip -9 (budget ${kBudget})`);
if (total > kBudget) {
  console.error('check_size: over the budget');
  process.exit(1);
}
