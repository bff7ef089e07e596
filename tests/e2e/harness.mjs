// Starts the real server for a test, reads its streams strictly, cuts its connections, and always cleans up.
//
// The binary is MILLSTREAM_BIN (ctest sets it). Every server gets its own temp directory and port 0, is stopped by its
// own pid, and its log is printed when the test fails. KEEP=1 keeps the temp directories.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const binary = process.env.MILLSTREAM_BIN ?? path.join(root, 'build/dev/src/app/millstream');
export const account = 'demo'; // of development mode

/** A configuration with one rule, of every device's T1. */
export const tooHot = `
[[rules]]
id = "too-hot"
name = "Too hot"
topic = "account:${account}/site:*/device:*"
field = "T1"
op = ">"
value = 70
clear = 65
severity = "critical"
message = "{{device}} is too hot: {{value}} above {{threshold}}"
`;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A port nobody listens on, for a program that cannot choose one itself. */
export async function freePort() {
  const listener = net.createServer();
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

/** Polls until `probe` returns something truthy, and returns that. */
export async function until(probe, what, timeoutMs = 10_000, stepMs = 20) {
  const deadline = Date.now() + timeoutMs;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`not within ${timeoutMs} ms: ${what}${last ? ` (${last.message})` : ''}`);
    }
    await sleep(stepMs);
  }
}

// --- cleaning up -----------------------------------------------------------------------------------------------------

const cleanups = [];
/** Runs when the test file ends, last registered first, however it ends. */
export function atEnd(cleanup) {
  cleanups.push(cleanup);
}
after(async () => {
  for (const cleanup of cleanups.reverse()) {
    try {
      await cleanup();
    } catch (error) {
      console.error(`cleanup: ${error.message}`);
    }
  }
});

export function tempDirectory(name) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), `millstream-${name}-`));
  atEnd(() => {
    if (!process.env.KEEP) fs.rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

// --- child processes -------------------------------------------------------------------------------------------------

/** A child of ours: its output, how it ended, and ways to end it. */
export class Child {
  constructor(command, args, { env, cwd } = {}) {
    this.output = '';
    this.stdout = '';
    this.process = spawn(command, args, { env: env ?? process.env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    this.pid = this.process.pid;
    this.ended = new Promise((resolve) => {
      this.process.on('error', (error) => {
        this.output += `${command}: ${error.message}\n`;
        resolve({ code: 127, signal: null });
      });
      this.process.on('close', (code, signal) => {
        this.result = { code, signal };
        resolve(this.result);
      });
    });
    this.process.stdout.on('data', (bytes) => {
      this.stdout += bytes;
      this.output += bytes;
    });
    this.process.stderr.on('data', (bytes) => {
      this.output += bytes;
    });
  }
  running() {
    return this.result === undefined && this.pid !== undefined;
  }
  kill(signal) {
    if (this.running()) this.process.kill(signal);
  }
  /** Asks to end, insists after `timeoutMs`. Gives how it ended. */
  async stop(timeoutMs = 15_000) {
    this.kill('SIGTERM');
    const insist = setTimeout(() => this.kill('SIGKILL'), timeoutMs);
    const result = await this.ended;
    clearTimeout(insist);
    return result;
  }
  async wait(timeoutMs, what) {
    const insist = setTimeout(() => {
      this.output += `\n(${what} did not end within ${timeoutMs} ms)\n`;
      this.kill('SIGKILL');
    }, timeoutMs);
    const result = await this.ended;
    clearTimeout(insist);
    return result;
  }
}

let anyFailed = false;
process.on('exit', (code) => {
  if (code !== 0) anyFailed = true;
  if (!anyFailed) return;
  for (const server of Server.all) {
    console.error(`--- log of server ${server.generation} in ${server.directory} (last 60 lines)`);
    console.error(server.child.output.split('\n').slice(-60).join('\n'));
  }
});

// --- the server ------------------------------------------------------------------------------------------------------

/** Short waits, so that tests of reconnecting take seconds. */
export const quickRetry = ['--stream.retry_min=200ms', '--stream.retry_max=400ms'];
const quickEnd = ['--server.drain=500ms'];

export class Server {
  static all = [];

  /**
   * development: everyone is admin of the account "demo". arguments: further flags. config: TOML text.
   * directory: keep using the data of an earlier server. port: keep using its port.
   * under: a command that becomes the server in the same process, with what comes before the program's name.
   */
  static async start(options = {}) {
    const server = new Server(options);
    await server.#launch();
    return server;
  }

  constructor({ development = true, arguments: flags = [], config, directory, port = 0, env = {}, under = [] } = {}) {
    this.scheme = 'http';
    this.directory = directory ?? tempDirectory('server');
    this.generation = 0;
    this.port = port;
    this.env = env;
    this.under = under;
    this.flags = [];
    if (config !== undefined) {
      const file = path.join(this.directory, 'config.toml');
      fs.writeFileSync(file, config);
      this.flags.push('--config', file);
    }
    if (development) this.flags.push('--auth.development=true');
    this.flags.push(...quickEnd, `--server.data_directory=${path.join(this.directory, 'data')}`, ...flags);
    Server.all.push(this);
    atEnd(() => this.child?.stop());
  }

  get url() {
    return `${this.scheme}://127.0.0.1:${this.port}`;
  }

  async #launch() {
    assert.ok(fs.existsSync(binary), `no server program at ${binary}: build it first (./dev build)`);
    ++this.generation;
    const [command, ...rest] = [...this.under, binary, 'serve', ...this.flags, `--server.listen=127.0.0.1:${this.port}`];
    this.child = new Child(command, rest, {
      env: { PATH: process.env.PATH, HOME: this.directory, ...sanitizerOptions(), ...this.env },
    });
    const line = await until(
      () => /^listening on (https?):\/\/[^\s]*:(\d+)$/m.exec(this.child.stdout) ?? !this.child.running(),
      'the server says where it listens',
      20_000,
    );
    if (line === true) throw new Error(`the server ended at once:\n${this.child.output}`);
    this.scheme = line[1];
    this.port = Number(line[2]);
    await until(async () => (await request(this.url, 'GET', '/ready')).status === 200, 'the server is ready', 20_000);
  }

  async stop() {
    const result = await this.child.stop();
    assert.deepEqual(result, { code: 0, signal: null }, `a clean stop on SIGTERM:\n${this.child.output.slice(-2000)}`);
  }

  async kill9() {
    this.child.kill('SIGKILL');
    await this.child.ended;
  }

  /** Starts again on the same port and data, after stop() or kill9(). */
  async restart() {
    await this.#launch();
  }
}

function sanitizerOptions() {
  const kept = {};
  for (const name of ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS']) {
    if (process.env[name]) kept[name] = process.env[name];
  }
  return kept;
}

// --- requests --------------------------------------------------------------------------------------------------------

/** One request, bytes as given; over https without asking for the certificate. Gives {status, headers, text, json()}. */
export function request(base, method, target, { body, headers = {}, agent, timeoutMs = 10_000 } = {}) {
  return new Promise((resolve, reject) => {
    const url = new URL(base);
    const { request: send } = url.protocol === 'https:' ? https : http;
    const outgoing = send(
      { host: url.hostname, port: url.port, rejectUnauthorized: false, method, path: target, headers, agent: agent ?? false,
        timeout: timeoutMs },
      (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          const text = bytes.toString('utf8');
          resolve({ status: response.statusCode, headers: response.headers, bytes, text, json: () => JSON.parse(text) });
        });
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${target}: no answer in ${timeoutMs} ms`)));
    outgoing.on('error', reject);
    if (body !== undefined) outgoing.write(body);
    outgoing.end();
  });
}

export function get(server, target, options) {
  return request(server.url, 'GET', target, options);
}

export function post(server, target, body, options = {}) {
  return request(server.url, 'POST', target, { ...options, body });
}

/** Sends raw bytes and gives everything that comes back until the other side closes, or `ms` have passed. */
export function raw(server, bytes, ms = 3000) {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = net.connect(server.port, '127.0.0.1', () => socket.write(bytes));
    const timer = setTimeout(() => socket.destroy(), ms);
    socket.setEncoding('latin1');
    socket.on('data', (text) => (answer += text));
    socket.on('error', (error) => (answer ? resolve(answer) : reject(error)));
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}

/** Posts points as JSON and insists that all were accepted. */
export async function ingest(server, points, options = {}) {
  const list = Array.isArray(points) ? points : [points];
  const answer = await post(server, '/api/ingest', JSON.stringify(list), {
    ...options,
    headers: { 'Content-Type': 'application/json', ...options.headers },
  });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json(), { accepted: list.length, rejected: [] });
  return answer;
}

/** Every event that backfill gives, page by page, in ascending order. */
export async function backfillAll(server, query = {}, options = {}) {
  const events = [];
  const missing = []; // the parts that pages name
  let cursor;
  let last;
  do {
    const parameters = new URLSearchParams({ limit: '5000', order: 'asc', ...query });
    if (cursor) parameters.set('cursor', cursor);
    const answer = await get(server, `/api/events/backfill?${parameters}`, options);
    assert.equal(answer.status, 200, answer.text);
    const page = answer.json();
    events.push(...page.events);
    missing.push(...page.missing ?? []);
    assert.notEqual(page.next ?? null, cursor ?? undefined, 'a page must not lead to itself');
    cursor = page.next;
    last = page.last;
  } while (cursor);
  assertStrictlyRising(events.map((event) => event.id));
  return { events, last, missing };
}

// --- ids -------------------------------------------------------------------------------------------------------------

export function compareIds(a, b) {
  const [aMs, aSeq] = a.split('-').map(Number);
  const [bMs, bSeq] = b.split('-').map(Number);
  return aMs - bMs || aSeq - bSeq;
}

/** No id twice, none out of order. */
export function assertStrictlyRising(ids) {
  for (let i = 1; i < ids.length; ++i) {
    assert.ok(compareIds(ids[i - 1], ids[i]) < 0, `ids must rise: ${ids[i - 1]} then ${ids[i]} at ${i}`);
  }
}

// --- streams ---------------------------------------------------------------------------------------------------------

/** A strict reader of one connection of /api/stream, or another `path`: what the standard says, and nothing else passes. */
export class Stream {
  /** lastEventId: sent as the header. */
  static async open(server, query = '', { lastEventId, headers = {}, path: where = '/api/stream' } = {}) {
    const stream = new Stream();
    await stream.#connect(server.url, `${where}${query}`, {
      Accept: 'text/event-stream',
      ...(lastEventId ? { 'Last-Event-ID': lastEventId } : {}),
      ...headers,
    });
    return stream;
  }

  messages = []; // {event, id, data}: id as on this block, data parsed
  lastEventId = '';
  retryMs = undefined;
  comments = 0;
  closed = false;
  complete = false; // it ended as a body ends, and was not cut
  #rest = '';
  #block = [];

  #connect(base, target, headers) {
    const url = new URL(base);
    return new Promise((resolve, reject) => {
      this.request = http.request({ host: url.hostname, port: url.port, path: target, headers, agent: false });
      this.request.on('error', (error) => {
        this.closed = true;
        reject(error);
      });
      this.request.on('response', (response) => {
        this.status = response.statusCode;
        this.headers = response.headers;
        if (this.status !== 200) {
          const chunks = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('end', () => {
            this.closed = true;
            this.text = Buffer.concat(chunks).toString();
            resolve();
          });
          return;
        }
        response.setEncoding('utf8');
        response.on('data', (text) => this.#feed(text));
        response.on('error', () => {});
        response.on('close', () => {
          this.closed = true;
          this.complete = response.complete;
        });
        resolve();
      });
      this.request.end();
    });
  }

  #feed(text) {
    this.#rest += text;
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end < 0) return;
      const line = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + 1);
      if (line.startsWith(':')) {
        ++this.comments;
      } else if (line !== '') {
        this.#block.push(line);
      } else if (this.#block.length) {
        this.#dispatch(this.#block.splice(0));
      }
    }
  }

  #dispatch(lines) {
    const message = { event: 'message', id: undefined, data: undefined };
    const data = [];
    for (const line of lines) {
      const [, field, value] = /^([a-z]+):(?: (.*)|)$/s.exec(line) ?? [];
      if (field === 'id') message.id = value ?? '';
      else if (field === 'event') message.event = value;
      else if (field === 'data') data.push(value ?? '');
      else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
      else throw new Error(`not a line of an event stream: ${JSON.stringify(line)}`);
    }
    assert.ok(data.length, `a block without data: ${JSON.stringify(lines)}`);
    message.data = JSON.parse(data.join('\n'));
    if (message.id !== undefined) this.lastEventId = message.id;
    this.messages.push(message);
  }

  close() {
    this.closed = true;
    this.request.destroy();
  }

  /** The events of the log on this stream: no hello, heartbeat or snapshot copies. */
  events(type) {
    return this.messages
      .filter((m) => m.id !== undefined && m.data.data && !m.data.snapshot && m.data.data.snapshot !== true)
      .filter((m) => !(m.event === 'system' && m.data.data.kind === 'hello'))
      .filter((m) => type === undefined || m.event === type)
      .map((m) => m.data);
  }

  /** The system messages of one kind. */
  system(kind) {
    return this.messages.filter((m) => m.event === 'system' && (m.data.data?.kind ?? m.data.kind) === kind);
  }

  waitFor(predicate, what, timeoutMs = 10_000) {
    return until(() => this.messages.find(predicate), `the stream shows ${what}`, timeoutMs);
  }
}

/** A system message's own words, whichever way it is wrapped. */
export function systemData(message) {
  return message.data.data ?? message.data;
}

// --- a network that fails --------------------------------------------------------------------------------------------

/** A TCP proxy in front of a server whose connections a test can cut, or refuse. */
export class CutProxy {
  static async start(target) {
    const proxy = new CutProxy(target);
    await new Promise((resolve) => proxy.listener.listen(0, '127.0.0.1', resolve));
    proxy.port = proxy.listener.address().port;
    atEnd(() => proxy.close());
    return proxy;
  }

  constructor(target) {
    this.target = target; // anything with a port
    this.refusing = false;
    this.cutAfter = undefined; // the next connection gets its answer up to this text
    this.connections = 0;
    this.pairs = new Set();
    this.listener = net.createServer((client) => this.#pass(client));
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  #pass(client) {
    if (this.refusing) {
      client.destroy();
      return;
    }
    ++this.connections;
    const upstream = net.connect(this.target.port, '127.0.0.1');
    const pair = { client, upstream };
    this.pairs.add(pair);
    const end = () => {
      client.destroy();
      upstream.destroy();
      this.pairs.delete(pair);
    };
    for (const socket of [client, upstream]) socket.on('error', end);
    client.on('close', end);
    // What the server said last is still passed on.
    upstream.on('close', () => {
      client.destroySoon();
      this.pairs.delete(pair);
    });
    client.pipe(upstream);
    if (this.cutAfter) this.#passUpTo(this.cutAfter, upstream, client);
    else upstream.pipe(client);
    this.cutAfter = undefined;
  }

  /** Passes the answer on up to and including `text`, then cuts. */
  #passUpTo(text, upstream, client) {
    let seen = '';
    upstream.on('data', (bytes) => {
      const before = seen.length;
      seen += bytes.toString('latin1');
      const found = seen.indexOf(text);
      if (found < 0) client.write(bytes);
      else client.end(Buffer.from(seen.slice(before, found + text.length), 'latin1'), () => client.destroy());
    });
  }

  /** Cuts every connection now, mid-byte if need be. Gives how many there were. */
  cut() {
    const count = this.pairs.size;
    for (const { client, upstream } of [...this.pairs]) {
      client.resetAndDestroy();
      upstream.destroy();
    }
    this.pairs.clear();
    return count;
  }

  async close() {
    this.cut();
    await new Promise((resolve) => this.listener.close(resolve));
  }
}

// --- credentials -----------------------------------------------------------------------------------------------------

export const jwtSecret = 'an-end-to-end-test-secret-of-more-than-32-bytes';

/** An HS256 token, made here and not by the program under test. */
export function jwt(claims, { secret = jwtSecret, expiresInS = 600, header = { alg: 'HS256', typ: 'JWT' } } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part(header)}.${part({ sub: 'tester', iat: now, exp: now + expiresInS, ...claims })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

export const bearer = (token) => ({ Authorization: `Bearer ${token}` });

/** Adds a user to the server whose directory this is, running or not (a running one notices within seconds). */
export async function addUser(directory, name, { account: of = account, role = 'viewer', password }) {
  const file = path.join(directory, `password-of-${name}`);
  fs.writeFileSync(file, `${password}\n`, { mode: 0o600 });
  const data = path.join(directory, 'data');
  const added = await run(['user', 'add', '--data-directory', data, '--account', of, '--role', role, '--password-file', file, name]);
  assert.equal(added.code, 0, added.output);
  fs.unlinkSync(file);
}

/** POST /api/login. */
export function login(server, credentials, headers = {}) {
  return post(server, '/api/login', JSON.stringify(credentials), { headers: { 'Content-Type': 'application/json', ...headers } });
}

/** The cookie that an answer sets, as a browser sends it back. */
export function sessionOf(answer) {
  assert.equal(answer.status, 200, answer.text);
  return answer.headers['set-cookie'][0].split(';')[0];
}

/** Runs a subcommand of the program to its end. */
export async function run(args, { env = {}, timeoutMs = 20_000 } = {}) {
  const child = new Child(binary, args, { env: { PATH: process.env.PATH, ...sanitizerOptions(), ...env } });
  atEnd(() => child.stop(1000));
  const { code } = await child.wait(timeoutMs, args.join(' '));
  return { code, output: child.output, stdout: child.stdout };
}
