"""What bench/cluster measures with: a Redis, instances that share its log, viewers that write down everything they are
sent, and, if asked for, a network of namespaces between them. All of it on this machine, ended by pid."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import peers
from harness import OUT, ROOT, RunFailed, Server, bytes_on_disk, end
from rows import MILLSTREAM

READY_S = 20
CONNECT_S = 10
# A viewer that writes down everything must not be merged for: bounds are lifted far beyond one commit.
UNMERGED = {"stream.session_queue_bytes_max": 512 << 20, "stream.session_queue_max": "60s", "stream.slow_lag_max": "60s"}
TELEMETRY = b"event: telemetry\n"
EVENT_ID = re.compile(rb"^id: (\S+)\nevent: telemetry$", re.MULTILINE)
DECLARED = re.compile(rb'"kind":"(?:gap|slow)"')


class Loopback:
    """Everything is on 127.0.0.1, as nobody but this machine can reach it; signing in is not measured."""

    header = ""

    def host(self, _):
        return "127.0.0.1"

    def under(self, _):
        return []

    def flags(self, _):
        return {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Namespaces:
    """A network namespace for Redis and one for each instance, joined by veth pairs and a bridge.
    Credentials are tokens then, since development mode is for loopback alone. Needs root."""

    def __init__(self, programs, names):
        self.programs, self.names = programs, names
        self.bridge = f"mb{os.getpid() % 1_000_000}"
        self.secret = OUT / f"{self.bridge}.secret"
        self.stack = contextlib.ExitStack()

    def host(self, name):
        return f"10.213.77.{self.names.index(name) + 2}"

    def under(self, name):
        return ["ip", "netns", "exec", f"{self.bridge}-{name}"]

    def flags(self, name):
        return {"auth.development": "false", "auth.jwt_secret_file": self.secret, "server.listen": f"{self.host(name)}:8080"}

    def __enter__(self):
        self.secret.write_bytes(os.urandom(48).hex().encode())
        self.secret.chmod(0o600)
        self.stack.callback(self.secret.unlink)
        try:
            self._build()
            self.header = f"Authorization: Bearer {self._token()}"
        except BaseException:
            self.stack.close()
            raise
        return self

    def _build(self):
        ip("link", "add", self.bridge, "type", "bridge")
        self.stack.callback(ip, "link", "del", self.bridge)
        ip("addr", "add", "10.213.77.1/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for i, name in enumerate(self.names):
            space, end = f"{self.bridge}-{name}", f"{self.bridge}v{i}"
            ip("netns", "add", space)
            self.stack.callback(ip, "netns", "del", space)
            ip("link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("link", "set", end, "master", self.bridge, "up")
            ip("-n", space, "addr", "add", f"{self.host(name)}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            ip("-n", space, "link", "set", "lo", "up")

    def _token(self):
        secret = f"MILLSTREAM_AUTH_JWT_SECRET_FILE={self.secret}"
        return checked("env", secret, str(self.programs.millstream), "token", "--account", "demo", "--sub", "bench",
                       "--role", "admin").strip()

    def __exit__(self, *_):
        self.stack.close()


def checked(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        raise RunFailed(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def ip(*words):
    return checked("ip", *words)


class Redis:
    """A redis-server with an append-only file of its own on disk. `with Redis(network, "everysec") as redis:`"""

    def __init__(self, network, appendfsync, beneath):
        self.host, self.port = network.host("redis"), peers.free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="redis-", dir=beneath))
        self.command = [*network.under("redis"), "redis-server", "--port", str(self.port), "--bind", self.host, "--dir",
                        str(self.directory), "--save", "", "--appendonly", "yes", "--appendfsync", appendfsync,
                        "--auto-aof-rewrite-percentage", "0", "--protected-mode", "no"]

    def __enter__(self):
        with open(OUT / "cluster_redis.log", "wb") as output:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output, cwd=ROOT,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        deadline = time.monotonic() + READY_S
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(RunFailed):
                self.info("server")
                return self
            time.sleep(0.01)
        self.__exit__()
        raise RunFailed("redis-server does not answer; build/bench/cluster_redis.log")

    @property
    def url(self):
        return f"redis://{self.host}:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def client(self, program="redis-cli"):
        return [program, "-h", self.host, "-p", str(self.port)]

    def info(self, section):
        lines = checked(*self.client(), "INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def log_bytes(self):
        return bytes_on_disk(self.directory)

    def __exit__(self, *_):
        end(self.process)
        shutil.rmtree(self.directory, ignore_errors=True)


class Instance(Server):
    """One instance of several, or with no Redis the one there is. It may run on every core."""

    def __init__(self, programs, name, network, beneath, redis=None, flags=None):
        shared = {"redis.url": redis.url} if redis else {}
        super().__init__(programs, MILLSTREAM, beneath=beneath,
                         flags={**network.flags(name), **shared, **UNMERGED, **(flags or {})})
        self.output = OUT / f"cluster_{name}.log"
        self.cores = ",".join(map(str, programs.cores))
        self.launch.commands[0][:0] = network.under(name)
        self.header = network.header

    @property
    def pid(self):
        return self.processes[0].pid


class Recorder:
    """A viewer that keeps every byte it is sent and when it came, and looks at them only once asked."""

    def __init__(self, server, last_id="", path="/api/stream?types=telemetry"):
        at = urlsplit(server.url)
        lines = [f"GET {path} HTTP/1.0", f"Host: {at.netloc}"]  # 1.0: no chunks to be taken apart
        lines += [server.header] if server.header else []
        lines += [f"Last-Event-ID: {last_id}"] if last_id else []
        self.pieces, self.arrivals, self.count, self.end_of_last = [], [], 0, b""
        self.changed = threading.Condition()
        self.asked_at = time.perf_counter()
        self.socket = socket.create_connection((at.hostname, at.port), CONNECT_S)
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        self._wait(lambda: any(b"\n\n" in piece or b"\r\n\r\n" in piece for piece in self.pieces), CONNECT_S, "its stream")

    def _read(self):
        with contextlib.suppress(OSError):
            while piece := self.socket.recv(1 << 20):
                self._keep(piece, time.perf_counter())

    def _keep(self, piece, at):
        with self.changed:
            self.pieces.append(piece)
            seen = self.end_of_last + piece
            self.count += seen.count(TELEMETRY)
            self.end_of_last = seen[-(len(TELEMETRY) - 1):]
            self.arrivals.append((at, self.count))
            self.changed.notify_all()

    def _wait(self, met, seconds, what):
        with self.changed:
            if not self.changed.wait_for(met, seconds):
                raise RunFailed(f"a viewer has not got {what} after {seconds} s: {self.count} events")

    def wait_for(self, events, seconds):
        self._wait(lambda: self.count >= events, seconds, f"{events} events")

    def first_ms(self):
        """From asking to the first byte, and to the first event; None where there was none."""
        event = next((at for at, count in self.arrivals if count > 0), None)
        return [(at - self.asked_at) * 1000 if at else None for at in (self.arrivals[0][0], event)]

    def span_s(self, events):
        """From its first event to its `events`th."""
        first = next(at for at, count in self.arrivals if count > 0)
        return next(at for at, count in self.arrivals if count >= events) - first

    def leave(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(CONNECT_S)
        self.socket.close()

    def ids(self):
        return EVENT_ID.findall(b"".join(self.pieces))

    def declared(self):
        return len(DECLARED.findall(b"".join(self.pieces)))

    def bytes(self):
        return sum(map(len, self.pieces))


def packed(event_id):
    ms, seq = event_id.split(b"-")
    return int(ms) << 20 | int(seq)


def faults_of(lists):
    """What is not as it should be when all of `lists` are to be the same ids in one rising order."""
    longest = max(lists, key=len)
    whole = set(longest).union(*lists)
    strange = sum(packed(a) >= packed(b) for ids in lists for a, b in zip(ids, ids[1:]))
    return {"lost": sum(len(whole) - len(set(ids)) for ids in lists),
            "duplicates": sum(len(ids) - len(set(ids)) for ids in lists), "strange": strange}


def cpu_ns(pid):
    """User and system time of all threads of a process."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # a thread that has just ended
            total += int(path.read_text().split()[0])
    return total
