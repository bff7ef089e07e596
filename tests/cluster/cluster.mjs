// Several instances on one Redis, and a proxy that shares connections out among them in turn.

import net from 'node:net';
import { metric } from '../faults/ledger.mjs';
import { Server, atEnd, quickRetry } from '../e2e/harness.mjs';
import { Redis } from '../e2e/redis.mjs';

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
  static async start({ instances = 3, redis, flags = [], ...options } = {}) {
    const cluster = new Cluster();
    cluster.redis = redis ?? await Redis.start({ durable: true });
    cluster.servers = await Promise.all(Array.from({ length: instances }, () => Server.start({
      ...options,
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
