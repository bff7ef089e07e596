// A real PostgreSQL for a test: its own temp directory, a free port of this machine, a password, ended by its own pid.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Child, atEnd, freePort, tempDirectory, until } from './harness.mjs';

const programs = ['15', '16', '17'].map((version) => `/usr/lib/postgresql/${version}/bin`).find((at) => fs.existsSync(at));

// It does not run as root: then as the user that Debian's package made.
const asUser = os.userInfo().username === 'root' ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'] : [];

function spawn(program, args, options) {
  const [command, ...all] = [...asUser, path.join(programs, program), ...args];
  return new Child(command, all, { cwd: '/', ...options });
}

export class Postgres {
  static async start() {
    const postgres = await Postgres.#prepare();
    await postgres.#make('initdb', ['-D', postgres.#data(), '-U', 'millstream', '-A', 'scram-sha-256', '-N', '--no-locale',
      '-E', 'UTF8', `--pwfile=${postgres.passwordFile}`]);
    await postgres.launch();
    return postgres;
  }

  /** Follows this one, read only, until it is promoted. */
  async startStandby() {
    const standby = await Postgres.#prepare();
    await standby.#make('pg_basebackup', ['-D', standby.#data(), '-R', '-X', 'stream', '-c', 'fast', '-d', this.urlWithPassword]);
    await standby.launch();
    return standby;
  }
  async promote() {
    await this.#make('pg_ctl', ['promote', '-D', this.#data()]);
  }

  static async #prepare() {
    assert.ok(programs, 'PostgreSQL is not installed (./dev setup)');
    const postgres = new Postgres();
    postgres.directory = tempDirectory('postgres');
    postgres.password = 'correct-horse-battery';
    postgres.port = await freePort();
    postgres.passwordFile = path.join(postgres.directory, 'password');
    fs.writeFileSync(postgres.passwordFile, `${postgres.password}\n`, { mode: 0o600 });
    if (asUser.length > 0) {
      const [, , uid, gid] = /^postgres:.*$/m.exec(fs.readFileSync('/etc/passwd', 'utf8'))[0].split(':').map(Number);
      for (const file of [postgres.directory, postgres.passwordFile]) fs.chownSync(file, uid, gid);
    }
    atEnd(() => postgres.stop());
    return postgres;
  }

  async #make(program, args) {
    const made = spawn(program, args);
    assert.equal((await made.wait(60_000, program)).code, 0, made.output);
  }

  #data() {
    return path.join(this.directory, 'data');
  }
  get url() {
    return `postgresql://millstream@127.0.0.1:${this.port}/postgres`;
  }
  get urlWithPassword() {
    return this.url.replace('@', `:${this.password}@`);
  }

  async launch() {
    this.child = spawn('postgres', ['-D', this.#data(), '-p', String(this.port), '-k', this.directory, '-c',
      'listen_addresses=127.0.0.1', '-c', 'fsync=off', '-c', 'max_connections=60']);
    await until(() => {
      if (!this.child.running()) throw new Error(`postgres ended: ${this.child.output}`);
      return /ready to accept (read-only )?connections/.test(this.child.output);
    }, 'PostgreSQL is ready');
  }

  /** All of it is silent: those who serve connections are processes of their own. */
  pause() {
    this.#signalAll('SIGSTOP');
  }
  goOn() {
    this.#signalAll('SIGCONT');
  }
  #signalAll(signal) {
    const children = fs.readFileSync(`/proc/${this.child.pid}/task/${this.child.pid}/children`, 'utf8');
    for (const pid of [this.child.pid, ...children.split(' ').filter(Boolean).map(Number)]) process.kill(pid, signal);
  }
  /** Rolls back what is under way, and ends. */
  async stop() {
    if (!this.child?.running()) return;
    this.goOn();
    this.child.kill('SIGINT');
    await this.child.wait(20_000, 'PostgreSQL');
  }
}
