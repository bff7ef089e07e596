// InfluxDBs to write to: a real influxd of version 1 with its own temp directory and free ports, ended by its own pid, and
// a server of ours that answers writes as a test says.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import zlib from 'node:zlib';
import { Child, atEnd, freePort, request, tempDirectory, until } from './harness.mjs';

export class Influxd {
  /** auth: an admin "admin" with the password "adminpass" is made, and nobody else gets in. */
  static async start({ auth = false } = {}) {
    const influxd = new Influxd();
    const directory = tempDirectory('influxd');
    influxd.port = await freePort();
    influxd.env = {
      PATH: process.env.PATH, HOME: directory, INFLUXDB_REPORTING_DISABLED: 'true',
      INFLUXDB_BIND_ADDRESS: `127.0.0.1:${await freePort()}`,
      INFLUXDB_META_DIR: path.join(directory, 'meta'), INFLUXDB_DATA_DIR: path.join(directory, 'data'),
      INFLUXDB_DATA_WAL_DIR: path.join(directory, 'wal'), INFLUXDB_HTTP_BIND_ADDRESS: `127.0.0.1:${influxd.port}`,
      INFLUXDB_HTTP_LOG_ENABLED: 'false', INFLUXDB_MONITOR_STORE_ENABLED: 'false',
      INFLUXDB_HTTP_AUTH_ENABLED: String(auth),
    };
    influxd.config = path.join(directory, 'influxdb.conf');
    fs.writeFileSync(influxd.config, '');
    atEnd(() => influxd.stop());
    await influxd.launch();
    if (auth) await influxd.query(`CREATE USER admin WITH PASSWORD 'adminpass' WITH ALL PRIVILEGES`);
    influxd.user = auth ? 'u=admin&p=adminpass&' : '';
    return influxd;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async launch() {
    this.child = new Child('influxd', ['run', '-config', this.config], { env: this.env });
    await until(async () => {
      if (!this.child.running()) throw new Error(`influxd ended: ${this.child.output}`);
      return (await request(this.url, 'GET', '/ping')).status === 204;
    }, 'influxd answers', 30_000, 100);
  }

  async stop() {
    await this.child?.stop();
  }

  /** The series of one statement. */
  async query(q, db = 'millstream') {
    const answer = await request(this.url, 'POST', `/query?${this.user ?? ''}db=${db}&epoch=ms&q=${encodeURIComponent(q)}`, { body: '' });
    assert.equal(answer.status, 200, answer.text);
    const [result] = answer.json().results;
    assert.equal(result.error, undefined);
    return result.series ?? [];
  }

  /** How many points have the field. */
  async count(field = 'n', where = '') {
    const [series] = await this.query(`SELECT count("${field}") FROM millstream.telemetry ${where}`);
    return series?.values[0][1] ?? 0;
  }
}

/** behave(lines, n, request): what becomes of the n-th write: 'take' (204), {status, headers, body}, 'hang', 'half'. */
export class InfluxStub {
  static async start(behave = () => 'take') {
    const stub = new InfluxStub();
    stub.behave = behave;
    stub.server = http.createServer((incoming, response) => stub.#receive(incoming, response));
    stub.server.on('connection', (socket) => {
      stub.sockets.add(socket);
      socket.on('close', () => stub.sockets.delete(socket));
      socket.on('error', () => {});
    });
    await new Promise((resolve) => stub.server.listen(0, '127.0.0.1', resolve));
    stub.url = `http://127.0.0.1:${stub.server.address().port}`;
    atEnd(() => {
      for (const socket of stub.sockets) socket.destroy();
      stub.server.close();
    });
    return stub;
  }

  requests = []; // {target, headers, at, answer}
  taken = new Map(); // line without its fields -> how often
  sockets = new Set();

  #receive(incoming, response) {
    const chunks = [];
    incoming.on('data', (chunk) => chunks.push(chunk));
    incoming.on('error', () => {});
    incoming.on('end', () => {
      assert.equal(incoming.headers['content-encoding'], 'gzip');
      const lines = zlib.gunzipSync(Buffer.concat(chunks)).toString('utf8').split('\n').filter(Boolean);
      const answer = this.behave(lines, this.requests.length);
      this.requests.push({ target: incoming.url, headers: incoming.headers, at: Date.now(), answer, lines: lines.length });
      if (answer === 'hang') return undefined;
      if (answer === 'half') {
        response.writeHead(204, { 'Content-Length': 100 });
        response.write('x');
        return incoming.socket.destroySoon();
      }
      if (answer === 'take') {
        for (const line of lines) this.taken.set(line, (this.taken.get(line) ?? 0) + 1);
        response.writeHead(204);
        return response.end();
      }
      response.writeHead(answer.status, { 'Content-Type': 'application/json', ...answer.headers });
      return response.end(answer.body ?? '{}');
    });
  }
}
