// ./dev cluster: Redis, PostgreSQL, InfluxDB, some instances of Millstream, nginx before them and simulated devices, all on
// loopback, until Ctrl-C. What they keep and write is under build/cluster.
//
//   node tools/cluster.mjs [--port N] [--instances N] [--devices N] [--duration SECONDS] [--program FILE]

import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    instances: { type: 'string', default: '3' },
    devices: { type: 'string', default: '24' },
    duration: { type: 'string', default: '0' },
    program: { type: 'string', default: 'build/release/src/app/millstream' },
  },
});
for (const name of ['port', 'instances', 'devices', 'duration']) {
  if (!/^\d+$/.test(options[name])) fail(`--${name} needs a whole number`);
}
const port = Number(options.port);
const directory = path.resolve('build/cluster');
const isRoot = process.getuid?.() === 0;
const say = (line = '') => console.log(line);

function fail(why) {
  console.error(`cluster: ${why}`);
  process.exit(1);
}
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// --- children --------------------------------------------------------------------------------------------------------

const children = [];
let stopping = false;

/** A child that does not outlive us; what it writes goes to a log of its name. */
function start(name, command, args, { env = {}, user } = {}) {
  const log = path.join(directory, `${name}.log`);
  const out = fs.openSync(log, 'w');
  const as = user && isRoot ? [`--reuid=${user}`, `--regid=${user}`, '--init-groups'] : [];
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', ...as, command, ...args], {
    stdio: ['ignore', out, out],
    env: { ...process.env, ...env },
    detached: true, // so that Ctrl-C reaches it through us alone
  });
  fs.closeSync(out);
  const entry = { name, log, child, ended: new Promise((resolve) => child.on('close', resolve)) };
  child.on('error', (error) => fs.appendFileSync(log, `${command}: ${error.message}\n`));
  entry.ended.then(() => (entry.gone = true));
  children.push(entry);
  return entry;
}

async function stop(code) {
  if (stopping) return;
  stopping = true;
  for (const { child, ended, gone } of children.reverse()) {
    if (gone) continue;
    child.kill('SIGTERM');
    const insist = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(insist);
  }
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    say('\nstopping');
    stop(0);
  });
}

/** Waits until `probe` gives something truthy; ends everything when the child is gone or nothing comes. */
async function until(probe, entry, what, timeoutMs = 30_000) {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline && !entry.gone && !stopping; await sleep(100)) {
    if (await Promise.resolve().then(probe).catch(() => false)) return;
  }
  if (stopping) return;
  console.error(fs.readFileSync(entry.log, 'utf8').split('\n').slice(-15).join('\n'));
  console.error(`cluster: ${what}; see ${path.relative('.', entry.log)}`);
  await stop(1);
}

const listens = (at) => new Promise((resolve) => {
  const socket = net.connect(at, '127.0.0.1');
  socket.on('connect', () => (socket.destroy(), resolve(true)));
  socket.on('error', () => resolve(false));
});
const answers = (at, where, status) => new Promise((resolve) => {
  const request = http.get({ host: '127.0.0.1', port: at, path: where, timeout: 2000 }, (response) => {
    response.resume();
    resolve(response.statusCode === status);
  });
  request.on('error', () => resolve(false));
  request.on('timeout', () => request.destroy());
});
async function freePort() {
  const probe = net.createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port: free } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return free;
}

// --- the parts -------------------------------------------------------------------------------------------------------

function folder(name, user) {
  const where = path.join(directory, name);
  fs.mkdirSync(where, { recursive: true, mode: 0o755 });
  if (user && isRoot) execFileSync('chown', ['-R', user, where]);
  return where;
}

async function startRedis() {
  const at = await freePort();
  const redis = start('redis', 'redis-server', ['--port', at, '--bind', '127.0.0.1', '--dir', folder('redis'), '--save', '',
    '--appendonly', 'yes', '--appendfsync', 'always'].map(String));
  await until(() => listens(at), redis, 'Redis did not come up');
  return at;
}

async function startPostgres() {
  const programs = fs.readdirSync('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`).at(-1);
  const at = await freePort();
  // PostgreSQL does not run as root, and its user may not be able to reach the checkout.
  const data = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'millstream-postgres-')), 'data');
  process.on('exit', () => fs.rmSync(path.dirname(data), { recursive: true, force: true }));
  if (isRoot) execFileSync('chown', ['postgres', path.dirname(data)]);
  const as = isRoot ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'] : ['env'];
  execFileSync(as[0], [...as.slice(1), `${programs}/initdb`, '-D', data, '-U', 'millstream', '--auth=trust', '-E', 'UTF8'], { stdio: 'pipe' });
  const postgres = start('postgres', `${programs}/postgres`, ['-D', data, '-p', `${at}`, '-h', '127.0.0.1', '-k', path.dirname(data)],
    { user: 'postgres' });
  await until(() => listens(at) && /ready to accept connections/.test(fs.readFileSync(postgres.log, 'utf8')), postgres,
    'PostgreSQL did not come up');
  return at;
}

async function startInflux() {
  const [at, rpc] = [await freePort(), await freePort()];
  const where = folder('influx');
  const influx = start('influx', 'influxd', ['run', '-config', '/dev/null'], {
    env: {
      INFLUXDB_META_DIR: `${where}/meta`, INFLUXDB_DATA_DIR: `${where}/data`, INFLUXDB_DATA_WAL_DIR: `${where}/wal`,
      INFLUXDB_HTTP_BIND_ADDRESS: `127.0.0.1:${at}`, INFLUXDB_BIND_ADDRESS: `127.0.0.1:${rpc}`,
      INFLUXDB_REPORTING_DISABLED: 'true', INFLUXDB_MONITOR_STORE_ENABLED: 'false', INFLUXDB_HTTP_LOG_ENABLED: 'false',
    },
  });
  await until(() => answers(at, '/ping', 204), influx, 'InfluxDB did not come up');
  return at;
}

async function startInstance(name, { redis, postgres, influx }) {
  const at = await freePort();
  const instance = start(name, path.resolve(options.program), ['serve', `--server.listen=127.0.0.1:${at}`,
    `--server.data_directory=${folder(name)}`, `--redis.url=redis://127.0.0.1:${redis}`,
    `--postgres.url=postgresql://millstream@127.0.0.1:${postgres}/postgres`, `--influx.url=http://127.0.0.1:${influx}`,
    '--influx.database=millstream', '--config=examples/demo.toml']);
  await until(() => answers(at, '/ready', 200), instance, `instance ${name} did not become ready`);
  return at;
}

async function startNginx(ports) {
  const where = folder('nginx');
  const servers = ports.map((at) => `    server 127.0.0.1:${at} max_fails=1 fail_timeout=2s;`).join('\n');
  const config = fs.readFileSync('examples/nginx-cluster.conf', 'utf8')
    .replace(/( *server 127\.0\.0\.1:\d+ max_fails.*\n)+/, `${servers}\n`)
    .replace('listen 127.0.0.1:8080', `listen 127.0.0.1:${port}`);
  fs.writeFileSync(path.join(where, 'nginx.conf'), isRoot ? `user root;\n${config}` : config);
  const nginx = start('nginx', '/usr/sbin/nginx', ['-p', where, '-c', 'nginx.conf', '-g', 'daemon off;']);
  await until(() => answers(port, '/ready', 200), nginx, 'nginx did not come up');
}

// --- all of it -------------------------------------------------------------------------------------------------------

if (await listens(port)) fail(`something is already listening on 127.0.0.1:${port}; choose another: --port ${port + 1}`);
fs.rmSync(directory, { recursive: true, force: true });
fs.mkdirSync(directory, { recursive: true });
const [redis, postgres, influx] = await Promise.all([startRedis(), startPostgres(), startInflux()]);
say(`  Redis        127.0.0.1:${redis}`);
say(`  PostgreSQL   127.0.0.1:${postgres}`);
say(`  InfluxDB     127.0.0.1:${influx}`);
const names = Array.from({ length: Number(options.instances) }, (_, i) => `instance-${i + 1}`);
const ports = [];
for (const name of names) {
  ports.push(await startInstance(name, { redis, postgres, influx }));
  say(`  ${name}   127.0.0.1:${ports.at(-1)}   pid ${children.at(-1).child.pid}`);
}
await startNginx(ports);
start('simulate', path.resolve(options.program), ['simulate', '--url', `http://127.0.0.1:${port}`, '--devices', options.devices]);
say();
say(`  dashboard    http://127.0.0.1:${port}`);
say(`  the stream   curl -N 'http://127.0.0.1:${port}/api/stream?snapshot=latest'`);
say();
say('End an instance (kill -9 its pid) and watch the dashboard go on. Logs are in build/cluster. Ctrl-C stops everything.');
if (Number(options.duration) > 0) {
  await sleep(Number(options.duration) * 1000);
  say(`ended after ${options.duration} s`);
  await stop(0);
}
