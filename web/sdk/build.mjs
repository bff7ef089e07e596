// build.mjs: dist/ of the package: two minified modules, index.js and page.js, and their types. `node build.mjs [dist]`
// Vite and TypeScript are those of the dashboard (npm ci in web/).

import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const here = path.dirname(fileURLToPath(import.meta.url));

// One entry as one minified ES module. Gives its code.
export async function bundle(input, more = {}) {
  const [{ output: [{ code }] }] = await build({
    root: here,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    build: {
      target: 'es2022',
      lib: { entry: input, formats: ['es'], fileName: path.parse(input).name },
      rolldownOptions: {
        output: { comments: false, minify: { compress: true, mangle: true, codegen: { removeWhitespace: true } } },
      },
      ...more,
    },
  });
  return code;
}

async function main(dist = path.join(here, 'dist')) {
  const outDir = path.resolve(dist);
  await bundle('index.ts', { outDir, emptyOutDir: true });
  await bundle('page.ts', { outDir, emptyOutDir: false });
  const tsc = path.join(here, '../node_modules/.bin/tsc');
  execFileSync(tsc, ['-p', here, '--outDir', path.join(outDir, 'types')], { stdio: 'inherit' });
  copyFileSync(path.join(here, '../../LICENSE'), path.join(outDir, 'LICENSE'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2]);
