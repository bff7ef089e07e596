// check_size.mjs: what is loaded must stay small. `node tools/check_size.mjs [dist]`
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

// Bytes as they are sent, compressed as by embed.py.
const kFirstBudget = 60_000;  // what a first visit of the overview loads
const kPageBudget = 10_000;   // what opening another page adds, where no other page was opened before

const dist = process.argv[2] ?? 'dist';
const sizes = new Map();
for (const name of readdirSync(dist, { recursive: true })) {
  const path = join(dist, name);
  if (statSync(path).isFile()) sizes.set(name, execFileSync('zopfli', ['-c', path]).length);
}

// A script with all that it imports at once.
function withImports(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const [, other] of readFileSync(join(dist, name), 'utf8').matchAll(/(?:from|import)\s*["'`]\.\/([^"'`]+\.js)["'`]/g)) withImports(`assets/${other}`, found);
  return found;
}

// The loader of a page names the files of it: import("./status-….js"), __vite__mapDeps([0,1,2]).
const stem = (name) => basename(name).replace(/-[\w-]{8}\.\w+$/, '');
const pages = readdirSync(new URL('../src/pages', import.meta.url)).filter((name) => name.endsWith('.tsx')).map((name) => basename(name, '.tsx'));
const html = readFileSync(join(dist, 'index.html'), 'utf8');
const first = new Set([...sizes.keys()].filter((name) => !name.startsWith('assets/') || html.includes(name)));
for (const name of [...first]) if (name.endsWith('.js')) withImports(name, first);

const sum = (names) => [...names].reduce((total, name) => total + sizes.get(name), 0);
for (const [name, size] of sizes) console.log(`${String(size).padStart(7)}  ${name}`);
let over = false;
const counted = new Set(first);
for (const page of pages) {
  const script = [...sizes.keys()].find((name) => name.endsWith('.js') && stem(name) === page && !first.has(name));
  if (!script) continue;
  // A part of a page, PAGE_part.tsx, is opened from it or from another part.
  const whole = pages.find((other) => page.startsWith(`${other}_`));
  const others = whole ? pages.filter((other) => other !== page && (other === whole || other.startsWith(`${whole}_`))) : [];
  const before = new Set([...first, ...[...sizes.keys()].filter((name) => name.endsWith('.js') && others.includes(stem(name)))]);
  if (whole) for (const name of [...before]) if (stem(name) === whole) for (const other of withImports(name)) before.add(other);
  const scripts = [...withImports(script)].filter((name) => !before.has(name));
  const styles = [...sizes.keys()].filter((name) => name.endsWith('.css') && !before.has(name) && scripts.some((each) => stem(each) === stem(name)));
  const added = [...scripts, ...styles];
  for (const name of added) counted.add(name);
  over ||= sum(added) > kPageBudget;
  console.log(`${String(sum(added)).padStart(7)}  opening ${page}`);
}
const unknown = [...sizes.keys()].filter((name) => !counted.has(name));
if (unknown.length > 0) console.error(`check_size: nothing loads ${unknown.join(', ')}`);
console.log(`${String(sum(first)).padStart(7)}  first visit, gzip (budget ${kFirstBudget}; each page ${kPageBudget})`);
console.log(`${String(sum(sizes.keys())).padStart(7)}  total`);
if (over || unknown.length > 0 || sum(first) > kFirstBudget) {
  console.error('check_size: over the budget');
  process.exit(1);
}
