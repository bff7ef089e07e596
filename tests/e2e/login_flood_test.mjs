// Sign-ins by the thousand, from many addresses and for as many users: streams go on, almost as if nothing were.
//
// FLOOD_SECONDS (default 5) of quiet, then as long a flood of FLOOD_RATE (default 1000) sign-ins a second, in turns, ROUNDS
// times (default 2). Prints the p99 of both, and with JUDGE=1 fails when it moved by a fifth or more: to be judged on an
// optimised build and a machine that does nothing else.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Server, Stream, addUser, atEnd, bearer, ingest, jwt, jwtSecret, sleep, tempDirectory } from './harness.mjs';

const seconds = Number(process.env.FLOOD_SECONDS ?? 5);
const rate = Number(process.env.FLOOD_RATE ?? 1000);
const rounds = Number(process.env.ROUNDS ?? 2);

if (process.env.FLOOD_PORT) {
  await send(Number(process.env.FLOOD_PORT), Number(process.env.FLOOD_FROM));
} else {
  test(`${rate} sign-ins a second for ${seconds} s leave streams alone`, { timeout: (seconds * 2 * rounds + 60) * 1000 }, measure);
}

/** The other process: each sign-in is of another user and from another address. Prints how many got which answer. */
async function send(port, from) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  const answers = {};
  const count = (what) => (answers[what] = (answers[what] ?? 0) + 1);
  const begin = Date.now();
  let sent = 0;
  while (Date.now() - begin < seconds * 1000) {
    for (const due = ((Date.now() - begin) * rate) / 1000; sent < due; ++sent) {
      const n = from + sent;
      const outgoing = http.request({ host: '127.0.0.1', port, method: 'POST', path: '/api/login', agent,
        headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}` } },
      (answer) => { count(answer.statusCode); answer.resume(); });
      outgoing.on('error', (error) => count(error.code));
      outgoing.end(JSON.stringify({ user: `made-up-${n}`, password: 'whatever it is' }));
    }
    await sleep(2);
  }
  await sleep(500);
  console.log(JSON.stringify(answers));
  process.exit(0);
}

/** Floods from a process that gives way to this one, so that it is the server's time that is measured. */
function flood(port, from) {
  const child = spawn('nice', ['-n', '19', process.execPath, fileURLToPath(import.meta.url)], {
    env: { ...process.env, FLOOD_PORT: String(port), FLOOD_FROM: String(from) }, stdio: ['ignore', 'pipe', 'inherit'] });
  atEnd(() => child.kill());
  let text = '';
  child.stdout.on('data', (part) => (text += part));
  return new Promise((resolve, reject) => child.on('close', () => {
    const answers = /^\{.*\}$/m.exec(text)?.[0]; // among the test runner's own lines
    if (answers) resolve(JSON.parse(answers));
    else reject(new Error(`the flood ended early: ${text}`));
  }));
}

async function measure() {
  const directory = tempDirectory('flood');
  await addUser(directory, 'anna', { account: 'a', role: 'viewer', password: 'correct horse battery' });
  const server = await Server.start({ development: false, directory, env: { MILLSTREAM_AUTH_JWT_SECRET: jwtSecret },
    arguments: ['--server.trusted_proxies=127.0.0.1'] });
  const viewer = bearer(jwt({ accountId: 'a', roles: ['viewer', 'ingest'] }));
  const streams = await Promise.all(Array.from({ length: 20 }, () => Stream.open(server, '', { headers: viewer })));
  let latencies = [];
  const seen = streams.map(() => 0);
  const publish = async (untilMs) => {
    while (Date.now() < untilMs) {
      const sent = process.hrtime.bigint();
      await ingest(server, { deviceId: 'pump', siteId: 'north', fields: { sent: Number(sent / 1000n) } }, { headers: viewer });
      await sleep(10);
    }
  };
  const watch = setInterval(() => {
    const now = Number(process.hrtime.bigint() / 1000n);
    streams.forEach((stream, i) => {
      for (; seen[i] < stream.messages.length; ++seen[i]) {
        const fields = stream.messages[seen[i]].data.data?.fields;
        if (fields?.sent) latencies.push(now - fields.sent);
      }
    });
  }, 1);
  atEnd(() => clearInterval(watch));
  const p99 = (list) => list.sort((a, b) => a - b)[Math.floor(list.length * 0.99)] / 1000;
  const quiet = [];
  const flooded = [];
  const answers = {};
  await publish(Date.now() + 1000);  // until everything has been used once
  for (let round = 0; round < rounds; ++round) {
    latencies = [];
    await publish(Date.now() + seconds * 1000);
    quiet.push(...latencies);
    const ended = flood(server.port, round * seconds * rate);
    await sleep(500);  // a process takes that long to begin
    latencies = [];
    await publish(Date.now() + (seconds - 0.5) * 1000);
    flooded.push(...latencies);
    for (const [what, count] of Object.entries(await ended)) answers[what] = (answers[what] ?? 0) + count;
  }
  clearInterval(watch);
  const total = Object.values(answers).reduce((sum, n) => sum + n, 0);
  const [before, during] = [p99(quiet), p99(flooded)];
  console.log(`login flood: ${total} sign-ins answered ${JSON.stringify(answers)}; p99 from publish to viewer ` +
    `${before.toFixed(1)} ms quiet, ${during.toFixed(1)} ms flooded (${quiet.length} and ${flooded.length} deliveries)`);
  // It gives way to everything else on the machine; there must have been a flood at all.
  assert.ok(total >= rate * seconds * rounds * 0.05, `${total} of ${rate * seconds * rounds} were answered`);
  assert.deepEqual(Object.keys(answers).filter((status) => !['401', '429'].includes(status)), []);
  for (const stream of streams) assert.ok(!stream.closed);
  const counts = streams.map((stream) => stream.events('telemetry').length);
  assert.equal(new Set(counts).size, 1, 'everyone got everything');
  assert.ok(flooded.length > quiet.length / 2, 'streams went on');
  if (process.env.JUDGE) assert.ok(during < before * 1.2, `${during} against ${before} ms`);
  for (const stream of streams) stream.close();
  await server.stop();
}
