// Large bodies from many connections at once: memory stays within what the limits say, and whoever finds no room is told
// so in the words of the endpoint, with Retry-After.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { Server, account, atEnd, get, ingest, post, until } from './harness.mjs';

const kib = (server, name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(fs.readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]);

/** The words of each path: which member says why, and which kind a program is told. */
const paths = {
  '/write?db=x&precision=ms': { says: 'error' },
  '/api/v2/write?bucket=b&precision=ms': { says: 'message', code: 'unavailable' },
  '/api/v3/write_lp?db=x&precision=millisecond': { says: 'error', code: 'unavailable' },
  '/api/ingest': { says: 'detail', code: 'unavailable' },
};

function assertRefusal(target, answer, why) {
  assert.equal(answer.status, 503, `${target}: ${answer.text}`);
  assert.ok(Number(answer.headers['retry-after']) >= 1, `${target} says when to come again`);
  assert.match(answer.json()[paths[target].says], why, target);
  assert.equal(answer.json().code, paths[target].code, target);
}

const linesOf = (device, count) => Array.from({ length: count }, (_, i) =>
  `m,device=${device} note="${'x'.repeat(60)}",v=${i} ${Date.now() - i}`).join('\n');
const pointsOf = (device, count) => JSON.stringify(Array.from({ length: count }, (_, i) =>
  ({ deviceId: device, ts: Date.now() - i, fields: { note: 'x'.repeat(60), v: i } })));

test('a flood of large gzip bodies is bounded, and refused in the words of each path', { timeout: 200_000 }, async () => {
  const server = await Server.start({ arguments: ['--storage.append_queue_events_max=5000', '--storage.append_queue_bytes_max=8MiB',
    '--stream.replay_ring_bytes_max=1MiB'] });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 400 });
  atEnd(() => agent.destroy());
  await ingest(server, { deviceId: 'first', fields: { v: 1 } });
  const before = kib(server, 'VmRSS');
  const accepted = {};
  const refused = {};
  const bodies = {};
  for (const target of Object.keys(paths)) {
    const json = target === '/api/ingest';
    bodies[target] = gzipSync(json ? pointsOf('flood', 2_000) : linesOf('flood', 5_000));
  }
  const one = async (target) => {
    const type = target === '/api/ingest' ? 'application/json' : 'text/plain';
    const answer = await post(server, target, bodies[target],
      { agent, timeoutMs: 120_000, headers: { 'Content-Type': type, 'Content-Encoding': 'gzip' } });
    if (answer.status === 200 || answer.status === 204) {
      accepted[target] = (accepted[target] ?? 0) + 1;
    } else {
      assertRefusal(target, answer, /waiting/);
      refused[target] = (refused[target] ?? 0) + 1;
    }
  };
  const someOfEach = () => Object.keys(paths).every((target) => accepted[target] > 0 && refused[target] > 0);
  // More at once than may wait to be parsed, however fast or slow this machine is; each path has its turn.
  for (let round = 0; round < 2; ++round) {
    await Promise.all(Array.from({ length: 100 }, () => Object.keys(paths).map(one)).flat());
  }
  const grown = kib(server, 'VmHWM') - before;
  console.log(`flood: ${JSON.stringify(accepted)} accepted, ${JSON.stringify(refused)} refused, ${Math.round(grown / 1024)} MiB more at most`);
  assert.ok(someOfEach(), 'some of each');
  // What waits for the log, two bodies being parsed, a commit, and the 100 000 events that may wait for the engines. What was
  // sent is some 200 MiB inflated, and several times as much as events.
  assert.ok(grown < 400 * 1024, `${grown} KiB more`);
  await ingest(server, { deviceId: 'last', fields: { v: 1 } });
  await server.stop();
});

test('when the room for bodies is taken the next is refused before it is sent', async () => {
  const server = await Server.start({ arguments: ['--server.bodies_bytes_max=32MiB'] });
  const length = 20 << 20;
  const sockets = [];
  const hold = () => new Promise((resolve, reject) => {
    const socket = net.connect(server.port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', reject);
    socket.write(`POST /write?db=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n`);
    socket.write(Buffer.alloc(length - 1, '\n'), resolve);
  });
  await hold();
  // Only the head is sent: the answer comes without the body.
  const announce = (target) => new Promise((resolve, reject) => {
    const outgoing = http.request(`${server.url}${target}`, { method: 'POST', agent: false, headers: { 'Content-Length': 14 << 20 } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => (text += part)).on('error', () => {});
      answer.on('close', () => resolve({ status: answer.statusCode, headers: answer.headers, text, json: () => JSON.parse(text) }));
    });
    outgoing.on('error', reject);
    outgoing.setTimeout(500, () => { outgoing.destroy(); resolve({ status: 0 }); }); // it waits for the body
    outgoing.flushHeaders();
  });
  for (const target of Object.keys(paths).filter((name) => name !== '/api/ingest')) {
    const answer = await until(async () => {
      const told = await announce(target);
      return told.status !== 0 && told;
    }, `${target} is refused`);
    assertRefusal(target, answer, /too many request bodies at once/);
  }
  // What is small still finds room.
  await ingest(server, { deviceId: 'small', fields: { v: 1 } });
  for (const socket of sockets) socket.destroy();
  await until(async () => (await announce('/write?db=x')).status === 0, 'the room is free again');
  assert.equal((await get(server, `/api/latest?deviceId=small&accountId=${account}`)).status, 200);
  await server.stop();
});
