// A real redis-server for a test: its own temp directory, a free port of this machine, ended by its own pid.

import fs from 'node:fs';
import path from 'node:path';
import { Child, atEnd, freePort, tempDirectory, until } from './harness.mjs';

export class Redis {
  /**
   * args: further ones of its command line. durable: what it has answered is on the disk; else nothing is.
   * host: where it listens. under: a command that becomes the server.
   */
  static async start({ args = [], durable = false, host = '127.0.0.1', under = [] } = {}) {
    const redis = new Redis();
    Object.assign(redis, { host, under, port: await freePort(), directory: tempDirectory('redis') });
    redis.args = ['--port', String(redis.port), '--bind', host, '--protected-mode', 'no', '--dir', redis.directory, '--save', '',
      '--appendonly', durable ? 'yes' : 'no', '--appendfsync', 'always', ...args];
    atEnd(() => redis.kill9());
    await redis.launch();
    return redis;
  }

  get url() {
    return `redis://${this.host}:${this.port}`;
  }

  async launch() {
    const [command, ...args] = [...this.under, 'redis-server', ...this.args];
    this.child = new Child(command, args);
    await until(() => {
      if (!this.child.running()) throw new Error(`redis-server ended: ${this.child.output}`);
      return this.child.output.includes('Ready to accept connections');
    }, 'redis-server is ready', 20_000);
  }

  /** Ends it and starts it again on the same port; of one that is not durable nothing stays. */
  async restart() {
    await this.child.stop();
    await this.launch();
  }
  /** Starts it as a machine that was replaced: nothing of before is there. */
  async launchEmpty() {
    fs.rmSync(path.join(this.directory, 'appendonlydir'), { recursive: true, force: true });
    await this.launch();
  }
  async kill9() {
    this.child?.kill('SIGCONT');
    this.child?.kill('SIGKILL');
    await this.child?.ended;
  }
  pause() {
    this.child.kill('SIGSTOP');
  }
  resume() {
    this.child.kill('SIGCONT');
  }
}
