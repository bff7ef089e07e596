// Three instances on one Redis, behind a proxy that shares connections out in turn: six writers and six viewers go on while
// Redis is killed, comes back empty, hangs or is cut off by the network, and while the instance that holds the lease is
// killed. What was acknowledged is there and was told to every viewer once and in order, or a gap was declared to it.
// Prints a table. HANG_S: how long Redis hangs and is cut off (default 12); FAULTS: which, by name, with commas.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { Stream, assertStrictlyRising, atEnd, backfillAll, compareIds, get, request, sleep, until } from '../e2e/harness.mjs';
import { Audit, Ledger, count, numberOf, repeatWith } from '../faults/ledger.mjs';
import { Redis } from '../e2e/redis.mjs';
import { Cluster } from './cluster.mjs';

const hangMs = count('HANG_S', 12) * 1000;
const wanted = process.env.FAULTS?.split(',');
repeatWith({ HANG_S: hangMs / 1000 });

/** Reads a stream through the proxy, and comes back with the last id whenever it ends. */
class Viewer {
  seen = [];
  gaps = [];
  degraded = 0;
  connections = 0;
  constructor(proxy) {
    this.proxy = proxy;
    this.viewing = this.#view();
    this.viewing.catch(() => {});
  }
  async #view() {
    let lastEventId;
    while (!this.over) {
      let stream;
      try {
        stream = await Stream.open(this.proxy, '?siteId=plant&types=telemetry,system', { lastEventId });
      } catch {
        await sleep(50);
        continue;
      }
      assert.equal(stream.status, 200, stream.text);
      ++this.connections;
      this.stream = stream;
      await until(() => stream.closed || this.over, 'the stream ends', 3_600_000, 10);
      stream.close();
      this.#keep(stream);
      lastEventId = stream.lastEventId || lastEventId;
    }
  }
  #keep(stream) {
    for (const event of stream.events()) if (numberOf(event) !== undefined) this.seen.push(event);
    this.gaps.push(...stream.system('gap').map((message) => message.data.data));
    this.degraded += stream.system('degraded').length;
  }
  /** The newest number that it was told, of what its connection has brought. */
  get newest() {
    return this.stream?.events().map(numberOf).filter((n) => n !== undefined).at(-1) ?? 0;
  }
  async stop() {
    this.over = true;
    await this.viewing;
  }
}

/** How long one instance takes to say that it lives, at worst: its I/O threads wait for nobody. */
class StallProbe {
  worstMs = 0;
  constructor(server) {
    this.server = server;
    this.probing = this.#probe();
  }
  async #probe() {
    while (!this.over) {
      const begin = performance.now();
      const alive = await get(this.server, '/health', { timeoutMs: 10_000 }).then(() => true, () => false);
      if (alive) this.worstMs = Math.max(this.worstMs, performance.now() - begin);
      await sleep(20);
    }
  }
  async stop() {
    this.over = true;
    await this.probing;
    return this.worstMs;
  }
}

// Every device's values cross it again and again.
const rule = `
[[rules]]
id = "high"
name = "High"
topic = "account:demo/site:*/device:*"
field = "v"
op = ">"
value = 100
clear = 20
`;

/** One alert at a time of a device, each begun once and ended once: gives how many began. */
function assertAlertsWhole(events, when) {
  const open = new Map(); // device -> alertId
  const begun = new Set();
  for (const { topic, data } of events) {
    const all = () => events.filter((event) => event.topic === topic).map((event) => `${event.id} ${event.data.state} ${event.data.alertId}`).join('\n');
    if (data.state === 'firing') {
      assert.ok(!open.has(topic), `${when}: ${data.alertId} fires while ${open.get(topic)} is open\n${all()}`);
      assert.ok(!begun.has(data.alertId), `${when}: ${data.alertId} fires twice\n${all()}`);
      open.set(topic, data.alertId);
      begun.add(data.alertId);
    } else if (data.state === 'resolved') {
      assert.equal(open.get(topic), data.alertId, `${when}: ends what is not open\n${all()}`);
      open.delete(topic);
    }
  }
  return begun.size;
}

const rows = [];

/** break_: what happens, and mends itself or is mended; gives when it was mended. */
async function runFault({ name, redis, instances = 3, flags, losesAll = false, break_ }) {
  const cluster = await Cluster.start({ instances, redis, flags, config: rule });
  await until(() => cluster.holder(), 'an instance holds the lease');
  const viewers = Array.from({ length: 6 }, () => new Viewer(cluster.proxy));
  await until(() => viewers.every((viewer) => viewer.stream), 'the viewers are there');
  const probes = cluster.servers.map((server) => new StallProbe(server));
  const ledger = new Ledger();
  const acks = [];
  ledger.start(cluster.proxy, { refusals: [503, 507], pauseMs: 5, onAnswer: (sent) => sent.ok && acks.push(performance.now()) });
  await sleep(2000);

  const mendedAt = await break_(cluster);
  await until(() => acks.at(-1) > mendedAt + 50, 'points are taken again', 60_000);
  const recoveryMs = acks.find((at) => at > mendedAt) - mendedAt;
  await sleep(3000);
  await ledger.stop();
  const last = Math.max(...ledger.acked);
  const reader = cluster.servers.find((server) => server.child.running());
  await until(() => viewers.every((viewer) => viewer.gaps.length || viewer.newest >= last - 60), 'the viewers have caught up', 30_000).catch(() => {});
  await sleep(1000);
  const worstMs = Math.max(...await Promise.all(probes.map((probe) => probe.stop())));
  await Promise.all(viewers.map((viewer) => viewer.stop()));

  const stored = await backfillAll(reader, { types: 'telemetry,system' });
  const audit = new Audit(ledger).add(stored.events);
  assert.deepEqual(audit.wrong, [], name);
  assert.deepEqual(audit.doubled, [], `${name}: stored twice`);
  const lost = audit.lost();
  if (!losesAll) assert.deepEqual(lost.slice(0, 10), [], `${name}: acknowledged and lost: ${lost.length}`);
  let told = 0;
  let doubled = 0;
  for (const [i, viewer] of viewers.entries()) {
    const ids = viewer.seen.map((event) => event.id);
    assertStrictlyRising(ids);
    const numbers = viewer.seen.map(numberOf);
    // What was under way when the log was lost is stored again if need be, behind the gap.
    const lostUpTo = viewer.gaps.map(({ to }) => to).sort(compareIds).at(-1) ?? '0-0';
    const side = (event) => `${numberOf(event)} ${compareIds(event.id, lostUpTo) > 0}`;
    doubled += numbers.length - new Set(viewer.seen.map(side)).size;
    told += numbers.length;
    const untold = [...ledger.acked].filter((n) => !numbers.includes(n) && !(losesAll && lost.includes(n)));
    if (viewer.gaps.length === 0) assert.deepEqual(untold.slice(0, 10), [], `${name}: viewer ${i} was not told of ${untold.length}`);
    if (losesAll) assert.ok(viewer.gaps.length >= 1, `${name}: viewer ${i} was not told of the loss`);
    else assert.equal(viewer.gaps.length, 0, `${name}: ${JSON.stringify(viewer.gaps)}`);
  }
  assert.equal(doubled, 0, `${name}: told twice`);
  // Of alerts that began before the loss only the ends are left.
  const alerts = (await backfillAll(reader, { types: 'alert' })).events;
  const firings = losesAll ? alerts.filter(({ data }) => data.state === 'firing').length : assertAlertsWhole(alerts, name);
  assert.ok(firings > 0, `${name}: no alert fired`);
  const row = {
    fault: name,
    'recovery ms': Math.round(recoveryMs),
    acked: ledger.acked.size,
    lost: losesAll ? `${lost.length} (declared)` : lost.length,
    doubled: audit.doubled.length + doubled,
    told,
    alerts: firings,
    'refused 503': ledger.refused.size,
    'degraded told': viewers.reduce((sum, viewer) => sum + viewer.degraded, 0),
    'stored though refused': audit.refusedYetStored().length,
    'worst /health ms': Math.round(worstMs),
  };
  rows.push(row);
  assert.ok(recoveryMs < 5000, `${name}: ${recoveryMs} ms until points were taken again`);
  await cluster.stop();
}

const faults = [
  {
    name: 'Redis killed, restarted',
    break_: async ({ redis }) => {
      await redis.kill9();
      await sleep(1500);
      await redis.launch();
      return performance.now();
    },
  },
  {
    name: 'Redis killed, restarted empty',
    losesAll: true,
    break_: async ({ redis }) => {
      await redis.kill9();
      await sleep(1500);
      await redis.launchEmpty();
      return performance.now();
    },
  },
  {
    name: `Redis stopped for ${hangMs / 1000} s`,
    break_: async (cluster) => {
      cluster.redis.pause();
      await sleep(hangMs);
      for (const server of cluster.servers) {
        const ready = await request(server.url, 'GET', '/ready');
        assert.equal(ready.json().storage, 'failing', ready.text);
      }
      cluster.redis.resume();
      return performance.now();
    },
  },
  {
    name: 'the holder of the lease killed',
    break_: async (cluster) => {
      const holder = await cluster.holder();
      await holder.kill9();
      const at = performance.now();
      const next = await until(() => cluster.holder(), 'another one holds the lease', 10_000);
      console.log(`# another instance held the lease after ${Math.round(performance.now() - at)} ms`);
      assert.ok(performance.now() - at < 5000 && next !== holder);
      return at;
    },
  },
];

for (const fault of faults) {
  if (wanted && !wanted.some((word) => fault.name.includes(word))) continue;
  test(fault.name, { timeout: 300_000 }, () => runFault(fault));
}

test('through a network that lets nothing pass', { timeout: 300_000, skip: wanted && !wanted.includes('network') }, async (t) => {
  const namespace = `ms-redis-${process.pid}`;
  const ip = (...words) => execFileSync('ip', words, { stdio: 'pipe' });
  const [here, there] = [`msr${process.pid % 10000}a`, `msr${process.pid % 10000}b`];
  try {
    ip('netns', 'add', namespace);
  } catch (error) {
    return t.skip(`no network namespaces: ${error.message.split('\n')[0]}`);
  }
  atEnd(() => ip('netns', 'del', namespace));
  ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', namespace);
  const subnet = `10.213.${process.pid % 250}`;
  ip('addr', 'add', `${subnet}.1/24`, 'dev', here);
  ip('link', 'set', here, 'up');
  ip('-n', namespace, 'addr', 'add', `${subnet}.2/24`, 'dev', there);
  ip('-n', namespace, 'link', 'set', there, 'up');
  ip('-n', namespace, 'link', 'set', 'lo', 'up');
  const inside = ['ip', 'netns', 'exec', namespace];
  const redis = await Redis.start({ durable: true, host: `${subnet}.2`, under: inside });
  const rule = ['iptables', '-w', '-A', 'INPUT', '-p', 'tcp', '--dport', `${redis.port}`, '-j', 'DROP'];
  await runFault({
    name: `Redis cut off for ${hangMs / 1000} s`,
    redis,
    break_: async () => {
      execFileSync(inside[0], [...inside.slice(1), ...rule]);
      await sleep(hangMs);
      execFileSync(inside[0], [...inside.slice(1), ...rule.map((word) => (word === '-A' ? '-D' : word))]);
      return performance.now();
    },
  });
});

test('the table', () => {
  if (rows.length) console.table(rows);
});
