"""Writes what `bench/run peers` measured: peers.json with every figure, peers.md as a table for people."""

import json

import peers

TITLES = {"millstream": "**Millstream**", "limit_send": "limit: send()", "limit_joined": "limit: joined send()",
          "no_sync": "Millstream, no fsync",
          **peers.TITLES}
SHOWN = {
    "deliveries_per_s": ("deliveries/s", 1), "events_per_s": ("events/s", 1),
    "server_us_per_event": ("CPU per event, µs", 1), "ack_p50_us": ("answer p50, µs", 1),
    "ack_p99_us": ("answer p99, µs", 1), "server_us_per_delivery": ("CPU per delivery, µs", 1),
    "receives_per_delivery": ("receives per delivery", 1), "bytes_per_delivery": ("bytes per delivery", 1),
    "last_viewer_p50_us": ("last viewer p50, ms", 1e-3), "last_viewer_p99_us": ("last viewer p99, ms", 1e-3),
    "user_bytes_per_connection": ("bytes per viewer, user space", 1),
    "kernel_slab_bytes_per_connection_both_ends": ("kernel slab per viewer, both ends", 1),
    "broadcast_reached": ("reached by a broadcast", 1),
}
INTRODUCTION = """# Millstream beside other hubs

Made by `./dev bench peers`: every contender on the same core, the load program on another, turn by turn in one run;
median of {runs} runs [lowest .. highest]. Each viewer checks every event: lost, doubled, skipped and out of order are
counted under *not as it should be*. `bench/README.md` says how it is measured and how to read it.

Not equal work: only Millstream stores every event on disk before it sends it, checks rights, keeps 24 hours to resume
from and watches rules. nchan keeps 100 messages in memory; NestJS and bare Node keep nothing; the limits are loops of
`send()` that do nothing else. The NestJS server is the usual one (`@Sse()`, one rxjs `Subject`) without the database,
the token check and Redis that a real one has.
"""


def number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def cell(line, factor):
    low, mid, high = (number(line[key] * factor) for key in ("min", "median", "max"))
    return mid if low == high else f"{mid} [{low} .. {high}]"


def faults(lines):
    found = {key: count for key, count in (lines[0]["losses"] if lines else {}).items() if count}
    return ", ".join(f"{key} {number(count)}" for key, count in found.items()) or "nothing"


def table(row, lines, gone, verdicts):
    by_contender = {c: {} for c in row.contenders}
    for line in lines:
        name, contender, metric = line["name"].split(".")
        if name == row.name:
            by_contender[contender][metric] = line
    shown = [key for key in SHOWN if any(key in found for found in by_contender.values())]
    out = ["", f"## {row.title[0].upper()}{row.title[1:]}", "",
           "| | " + " | ".join(SHOWN[key][0] for key in shown) + " | not as it should be |",
           "|---|" + "---:|" * len(shown) + "---|"]
    for contender, found in by_contender.items():
        if not found:
            out.append(f"| {TITLES[contender]} | " + " | " * len(shown) + "gave up |")
            continue
        cells = [cell(found[key], SHOWN[key][1]) if key in found else "" for key in shown]
        out.append(f"| {TITLES[contender]} | " + " | ".join(cells) + f" | {faults(list(found.values()))} |")
    out += [""] if verdicts or gone else []
    out += [f"- Asked: {verdict}" for verdict in verdicts]
    out += [f"- {TITLES[contender]} gave up: {why.split('; server:')[0]}" for contender, why in gone.items()]
    return out


def write(directory, rows, lines, gone, verdicts, facts):
    directory.mkdir(exist_ok=True)
    text = INTRODUCTION.format(runs=facts["runs"]).splitlines()
    for row in rows:
        text += table(row, lines, gone.get(row.name, {}), verdicts.get(row.name, []))
    machine = facts["versions"]
    text += ["", "## Versions and machine", "", f"- {machine['millstream']}, {machine['compiler']}",
             *[f"- {version}" for version in facts["peers"].values()],
             f"- {machine['cpu']}, Linux {machine['kernel']}, fdatasync of 4 KiB {machine['fdatasync_us']:.0f} µs",
             f"- {facts['at']}", ""]
    (directory / "peers.md").write_text("\n".join(text))
    figures = [{key: line[key] for key in ("name", "unit", "min", "median", "max", "values", "params", "losses")}
               for line in lines]
    result = {"versions": machine, "peers": facts["peers"], "at": facts["at"], "gave_up": gone, "figures": figures}
    (directory / "peers.json").write_text(json.dumps(result, indent=1) + "\n")
