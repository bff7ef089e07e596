// Starts what a deployment of several instances is made of: a real Redis, the instances, and a proxy that shares
// connections out among them in turn. All on loopback, on free ports, in temporary directories, stopped by pid.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { metric } from '../faults/ledger.mjs';
import { Child, Server, atEnd, quickRetry, tempDirectory, until } from '../e2e/harness.mjs';

async function freePort(host = '127.0.0.1') {
  const probe = net.createServer();
  await new Promise((resolve) => probe.listen(0, host, resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export class Redis {
  /** durable: every command is on the disk before it is answered. under: a command that becomes the server. */
  static async start({ durable = true, host = '127.0.0.1', under = [] } = {}) {
    const redis = new Redis();
    Object.assign(redis, { durable, host, under, directory: tempDirectory('redis'), port: await freePort() });
    atEnd(() => redis.kill9());
    await redis.launch();
    return redis;
  }
  get url() {
    return `redis://${this.host}:${this.port}`;
  }
  async launch() {
    const [command, ...rest] = [...this.under, 'redis-server', '--port', `${this.port}`, '--bind', this.host, '--dir', this.directory,
      '--save', '', '--appendonly', this.durable ? 'yes' : 'no', '--appendfsync', 'always', '--protected-mode', 'no'];
    this.child = new Child(command, rest);
    await until(() => /Ready to accept connections/.test(this.child.output) || !this.child.running(), 'Redis is up', 20_000);
    assert.ok(this.child.running(), this.child.output);
  }
  async kill9() {
    this.child.kill('SIGCONT');
    this.child.kill('SIGKILL');
    await this.child.ended;
  }
  async restart() {
    await this.launch();
  }
  /** As a machine that was replaced: nothing of before is there. */
  async restartEmpty() {
    fs.rmSync(path.join(this.directory, 'appendonlydir'), { recursive: true, force: true });
    await this.launch();
  }
  pause() {
    this.child.kill('SIGSTOP');
  }
  resume() {
    this.child.kill('SIGCONT');
  }
}

/** Each new connection goes to the next instance that takes it. */
export class RoundRobin {
  static async start(servers) {
    const proxy = new RoundRobin();
    Object.assign(proxy, { servers, next: 0, connections: 0 });
    proxy.listener = net.createServer((client) => proxy.#pass(client, servers.length));
    await new Promise((resolve) => proxy.listener.listen(0, '127.0.0.1', resolve));
    proxy.port = proxy.listener.address().port;
    atEnd(() => proxy.listener.close());
    return proxy;
  }
  get url() {
    return `http://127.0.0.1:${this.port}`;
  }
  #pass(client, tries) {
    if (tries === 0) return client.destroy();
    const { port } = this.servers[this.next++ % this.servers.length];
    const upstream = net.connect(port, '127.0.0.1');
    let open = false;
    upstream.on('connect', () => {
      open = true;
      ++this.connections;
      client.pipe(upstream).pipe(client);
    });
    upstream.on('error', () => (open ? client.destroy() : this.#pass(client, tries - 1)));
    upstream.on('close', () => open && client.destroySoon());
    client.on('error', () => upstream.destroy());
    client.on('close', () => upstream.destroy());
  }
}

/** Some instances on one Redis, and the proxy before them. */
export class Cluster {
  static async start({ instances = 3, redis, flags = [], config } = {}) {
    const cluster = new Cluster();
    cluster.redis = redis ?? await Redis.start();
    cluster.servers = await Promise.all(Array.from({ length: instances }, () => Server.start({
      config,
      arguments: [...quickRetry, `--redis.url=${cluster.redis.url}`, '--presence.stale_after=1h', '--presence.offline_after=2h', ...flags],
    })));
    cluster.proxy = await RoundRobin.start(cluster.servers);
    return cluster;
  }
  /** The instance that draws the conclusions; undefined: none does. */
  async holder() {
    for (const server of this.servers) {
      if (server.child.running() && (await metric(server, 'millstream_lease_held').catch(() => 0)) === 1) return server;
    }
    return undefined;
  }
  async stop() {
    for (const server of this.servers) if (server.child.running()) await server.stop();
    await this.redis.kill9();
  }
}
