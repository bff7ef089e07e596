// A real redis-server for a test: its own temp directory, a free port of this machine, nothing kept on disk, ended by its
// own pid.

import { Child, atEnd, freePort, tempDirectory, until } from './harness.mjs';

export class Redis {
  /** `args`: further ones of its command line. */
  static async start({ args = [] } = {}) {
    const redis = new Redis();
    redis.port = await freePort();
    redis.args = ['--port', String(redis.port), '--bind', '127.0.0.1', '--dir', tempDirectory('redis'), '--save', '',
      '--appendonly', 'no', ...args];
    atEnd(() => redis.child?.stop());
    await redis.launch();
    return redis;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  async launch() {
    this.child = new Child('redis-server', this.args);
    await until(() => {
      if (!this.child.running()) throw new Error(`redis-server ended: ${this.child.output}`);
      return this.child.output.includes('Ready to accept connections');
    }, 'redis-server is ready');
  }

  /** Ends it and starts it again on the same port; nothing of it stays. */
  async restart() {
    await this.child.stop();
    await this.launch();
  }
}
