"""Looks beyond the rows: what a delivery allocates, where the time goes, and how many viewers the machine holds."""

import contextlib
import json
import os
import re
import struct
import subprocess
import time

from harness import OUT, ROOT, RunFailed, Server

FEW, MANY, RATE = 100, 1000, 100
VIEWERS_EACH = 19_600  # what the usual limit of open files allows one process
HOLD_S = 30  # so long all of them are there together
WARM_S, MEASURED_S = 3, 5
WIDTH = 140  # names of templates go on and on


def start_viewers(programs, server, viewers, pace):
    """The load program, running. `pace`: {"in_flight": events} or {"rate": events a second}."""
    command = programs.load_command("viewers", {
        "viewers": viewers, **pace, "seconds": WARM_S + MEASURED_S + 1, **server.target()})
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)


def answer(load, timeout=60):
    """What the load program printed, once it has ended."""
    try:
        output, errors = load.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        load.kill()
        raise RunFailed("load program not done") from None
    if load.returncode != 0:
        raise RunFailed(errors.decode(errors="replace")[-300:])
    return json.loads(output)


def allocations(programs):
    """Calls to the allocator, of all threads of the server. Receiving, storing and framing an event allocate, however
    many follow it; what one more viewer adds is what a delivery allocates."""
    few, many = (allocations_per_event(programs, viewers) for viewers in (FEW, MANY))
    return {f"allocations_per_event_with_{FEW}_viewers": few, f"allocations_per_event_with_{MANY}_viewers": many,
            "allocations_per_delivery": (many - few) / (MANY - FEW)}


def allocations_per_event(programs, viewers):
    path = OUT / "allocations"
    path.unlink(missing_ok=True)
    os.environ |= {"ALLOCATION_COUNTS": str(path), "LD_PRELOAD": str(programs.load.parent / "libcount_allocations.so")}
    try:
        server = Server(programs, "millstream").__enter__()
    finally:
        del os.environ["LD_PRELOAD"]
    try:
        load = start_viewers(programs, server, viewers, {"rate": RATE})
        time.sleep(WARM_S)
        before = sample(server, path)
        time.sleep(MEASURED_S)
        after = sample(server, path)
        answer(load)
    finally:
        server.__exit__()
    calls, deliveries = (b - a for a, b in zip(before, after))
    return calls * viewers / deliveries


def sample(server, path):
    deliveries = server.metric("millstream_stream_events_sent_total")
    return struct.unpack("Q", path.read_bytes()[:8])[0], deliveries


def held(programs, instances):
    """Viewers of plain HTTP/1.1 held by several instances at once, each with its own log, each then reached by one
    broadcast. Every instance has a load program of its own."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Server(programs, "millstream")) for _ in range(instances)]
        # Together they open about 4000 a second; the first must still be there when the last has come.
        hold_s = HOLD_S + instances * VIEWERS_EACH // 4000
        loads = [subprocess.Popen(programs.load_command("idle", {"viewers": VIEWERS_EACH, "hold_seconds": hold_s,
                                                                 **server.target()}),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) for server in servers]
        try:
            figures = [answer(load, hold_s * 4) for load in loads]
        finally:
            for load in loads:
                load.kill()
    def total(key):
        return sum(one[key] for one in figures)
    return {"viewers": total("connections"), "reached": total("broadcast_reached"),
            "lost": total("lost") + total("closed"), "sockets_at_once": max(one["kernel_sockets"] for one in figures),
            "user_bytes_per_viewer": total("user_bytes_per_connection") / instances,
            "broadcast_slowest_ms": max(one["broadcast_last_viewer_us"] for one in figures) / 1000}


def profile(programs, top=15):
    """Where the server's CPU goes, by symbol, with viewers in a closed loop: lines for people."""
    return profile_of(programs, lambda server: start_viewers(programs, server, MANY, {"in_flight": 4}), top)


def profile_ingest(programs, row, top=25):
    """The same while a row's points come in."""
    def start(server):
        command = programs.load_command(row.subcommand, {
            **row.load, "seconds": WARM_S + MEASURED_S, **server.target()})
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    return profile_of(programs, start, top)


def profile_of(programs, start_load, top):
    data = OUT / "perf.data"
    with Server(programs, "millstream") as server:
        load = start_load(server)
        time.sleep(WARM_S)
        record = ["perf", "record", "-F", "997", "-g", "-o", str(data), "-p", str(server.pids()[0]), "--", "sleep",
                  str(MEASURED_S)]
        done = subprocess.run(record, capture_output=True, text=True, cwd=ROOT)
        answer(load)
    if done.returncode != 0:
        raise RunFailed(done.stderr.strip()[-300:])
    return [*report_lines(data, "comm"), "", *report_lines(data, "comm,dso")[:8], "",
            *report_lines(data, "comm,symbol")[:top]]


def report_lines(data, sort):
    report = ["perf", "report", "-i", str(data), "--no-children", "-g", "none", "--stdio", "--sort", sort]
    lines = subprocess.run(report, capture_output=True, text=True, cwd=ROOT).stdout.splitlines()
    return [re.sub(r"[\s-]+$", "", line)[:WIDTH] for line in lines if line and not line.startswith("#")]
