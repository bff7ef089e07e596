"""The rows of the benchmark: what is run against what, which figures are kept, and what is asked of them."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import peers

SEND, JOINED, MILLSTREAM = "limit_send", "limit_joined", "millstream"
ALONE = "millstream_alone"  # Millstream without what the load has beside its viewers:
BESIDE = {"stalled_readers", "resumes", "backtest"}


@dataclass(frozen=True)
class Variant:
    """Millstream with other flags, spoken to in another way."""

    server: dict = field(default_factory=dict)
    load: dict = field(default_factory=dict)
    on_all_cores: bool = False
    cold: bool = False  # nothing of what is stored is in memory when the server starts


VARIANTS = {
    "cold": Variant(cold=True),
    "2_cores": Variant(server={"server.io_threads": 2}, on_all_cores=True),
    "http2": Variant(load={"h2_streams": 100}),
    "http2_alone": Variant(load={"h2_streams": 1}),  # a connection for every stream
    "tls": Variant(server={"tls.self_signed": "true"}),
    "http2_tls": Variant(server={"tls.self_signed": "true"}, load={"h2_streams": 100}),
    "gzip": Variant(server={"stream.gzip": "true"}, load={"gzip": 1}),
    "2_io_threads": Variant(server={"server.io_threads": 2}),
    "100000_others": Variant(load={"other_devices_each": 100}),
    "no_sync": Variant(server={"storage.sync_commits": "false"}),
}
PROTOCOLS = ["http2", "http2_alone", "tls", "http2_tls", "gzip", "2_io_threads"]


@dataclass(frozen=True)
class Metric:
    key: str  # as millstream-load prints it
    unit: str
    title: str


@dataclass(frozen=True)
class Floor:
    """The median of Millstream's runs is at least this much."""

    metric: str
    value: float
    contender: str = MILLSTREAM


@dataclass(frozen=True)
class Ceiling:
    """The median of Millstream's runs is at most this much."""

    metric: str
    value: float
    contender: str = MILLSTREAM


@dataclass(frozen=True)
class RatioAtMost:
    """The contender's figure over the limit's, run by run, is at most this much in the median.

    CPU per delivery compares only where a receive carries as many deliveries on both sides: a receiver that is held up
    makes sends look cheap.
    """

    metric: str
    limit: str
    value: float
    at_equal_receives: bool = False
    contender: str = MILLSTREAM


@dataclass(frozen=True)
class TimesAtLeast:
    """Millstream's figure is at least so many times the peer's, run by run, in the median."""

    metric: str
    peer: str
    value: float
    contender: str = MILLSTREAM


@dataclass(frozen=True)
class VariantAtMost:
    """The variant's figure over plain Millstream's, run by run, is at most this much in the median."""

    metric: str
    variant: str
    value: float


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    subcommand: str
    load: dict
    metrics: list
    contenders: list = field(default_factory=lambda: [MILLSTREAM])
    targets: list = field(default_factory=list)
    seconds: dict = field(default_factory=lambda: {"quick": 4, "full": 10})
    full_only: bool = False
    seed: dict = field(default_factory=dict)  # of `ingest`: what is stored before the runs
    seed_day: bool = False  # a day that the log alone writes, instead of ingesting
    server: dict = field(default_factory=dict)  # flags of Millstream
    in_place: bool = False  # runs share what is stored: they only read it
    until_sealed: bool = False  # what it takes on disk is asked again when the log has sealed it


ALERTS = [
    Metric("alert_p50_us", "us", "point to alert p50"),
    Metric("alert_p99_us", "us", "point to alert p99"),
    Metric("alert_max_us", "us", "point to alert, slowest"),
    Metric("alerts", "alerts", "alert events"),
    Metric("events_per_s", "events/s", "events acknowledged beside"),
    Metric("server_us_per_event", "us", "server CPU per event"),
    Metric("foreign_cpu_share", "share", "others on the server's core"),
]

INGEST = [
    Metric("points_per_s", "points/s", "points acknowledged"),
    Metric("events_per_s", "events/s", "events acknowledged"),
    Metric("ack_p50_us", "us", "acknowledgement p50"),
    Metric("ack_p99_us", "us", "acknowledgement p99"),
    Metric("ack_max_us", "us", "acknowledgement, slowest"),
    Metric("server_us_per_point", "us", "server CPU per point"),
    Metric("server_us_per_event", "us", "server CPU per event"),
    Metric("events_per_commit", "events", "events per commit"),
    Metric("commits_per_s", "commits/s", "commits"),
    Metric("commit_mean_us", "us", "mean commit"),
    Metric("disk_bytes_per_point", "bytes", "on disk per point, at the end"),
    Metric("sealed_bytes_per_point", "bytes", "the same when sealed"),
    Metric("stopped_bytes_per_point", "bytes", "the same when stopped"),
    Metric("server_rss_mb", "MB", "server's memory (RSS)"),
    Metric("server_peak_rss_mb", "MB", "the most it had"),
    Metric("server_cpu_share", "share", "server's share of a core"),
    Metric("load_us_per_event", "us", "load program's CPU per event"),
    Metric("load_cpu_share", "share", "load program's share of its core"),
    Metric("foreign_cpu_share", "share", "others on the server's core"),
]
FAN_OUT = [
    Metric("deliveries_per_s", "deliveries/s", "deliveries"),
    Metric("server_us_per_delivery", "us", "server CPU per delivery"),
    Metric("storing_us_per_delivery", "us", "of that in log and engines"),
    Metric("serving_us_per_delivery", "us", "the rest, in serving"),
    Metric("ksoftirqd_us_per_delivery", "us", "of that in ksoftirqd"),
    Metric("receives_per_delivery", "receives", "receives per delivery"),
    Metric("bytes_per_delivery", "bytes", "wire bytes per delivery"),
    Metric("last_viewer_p50_us", "us", "publish to last viewer p50"),
    Metric("last_viewer_p99_us", "us", "publish to last viewer p99"),
    Metric("each_viewer_p50_us", "us", "publish to each viewer p50"),
    Metric("each_viewer_p99_us", "us", "publish to each viewer p99"),
    Metric("resumed", "viewers", "came back beside them"),
    Metric("first_byte_p99_us", "us", "their first byte p99"),
    Metric("first_event_p50_us", "us", "their first event p50"),
    Metric("first_event_p99_us", "us", "their first event p99"),
    Metric("server_cpu_share", "share", "server's share of its core"),
    Metric("load_cpu_share", "share", "load program's share of its core"),
    Metric("foreign_cpu_share", "share", "others on the server's core"),
]
BACKTESTS = [
    Metric("backtests", "rules", "rules over the past beside them"),
    Metric("backtest_s", "s", "one of them"),
]
RESUME = [
    Metric("first_byte_p50_us", "us", "request to first byte p50"),
    Metric("first_byte_p99_us", "us", "request to first byte p99"),
    Metric("first_event_p50_us", "us", "request to first event p50"),
    Metric("first_event_p99_us", "us", "request to first event p99"),
    Metric("server_us_per_resume", "us", "server CPU per resume"),
    Metric("foreign_cpu_share", "share", "others on the server's core"),
]
READ = [
    Metric("p50_us", "us", "request to whole answer p50"),
    Metric("p99_us", "us", "request to whole answer p99"),
    Metric("max_us", "us", "request to whole answer, slowest"),
    Metric("first_us", "us", "the first after the start"),
    Metric("ready_ms", "ms", "start to ready"),
    Metric("server_us_per_request", "us", "server CPU per request"),
    Metric("answer_bytes", "bytes", "size of the answer"),
    Metric("stored_mb", "MB", "stored"),
]
IDLE = [
    Metric("user_bytes_per_connection", "bytes", "user space (RSS) per connection"),
    Metric("user_pss_bytes_per_connection", "bytes", "user space (PSS) per connection"),
    Metric("user_bytes_per_connection_after_broadcast", "bytes", "the same after a broadcast"),
    Metric("kernel_slab_bytes_per_connection_both_ends", "bytes", "kernel slab per connection, both ends"),
    Metric("kernel_tcp_bytes_per_connection_both_ends", "bytes", "socket buffers per connection, both ends"),
    Metric("connects_per_s", "1/s", "connections opened"),
    Metric("idle_cpu_share", "share", "server CPU while idle"),
    Metric("broadcast_reached", "viewers", "reached by the broadcast"),
    Metric("broadcast_last_viewer_us", "us", "broadcast to last viewer"),
]


def ingest(name, title, connections, events, fields, line=False, targets=()):
    load = {"connections": connections, "events": events, "fields": fields, "format": "line" if line else "json"}
    return Row(name, title, "ingest", load, INGEST, targets=list(targets))


def fleet(connections, lines, fields, devices, **more):
    """Of `ingest`: line protocol of the demo's plant."""
    return {"data": "fleet", "connections": connections, "events": lines, "fields": fields, "devices": devices, **more}


def points(connections, lines, fields, contenders=(MILLSTREAM,), targets=()):
    """As fast as they are acknowledged, by connections of 100 devices each."""
    return Row(f"points_{connections}x{lines}x{fields}",
               f"durable points: {connections} connections x {lines} lines x {fields} fields, line protocol", "ingest",
               fleet(connections, lines, fields, devices=100 * connections), INGEST, list(contenders), list(targets))


def beside_influxdb(connections, lines, fields):
    return points(connections, lines, fields, [MILLSTREAM, "2_cores", *peers.STORES],
                  [Floor("points_per_s", 500_000, contender="2_cores"),
                   TimesAtLeast("points_per_s", peers.INFLUXDB, 3),
                   TimesAtLeast("points_per_s", peers.INFLUXDB_2_CORES, 3, contender="2_cores")])


def closed_loop(viewers, targets=(), full_only=True):
    return Row(
        f"fanout_closed_{viewers}", f"fan-out: {viewers} viewers, closed loop, 4 events in flight", "viewers",
        {"viewers": viewers, "in_flight": 4}, FAN_OUT, [SEND, JOINED, MILLSTREAM],
        [RatioAtMost("server_us_per_delivery", JOINED, 1.25, at_equal_receives=True), *targets], full_only=full_only)


def fixed_rate(viewers, rate, full_only=True):
    return Row(
        f"fanout_fixed_{viewers}", f"fan-out: {viewers} viewers, {rate} events/s", "viewers",
        {"viewers": viewers, "rate": rate}, FAN_OUT, [SEND, MILLSTREAM],
        [RatioAtMost("server_us_per_delivery", SEND, 1.10, at_equal_receives=True),
         RatioAtMost("last_viewer_p50_us", SEND, 1.1), RatioAtMost("last_viewer_p99_us", SEND, 1.5)],
        seconds={"quick": 5, "full": 12}, full_only=full_only)


def selective(rate):
    """Every event is for one of 1000 viewers; 1000 others watch 1000 silent devices, in the variant 100 000."""
    return Row(
        f"selective_{rate}", f"selective: 1000 viewers of 10 devices each, {rate} events/s, each for one viewer",
        "viewers",
        {"viewers": 1000, "audiences": 1000, "devices_each": 10, "others": 1000, "rate": rate, "publishers": 64},
        FAN_OUT, [SEND, MILLSTREAM, "100000_others"],
        [Floor("events_per_s", 0.99 * rate), RatioAtMost("server_us_per_delivery", SEND, 1.25),
         RatioAtMost("serving_us_per_delivery", SEND, 1.25),
         VariantAtMost("server_us_per_delivery", "100000_others", 1.1)],
        seconds={"quick": 5, "full": 12}, full_only=True)


# 10 million events of 80 000 devices, 125 each.
TEN_MILLION = {"connections": 16, "events": 5000, "fields": 1, "format": "line", "events_in_all": 10_000_000}
RESUMES = {"gateways": 16, "gateway_devices": 5000}

ROWS = [
    ingest("ingest_json", "durable ingest: JSON, 16 connections x 100 events x 10 fields", 16, 100, 10,
           targets=[Floor("points_per_s", 200_000)]),
    ingest("ingest_line", "durable ingest: line protocol, 16 connections x 100 events x 10 fields", 16, 100, 10,
           line=True, targets=[Floor("points_per_s", 200_000)]),
    ingest("ingest_single", "durable ingest: one point a request, 64 connections", 64, 1, 1,
           targets=[Floor("events_per_commit", 2)]),
    fixed_rate(1000, 10, full_only=False),
    fixed_rate(100, 10),
    fixed_rate(10_000, 1),
    closed_loop(1000, targets=[Floor("deliveries_per_s", 150_000)], full_only=False),
    closed_loop(1),
    closed_loop(100),
    closed_loop(10_000),
    closed_loop(19_640),
    selective(1000),
    selective(10_000),
    Row("beside_stalled_1000", "fan-out: 1000 viewers, 100 events/s, beside 1000 readers that stall", "viewers",
        {"viewers": 1000, "rate": 100, "stalled_readers": 1000, "warmup_ms": 6000}, FAN_OUT, [ALONE, MILLSTREAM],
        [RatioAtMost("each_viewer_p99_us", ALONE, 1.2), RatioAtMost("last_viewer_p99_us", ALONE, 1.2)],
        seconds={"quick": 8, "full": 12}, full_only=True),
    Row("resume_10m", "resume: at a random point of a log of 10 million events, one after the other", "resume",
        {"resumes": 2000, **RESUMES}, RESUME, targets=[Ceiling("first_byte_p99_us", 5000)], seconds={}, full_only=True,
        seed=TEN_MILLION),
    Row("beside_resumes_10000", "fan-out: 1000 viewers, 100 events/s, beside 10000 resumes in a log of 10 million",
        "viewers",
        {"viewers": 1000, "rate": 100, "resumes": 10_000, **RESUMES}, FAN_OUT, [ALONE, MILLSTREAM],
        [RatioAtMost("each_viewer_p99_us", ALONE, 1.2), RatioAtMost("last_viewer_p99_us", ALONE, 1.2),
         Floor("resumed", 10_000)], seconds={"quick": 12, "full": 12}, full_only=True, seed=TEN_MILLION),
    Row("protocols_1000", "fan-out: 1000 viewers, closed loop, 4 events in flight, by protocol", "viewers",
        {"viewers": 1000, "in_flight": 4}, FAN_OUT, [MILLSTREAM, *PROTOCOLS],
        [VariantAtMost("server_us_per_delivery", "http2", 1.3),
         VariantAtMost("server_us_per_delivery", "http2_alone", 1.3),
         VariantAtMost("server_us_per_delivery", "tls", 2),
         VariantAtMost("server_us_per_delivery", "gzip", 1.3), VariantAtMost("bytes_per_delivery", "gzip", 0.3),
         VariantAtMost("server_us_per_delivery", "2_io_threads", 1.1)], full_only=True),
    Row("idle_10000", "idle: 10000 connections held, then one broadcast", "idle",
        {"viewers": 10_000, "hold_seconds": 3}, IDLE, [SEND, MILLSTREAM],
        [Ceiling("user_bytes_per_connection", 338), Floor("broadcast_reached", 10_000)], seconds={}),
    Row("idle_19640", "idle: 19640 connections held, then one broadcast", "idle",
        {"viewers": 19_640, "hold_seconds": 3}, IDLE, [MILLSTREAM],
        [Ceiling("user_bytes_per_connection", 338), Floor("broadcast_reached", 19_640)], seconds={}, full_only=True),
    Row("idle_http2_100000", "idle: 100000 streams of 100 HTTP/2 connections held, then one broadcast", "idle",
        {"viewers": 100_000, "hold_seconds": 3, "h2_streams": 1000}, IDLE, [MILLSTREAM],
        [Ceiling("user_bytes_per_connection", 1024), Floor("broadcast_reached", 100_000)], seconds={}, full_only=True),
    Row("idle_tls_2000", "idle: 2000 connections under TLS held, then one broadcast", "idle",
        {"viewers": 2000, "hold_seconds": 3}, IDLE, [MILLSTREAM, "tls"], [], seconds={}, full_only=True),
]

# A day of 1000 devices of the demo's plant, a line every 5 s, 10 fields: 17 million lines.
DAY = {"devices": 1000, "fields": 10}
TEN_THOUSAND_DEVICES = fleet(10, 100, 10, devices=10_000, events_in_all=100_000)


def with_day_of(row, devices):
    """The row with a day of so many devices in it."""
    if not row.seed_day:
        return row
    return replace(row, seed={**row.seed, "devices": devices},
                   title=row.title.replace("1000 devices", f"{devices} devices"))


# Devices that seem silent because the load program was held up would all be told about.
STORED = {"storage.retention": "7d", "presence.stale_after": "12h", "presence.offline_after": "24h"}


def read(name, title, path, seed, targets, requests=50, **more):
    return Row(name, title, "get", {"path": path, "requests": requests, **more}, READ, [MILLSTREAM, "cold"], targets,
               seconds={}, seed=seed, seed_day=seed is DAY, server=STORED, in_place=True)


def rule_over_the_day(when, **more):
    rule = {"id": "bench", "scope": {"topic": "account:demo"}, "when": {"all": [when]}, **more}
    return json.dumps({"rule": rule})


def backtest(name, title, body):
    return read(name, f"rule over the past: {title}, over 24 hours of 1000 devices", "/api/rules/test", DAY,
                [Ceiling("first_us", 10_000_000), Ceiling("first_us", 10_000_000, contender="cold")], requests=2, post=body)


# Fires on the boilers that the plant makes too hot, and resolves.
HOT = rule_over_the_day({"field": "temperature"}, levels=[{"severity": "warning", "op": ">", "value": 85, "clear": 80}],
                        **{"for": "10s"})
# Bounds say nothing of a rate: every event of every device is read.
RISING = rule_over_the_day({"field": "temperature", "fn": "rate", "window": "5m"},
                           levels=[{"severity": "warning", "op": ">", "value": 1000}])


POINT_ROWS = [
    beside_influxdb(16, 1000, 1),
    beside_influxdb(16, 100, 10),
    *(points(connections, lines, 10) for connections in (1, 16, 64) for lines in (1, 10, 100, 1000)
      if (connections, lines) != (16, 100)),
    Row("points_rate", "durable points: 2000 lines x 10 fields a second, by 200 gateways with 10 lines a request each, "
        "10000 devices", "ingest", fleet(200, 10, 10, devices=10_000, rate=2000, warmup_ms=6000), INGEST,
        [MILLSTREAM, "2_cores"],
        [Floor("events_per_s", 1980), Ceiling("ack_p50_us", 5000), Ceiling("ack_p99_us", 20_000),
         Ceiling("ack_max_us", 60_000), Ceiling("server_peak_rss_mb", 300)],
        seconds={"quick": 60, "full": 300}),
    Row("alerts_rate", "from a point to its alert on a viewer's socket, beside 2000 lines x 10 fields a second of 10000 "
        "devices that meet nine rules each", "ingest",
        fleet(200, 10, 10, devices=10_000, rate=2000, warmup_ms=6000, alert_probe_ms=20), ALERTS,
        [MILLSTREAM, "2_cores"], [Floor("events_per_s", 1980), Ceiling("alert_p99_us", 50_000)],
        seconds={"quick": 30, "full": 120},
        server={"alerts.rules_file": str(Path(__file__).resolve().parent / "alert_rules.yaml")}),
    Row("points_stored", "durable points: a day of 60 devices of the demo's plant, every 5 s, on disk", "ingest",
        {"data": "history", "connections": 6, "events": 10, "devices": 60, "fields": 10, "warmup_ms": 0}, INGEST,
        targets=[Ceiling("stopped_bytes_per_point", 2)], seconds={"quick": 300, "full": 300}, until_sealed=True),
    read("series_day", "read: 24 hours x 10 fields of one device as 600 buckets, in a day of 1000 devices",
         "/api/series?deviceId=boiler-01&start={begin}&end={end}&points=600", DAY,
         [Ceiling("p50_us", 20_000), Ceiling("first_us", 100_000, contender="cold")]),
    read("backfill_page", "read: a page of 500 events of one device, the newest first, in a day of 1000 devices",
         "/api/events/backfill?deviceId=boiler-01&limit=500&order=desc", DAY, []),
    backtest("backtest_day", "a threshold", HOT),
    backtest("backtest_day_whole", "a rate, of which bounds say nothing", RISING),
    Row("beside_backtest", "fan-out: 100 viewers, 100 events/s, beside rules over 24 hours of 1000 devices", "viewers",
        {"viewers": 100, "rate": 100, "backtest": HOT, "warmup_ms": 3000}, [*FAN_OUT, *BACKTESTS], [ALONE, MILLSTREAM],
        [RatioAtMost("each_viewer_p99_us", ALONE, 1.2), RatioAtMost("last_viewer_p99_us", ALONE, 1.2)],
        seconds={"quick": 20, "full": 30}, seed=DAY, seed_day=True, server=STORED),
    read("latest_10000", "read: the latest of 10000 devices", "/api/latest", TEN_THOUSAND_DEVICES,
         [Ceiling("p50_us", 50_000)]),
    read("ready_10m", "start: with 10 million events stored", "/ready", TEN_MILLION,
         [Ceiling("ready_ms", 2000), Ceiling("ready_ms", 2000, contender="cold")], requests=2),
]


def beside_peers(row, targets=()):
    """The same row with every peer beside, and only what compares between programs so different asked of it."""
    limits = [contender for contender in row.contenders if contender != MILLSTREAM]
    contenders = [MILLSTREAM, *peers.NAMES, *limits]
    return Row(f"peers_{row.name}", row.title, row.subcommand, row.load, row.metrics, contenders, list(targets),
               seconds=row.seconds)


FASTER = [TimesAtLeast("deliveries_per_s", peers.NESTJS, 10), TimesAtLeast("deliveries_per_s", peers.NCHAN, 2.5)]
ROW = {row.name: row for row in ROWS}
PEER_ROWS = [
    beside_peers(ROW["fanout_fixed_1000"]),
    beside_peers(ROW["fanout_closed_100"], FASTER),
    beside_peers(ROW["fanout_closed_1000"], FASTER),
    beside_peers(ROW["fanout_closed_10000"], FASTER),
    beside_peers(ROW["idle_10000"]),
    Row("peers_publish_16", "publish: an event a request, 16 keep-alive connections, no viewer", "ingest",
        {"connections": 16, "events": 1, "fields": 3}, INGEST, [MILLSTREAM, "no_sync", peers.NCHAN, SEND],
        [RatioAtMost("server_us_per_event", SEND, 2, contender="no_sync"),
         RatioAtMost("server_us_per_event", peers.NCHAN, 1, contender="no_sync")]),
]
