"""Starts one server and one load program on a core each, and reads what the load program printed."""

import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import peers
from rows import ALONE, BESIDE, MILLSTREAM, VARIANTS, Variant

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "bench"
START_S, STOP_S = 120, 60  # with a log of millions of events in it
SEED_S = 1800
DAY_MS = 86_400_000
SEAL_S, UNSEALED_MAX = 120, 100_000
ONE_WINDOW = 500_000  # of many devices the log waits for so many events


class RunFailed(Exception):
    """One run gave no result; the text says why."""


class Programs:
    """The binaries of one build folder, and which cores they run on."""

    def __init__(self, build):
        self.load = build / "bench" / "millstream-load"
        self.millstream = build / "src" / "app" / "millstream"
        self.micro = sorted(p for p in (build / "src").glob("*/*_bench") if os.access(p, os.X_OK))
        cores = sorted(os.sched_getaffinity(0))
        self.cores, self.server_core, self.load_core = cores, cores[0], cores[-1]

    def launch(self, contender, data_directory, flags_of_row):
        if contender in [*peers.NAMES, *peers.STORES]:
            return peers.launch(contender, data_directory)
        if contender.startswith("limit_"):
            return peers.Launch([[str(self.load), "limit", "--listen=127.0.0.1:0", f"--mode={contender[6:]}"]])
        variant = VARIANTS.get(contender, Variant())
        flags = {"auth.development": "true", "server.listen": "127.0.0.1:0", "server.data_directory": data_directory,
                 "server.io_threads": 1, "log.level": "warning", **flags_of_row,
                 **variant.server}
        return peers.Launch([[str(self.millstream), "serve", *(f"--{key}={value}" for key, value in flags.items())]],
                            flags=variant.load, on_all_cores=variant.on_all_cores)

    def load_command(self, subcommand, arguments):
        flags = [f"--{key}={value}" for key, value in arguments.items()]
        return ["taskset", "-c", str(self.load_core), str(self.load), subcommand, *flags]


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Server:
    """A server process for one run, in a fresh data directory, a copy of a seeded one, or `in_place` in that one.

    `with Server(...) as server:`
    """

    def __init__(self, programs, contender, seed=None, in_place=False, flags=None, start_s=START_S, beneath=OUT):
        self.kept = in_place
        self.data_directory = seed if in_place else Path(tempfile.mkdtemp(prefix="data-", dir=beneath))
        if seed and not in_place:
            shutil.copytree(seed, self.data_directory, dirs_exist_ok=True)
            os.sync()  # or the run would pay for the copy's way to the disk
        if VARIANTS.get(contender, Variant()).cold:
            forget_cached(self.data_directory)
        self.output = OUT / f"{contender}.log"
        self.launch = programs.launch(contender, self.data_directory, flags or {})
        self.start_s = start_s
        self.core = programs.server_core
        self.cores = ",".join(map(str, programs.cores)) if self.launch.on_all_cores else str(self.core)
        self.processes = []
        self.helpers = []

    def __enter__(self):
        begin = time.monotonic()
        try:
            with open(self.output, "wb") as output:
                self.helpers = [self._start(command, output) for command in self.launch.helpers]
                self.processes = [self._start(command, output) for command in self.launch.commands]
            self.url = self._wait_for_url()
            self.ready_ms = (time.monotonic() - begin) * 1000
            if self.launch.greeting:
                peers.greet(self.url, self.launch.greeting)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, command, output):
        # Exec'd through taskset, so its pid is the server's. A group of its own: an interrupt from the terminal
        # reaches this program, which then stops the server itself.
        return subprocess.Popen(["taskset", "-c", self.cores, *command], stdin=subprocess.DEVNULL, stdout=output,
                                stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True,
                                env={**os.environ, "PATH": peers.search_path(), "NODE_ENV": "production"})

    def _wait_for_url(self):
        deadline = time.monotonic() + self.start_s
        while time.monotonic() < deadline:
            for line in self.output.read_text(errors="replace").splitlines(keepends=True):
                if line.startswith(("listening on http://", "listening on https://")) and line.endswith("\n"):
                    return line.split()[-1]
            if self.launch.url and peers.streams(self.launch.url, self.launch.flags.get("stream_path", "/api/stream")):
                return self.launch.url
            if self.has_ended():
                raise RunFailed(f"server ended: {self.last_words()}")
            time.sleep(0.005)
        raise RunFailed(f"server not ready after {self.start_s} s: {self.last_words()}")

    def has_ended(self):
        return any(process.poll() is not None for process in self.processes)

    def pids(self):
        """Of the processes that are the server: those started, and what they started."""
        found = [process.pid for process in self.processes]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
        return found

    def target(self):
        """The load program's flags that say where the server is, and which one."""
        return {"url": self.url, "server_pid": ",".join(map(str, self.pids())), "server_core": self.core}

    def last_words(self):
        return " | ".join(self.output.read_text(errors="replace").splitlines()[-3:])

    def disk_bytes(self):
        return bytes_on_disk(self.data_directory)

    def metric(self, name):
        """The value of a metric without labels, None where there is none of the name."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(found[1]) if found else None

    def wait_until_sealed(self, left_max=UNSEALED_MAX):
        """Until the log has put all but its newest events into their final form, where it says so."""
        deadline = time.monotonic() + SEAL_S
        while (waiting := self.metric("millstream_log_unsealed_events")) is not None and waiting > left_max:
            if time.monotonic() > deadline:
                raise RunFailed(f"{waiting:.0f} events not sealed after {SEAL_S} s")
            time.sleep(0.2)

    def stop(self):
        for process in reversed([*self.helpers, *self.processes]):
            end(process)

    def __exit__(self, *_):
        self.stop()
        if not self.kept:
            shutil.rmtree(self.data_directory, ignore_errors=True)


def bytes_on_disk(directory):
    return sum(p.stat().st_blocks * 512 for p in directory.rglob("*") if p.is_file())


def forget_cached(directory):
    """Has the kernel drop what it holds of the files; what a process has mapped or not yet written stays."""
    os.sync()
    for path in directory.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


class Seed:
    """What runs find stored already: ingested once. Without a row.seed it is nothing. `with Seed(programs, row) as seed:`"""

    def __init__(self, programs, row):
        self.directory = None
        self.from_ms = self.to_ms = 0  # when it was received
        self.figures = {}
        if not row.seed:
            return
        self.directory = Path(tempfile.mkdtemp(prefix="seed-", dir=OUT))
        try:
            self._fill(programs, row)
        except BaseException:
            self.__exit__()
            raise

    def _fill(self, programs, row):
        if row.seed_day:
            self._write_day(programs, row)
        else:
            self._ingest(programs, row)
        self.figures["disk_mb"] = bytes_on_disk(self.directory) / 1e6
        os.sync()

    def _write_day(self, programs, row):
        """By the log alone. Then a server makes its engines' state of it, once, which takes it a while."""
        write = programs.load_command("day", {**row.seed, "directory": self.directory})
        done = subprocess.run(write, capture_output=True, text=True, timeout=SEED_S, cwd=ROOT)
        if done.returncode != 0:
            raise RunFailed(f"seeding: {done.stderr.strip()}")
        self.figures = json.loads(done.stdout.splitlines()[-1])
        self.to_ms = int(time.time() * 1000)
        self.from_ms = self.to_ms - DAY_MS
        with Server(programs, "2_cores", self.directory, in_place=True, flags=row.server, start_s=SEED_S):
            pass

    def _ingest(self, programs, row):
        with Server(programs, "2_cores", flags=row.server) as server:
            self.from_ms = int(time.time() * 1000)
            fill = programs.load_command("ingest", {**row.seed, "seconds": SEED_S, **server.target()})
            done = subprocess.run(fill, capture_output=True, text=True, timeout=SEED_S + 90, cwd=ROOT)
            self.to_ms = int(time.time() * 1000)
            if done.returncode != 0:
                raise RunFailed(f"seeding: {done.stderr.strip()}; server: {server.last_words()}")
            self.figures = json.loads(done.stdout)
            if self.figures["accepted_in_all"] < row.seed["events_in_all"]:
                raise RunFailed(f"seeding: {done.stdout}; server: {server.last_words()}")
            server.wait_until_sealed(ONE_WINDOW)
            server.stop()
            server.data_directory.rename(self.directory)

    def resume_flags(self):
        """Of the load program. Not from the last twentieth: whoever is cut off there may have missed nothing."""
        return {"from_ms": self.from_ms, "to_ms": self.to_ms - (self.to_ms - self.from_ms) // 20}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)


def flags_of(launch, subcommand):
    """What the load program must know of this server; `ingest` opens no streams."""
    wanted = {"publish_path", "header"} if subcommand == "ingest" else set(launch.flags)
    return {key: value for key, value in launch.flags.items() if key in wanted}


def load_arguments(row, seconds):
    return {**row.load, **({"seconds": seconds} if seconds else {})}


class Backtests:
    """Has rules tried over the past, one after the other, beside a run. Without a body it is nothing."""

    def __init__(self, url, body):
        self.request = body and urllib.request.Request(f"{url}/api/rules/test", body.encode(),
                                                       {"Content-Type": "application/json"})
        self.over = threading.Event()
        self.took_s = []
        self.thread = threading.Thread(target=self._go_on)

    def _go_on(self):
        while not self.over.is_set():
            begin = time.perf_counter()
            with urllib.request.urlopen(self.request, timeout=300) as answer:
                answer.read()
            self.took_s.append(time.perf_counter() - begin)

    def figures(self):
        if not self.request:
            return {}
        if not self.took_s:
            raise RunFailed("no rule over the past came to its end")
        return {"backtests": len(self.took_s), "backtest_s": statistics.median(self.took_s)}

    def __enter__(self):
        if self.request:
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        if self.request:
            self.thread.join()


def run_once(programs, contender, row, seconds, seed):
    """One run of one row against one contender: the load program's figures as a dict."""
    with Server(programs, contender, seed.directory, row.in_place, row.server) as server:
        target = {**server.target(), **flags_of(server.launch, row.subcommand)}
        arguments = load_arguments(row, seconds)
        if "resumes" in arguments:
            target |= seed.resume_flags()
        if "path" in arguments:
            arguments["path"] = arguments["path"].format(begin=seed.from_ms, end=seed.from_ms + DAY_MS)
        if contender == ALONE:
            arguments = {key: value for key, value in arguments.items() if key not in BESIDE}
        beside = Backtests(server.url, arguments.pop("backtest", None))
        command = programs.load_command(row.subcommand, {**arguments, **target})
        try:
            with beside:
                done = subprocess.run(command, capture_output=True, text=True, timeout=(seconds or 0) + 90, cwd=ROOT)
        except subprocess.TimeoutExpired as late:
            raise RunFailed(f"load program not done after {late.timeout:.0f} s") from None
        if done.returncode != 0:
            raise RunFailed(f"{done.stderr.strip() or done.returncode}; server: {server.last_words()}")
        if server.has_ended():
            raise RunFailed(f"server ended during the run: {server.last_words()}")
        figures = {**json.loads(done.stdout), "ready_ms": server.ready_ms, **beside.figures()}
        if seed.directory:
            figures["stored_mb"] = seed.figures["disk_mb"]
        if server.launch.on_all_cores:
            figures.pop("foreign_cpu_share", None)  # what ran on one core says nothing then
        points = figures.get("accepted_in_all", 0) * row.load.get("fields", 0)
        if points:
            figures["disk_bytes_per_point"] = server.disk_bytes() / points
        if points and row.until_sealed:
            server.wait_until_sealed()
            figures["sealed_bytes_per_point"] = server.disk_bytes() / points
            server.stop()
            figures["stopped_bytes_per_point"] = server.disk_bytes() / points
        return figures


def run_micro(program, core, repetitions, timeout_s):
    """One micro-benchmark program: {benchmark name: [run, ...]} as Google Benchmark reports them."""
    command = ["taskset", "-c", str(core), str(program), "--benchmark_format=json", "--benchmark_min_time=0.1",
               f"--benchmark_repetitions={repetitions}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, cwd=ROOT)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"not done after {timeout_s:.0f} s") from None
    if done.returncode != 0:
        raise RunFailed(done.stderr.strip()[-300:])
    runs = {}
    for run in json.loads(done.stdout)["benchmarks"]:
        if run["run_type"] == "iteration" and not run.get("error_occurred"):
            runs.setdefault(run["run_name"], []).append(run)
    return command, runs


def first_line_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return (done.stdout.splitlines() or ["unknown"])[0]


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def fsync_median_us(beneath=OUT):
    """What one 4 KiB append costs on the disk that holds the data directories."""
    with tempfile.NamedTemporaryFile(dir=beneath) as file:
        times = []
        for _ in range(100):
            begin = time.perf_counter()
            os.write(file.fileno(), bytes(4096))
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begin)
    return round(statistics.median(times) * 1e6, 1)


def versions(programs):
    return {
        "millstream": first_line_of(str(programs.millstream), "version"),
        "commit": first_line_of("git", "describe", "--always", "--dirty"),
        "compiler": first_line_of("c++", "--version"),
        "kernel": platform.release(),
        "cpu": f"{os.cpu_count()} x {cpu_model()}",
        "fdatasync_us": fsync_median_us(),
    }
