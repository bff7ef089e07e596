// A real mosquitto for a test: its own temp directory, a free port of this machine, ended by its own pid; and the clients
// that Debian ships with it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Child, atEnd, freePort, tempDirectory, until } from './harness.mjs';

const program = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find((file) => fs.existsSync(file));

function reachable(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', reject);
  });
}

export class Broker {
  /** `lines`: further lines of its configuration. `clientOptions`: what its own clients need to get in. */
  static async start({ lines = ['allow_anonymous true'], clientOptions = [], directory = tempDirectory('mosquitto') } = {}) {
    const broker = new Broker();
    broker.directory = directory;
    broker.clientOptions = clientOptions;
    broker.port = await freePort();
    broker.configuration = path.join(directory, 'mosquitto.conf');
    const user = os.userInfo().username === 'root' ? ['user root'] : []; // or it could not write to the directory
    fs.writeFileSync(broker.configuration, [...user, `listener ${broker.port} 127.0.0.1`, 'persistence true',
      `persistence_location ${directory}/`, 'max_queued_messages 0', ...lines, ''].join('\n'));
    atEnd(() => broker.child?.stop());
    await broker.launch();
    return broker;
  }

  async launch() {
    assert.ok(program, 'mosquitto is not installed (./dev setup)');
    this.child = new Child(program, ['-c', this.configuration]);
    await until(() => {
      if (!this.child.running()) throw new Error(`mosquitto ended: ${this.child.output}`);
      return reachable(this.port);
    }, 'mosquitto listens');
  }

  /** Stores its sessions and ends. */
  async stop() {
    await this.child.stop();
  }

  #client(name, args) {
    return [name, ['-h', '127.0.0.1', '-p', String(this.port), ...this.clientOptions, ...args]];
  }

  /** mosquitto_pub with `payload` (text or bytes) on standard input, as one message; at QoS 1 unless told otherwise. */
  publish(topic, payload, args = []) {
    return this.feed(['-t', topic, '-q', '1', '-s', ...args], payload);
  }

  /** mosquitto_pub with these arguments and this on its standard input; until it has ended. */
  async feed(args, input) {
    const publisher = this.publisher(args);
    publisher.stdin.end(input);
    await publisher.ended;
  }

  /** A mosquitto_pub whose standard input stays open. `ended`: it has, and well. */
  publisher(args) {
    const [command, all] = this.#client('mosquitto_pub', args);
    const child = spawn(command, all, { stdio: ['pipe', 'pipe', 'pipe'] });
    atEnd(() => child.kill());
    let output = '';
    child.stderr.on('data', (bytes) => (output += bytes));
    child.stdout.on('data', (bytes) => (output += bytes));
    child.ended = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`mosquitto_pub ${args.join(' ')}: ${output}`))));
    });
    return child;
  }

  /** mosquitto_sub, which stays: a client with a will, or one who reads. */
  subscribe(args) {
    const child = new Child(...this.#client('mosquitto_sub', args));
    atEnd(() => child.stop());
    return child;
  }
}
