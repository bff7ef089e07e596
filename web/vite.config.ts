import { defineConfig } from 'vitest/config';

// The server under development: `millstream serve` with [auth] development = true.
const server = process.env.MILLSTREAM_DEV_SERVER ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: './',  // the page may live under any path of a proxy
  build: {
    assetsInlineLimit: 0,  // no data: URLs, so that the strictest content policy fits
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: Object.fromEntries(['/api', '/health', '/ready', '/metrics'].map((path) => [path, { target: server }])),
  },
  test: {
    include: ['sdk/**/*.test.ts', 'src/**/*.test.ts'],
  },
});
