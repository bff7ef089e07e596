// What every viewer was told, with the gaps declared to it, is what was published to it: viewers of every kind are cut,
// stalled and resumed at random, some of them too slow for what they ask. Longer: SECONDS=600 VIEWERS=500 EVENTS=1000.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import test from 'node:test';
import { Server } from './harness.mjs';

const { CHECKER_BIN, SECONDS = '10', VIEWERS = '150', EVENTS = '300', SEED = '' } = process.env;

test('nothing is lost undeclared, doubled or out of order', { timeout: (Number(SECONDS) + 150) * 1000 }, async (t) => {
  const server = await Server.start({
    arguments: [
      '--presence.stale_after=1s',
      '--presence.offline_after=2s',
      '--server.unsent_bytes_max=16KiB',
      '--stream.session_queue_bytes_max=8KiB',
      '--stream.replay_ring_bytes_max=256KiB',
      '--stream.slow_timeout=5s',
    ],
  });
  const flags = [`--url=${server.url}`, `--seconds=${SECONDS}`, `--viewers=${VIEWERS}`, `--events_per_s=${EVENTS}`];
  if (SEED) flags.push(`--seed=${SEED}`);
  const checker = spawn(CHECKER_BIN, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [checker.stdout, checker.stderr]) stream.on('data', (bytes) => (output += bytes));
  const code = await new Promise((resolve) => checker.on('close', resolve));
  t.diagnostic(output.trim().split('\n').at(-1));
  assert.equal(code, 0, output);
  await server.stop();
});
