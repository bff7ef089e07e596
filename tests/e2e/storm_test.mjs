// A restart of the server under many viewers: each comes back by itself when the server said, they do not come at once,
// none is answered anything but 200, and none misses or is told twice what was published meanwhile.
// VIEWERS=5000 EVENTS=200 for more of them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import test from 'node:test';
import { Server } from './harness.mjs';

const { CHECKER_BIN, VIEWERS = '800', EVENTS = '100' } = process.env;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('a restart loses nothing, and the viewers come back spread out', { timeout: 180_000 }, async (t) => {
  const server = await Server.start({
    arguments: ['--server.drain=3s', '--stream.retry_min=500ms', '--stream.retry_max=5s'],
  });
  const checker = spawn(
    CHECKER_BIN,
    [`--url=${server.url}`, '--calm=1', '--seconds=20', `--viewers=${VIEWERS}`, `--events_per_s=${EVENTS}`],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [checker.stdout, checker.stderr]) stream.on('data', (bytes) => (output += bytes));
  const ended = new Promise((resolve) => checker.on('close', resolve));
  await sleep(5000);
  await server.stop();
  await server.restart();
  assert.equal(await ended, 0, output);
  t.diagnostic(output.trim().replaceAll('\n', '; '));
  const [, returned, together] = /(\d+) viewers came back, at most (\d+) of them/.exec(output).map(Number);
  assert.ok(returned >= Number(VIEWERS), output);
  assert.ok(together < Number(VIEWERS) / 5, output);
  await server.stop();
});
