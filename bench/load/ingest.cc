// The subcommand ingest: batches over keep-alive connections, as fast as they are acknowledged or at a fixed rate.
#include <algorithm>
#include <charconv>
#include <functional>
#include <thread>

#include "base/limits.h"
#include "load/alert_probe.h"
#include "load/event_ids.h"
#include "load/fleet_batch.h"
#include "load/ingest_load.h"
#include "load/json_line.h"
#include "load/subcommands.h"
#include "load/telemetry_batch.h"

namespace millstream::load {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr double kMegabyte = 1e6;

// What the bodies are made of.
struct Content {
  BodyFormat format = BodyFormat::json;
  std::string data;  // walk, fleet or history
  size_t connections = 1;
  size_t events = 1;  // a batch
  size_t fields = 1;
  int64_t devices = 0;  // fleet and history
  int64_t from_ms = 0;  // history: UTC
  int64_t history_s = 0;
};

Content read_content(Options& options) {
  Content content;
  content.connections = static_cast<size_t>(options.number("connections", 16));
  content.events = static_cast<size_t>(options.number("events", 100));
  content.fields = static_cast<size_t>(options.number("fields", 10));
  content.data = options.text("data", "walk");
  const std::string format = options.text("format", content.data == "walk" ? "json" : "line");
  content.format = format == "line" ? BodyFormat::line : BodyFormat::json;
  content.devices = options.number("devices", static_cast<int64_t>(content.connections * content.events));
  content.history_s = options.number("history_s", kDayMs / 1000 - 60);
  content.from_ms = options.number("from_ms", utc_ms() - content.history_s * 1000);
  return content;
}

Status check(const Content& content) {
  if (content.data == "walk") return {};
  if (content.data != "fleet" && content.data != "history") {
    return Error{Code::invalid, "--data: walk, fleet or history"};
  }
  if (content.format != BodyFormat::line) return Error{Code::invalid, "--data: a fleet speaks --format=line"};
  const int64_t connections = static_cast<int64_t>(content.connections);
  const int64_t events = static_cast<int64_t>(content.events);
  const int64_t each = content.devices / std::max<int64_t>(connections, 1);
  if (each == 0 || each * connections != content.devices || (each % events != 0 && events % each != 0)) {
    return Error{Code::invalid, "--devices: as many for each connection, and batches that fit their rounds"};
  }
  return {};
}

// Precondition: checked.
std::function<std::unique_ptr<BatchSource>(size_t)> sources_of(const Content& content) {
  if (content.data == "walk") {
    return [content](size_t i) -> std::unique_ptr<BatchSource> {
      return std::make_unique<TelemetryBatches>(content.format, i, content.events, content.fields);
    };
  }
  const bool history = content.data == "history";
  const int64_t from_ms = history ? content.from_ms : utc_ms();
  const int64_t to_ms = from_ms + content.history_s * 1000;
  app::FleetOptions fleet_options;
  fleet_options.devices = static_cast<int>(content.devices);
  fleet_options.fields = static_cast<int>(content.fields);
  fleet_options.start_ms = from_ms;
  const auto fleet = std::make_shared<const app::SimulatedFleet>(fleet_options);
  const int each = static_cast<int>(content.devices) / static_cast<int>(content.connections);
  return [=](size_t i) -> std::unique_ptr<BatchSource> {
    const FleetShare share{fleet, static_cast<int>(i) * each, each};
    if (history) return std::make_unique<FleetHistory>(share, content.events, from_ms, to_ms);
    return std::make_unique<FleetBatches>(share, content.events, from_ms);
  };
}

// The value of a sample without labels in Prometheus text; 0 when it is not there.
double sample(std::string_view text, std::string_view name) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ' ') {
      double value = 0;
      std::from_chars(line.data() + name.size() + 1, line.data() + line.size(), value);
      return value;
    }
    at = end + 1;
  }
  return 0;
}

struct Commits {
  double count = 0;
  double seconds = 0;
};

Commits read_commits(const TargetOptions& target) {
  const Result<std::string> text = get_now(target.server, "/metrics", target.extra_headers);
  if (!text) return {};
  return {sample(*text, "millstream_log_commit_seconds_count"), sample(*text, "millstream_log_commit_seconds_sum")};
}

// Alerts measured beside the load, when they are asked for.
class ProbeBeside {
 public:
  ProbeBeside(const TargetOptions& target, int64_t interval_ms) : probe_(target, interval_ms) {}
  ~ProbeBeside() { end(); }
  Status begin() {
    if (const Status open = probe_.open(); !open) return open;
    thread_ = std::thread([this] { probe_.run(); });
    return {};
  }
  void restart_clock() { probe_.restart_clock(); }
  void end() {
    probe_.finish();
    if (thread_.joinable()) thread_.join();
  }
  // After end().
  void add_to(JsonLine& line) const {
    const AlertProbe::Counts& counts = probe_.counts();
    const Latencies& latencies = probe_.latencies();
    line.add("alert_p50_us", latencies.percentile_us(0.5)).add("alert_p99_us", latencies.percentile_us(0.99));
    line.add("alert_max_us", latencies.max_us()).add("alerts", counts.seen);
    line.add("lost", counts.sent - counts.seen).add("probes_refused", counts.refused);
  }

 private:
  AlertProbe probe_;
  std::thread thread_;
};

double per(double amount, double count) { return count > 0 ? amount / count : 0.0; }

}  // namespace

Status run_ingest(Options& options) {
  const Content content = read_content(options);
  IngestLoad::Shape shape;
  shape.connections = content.connections;
  shape.events = content.events;
  shape.path = options.text("publish_path", content.format == BodyFormat::json
                                                ? "/api/ingest"
                                                : "/api/v2/write?bucket=bench&org=bench&precision=ms");
  shape.events_in_all = options.number("events_in_all", 0);
  shape.events_per_second = options.number("rate", 0);
  const int64_t seconds = options.number("seconds", 5);
  const int64_t warmup_ms = options.number("warmup_ms", 1000);
  const int64_t probe_ms = options.number("alert_probe_ms", 0);  // 0: no alerts are looked for
  const Result<TargetOptions> target = TargetOptions::read(options);
  if (!target) return target.error();
  if (const Status status = check(content); !status) return status;

  IngestLoad load(*target, std::move(shape));
  if (const Status status = load.open(sources_of(content)); !status) return status;
  std::optional<ProbeBeside> probe;
  if (probe_ms > 0) {
    if (const Status begun = probe.emplace(*target, probe_ms).begin(); !begun) return begun;
  }
  bool answered = load.run(warmup_ms * 1'000'000);
  load.restart_clock();
  if (probe) probe->restart_clock();
  const Commits commits_before = read_commits(*target);
  const IngestLoad::Counts before = load.counts();
  const CpuReading cpu_before = target->cost.cpu();
  if (answered) answered = load.run(seconds * kSecondNs);
  const CpuReading cpu = target->cost.cpu().since(cpu_before);
  const MemoryReading memory = target->cost.memory();
  if (probe) probe->end();
  const IngestLoad::Counts& after = load.counts();
  const Commits commits_after = read_commits(*target);

  const double fields = static_cast<double>(content.fields);
  const double elapsed_s = static_cast<double>(cpu.at_ns) / kSecondNs;
  const double events = static_cast<double>(after.accepted - before.accepted);
  const double commits = commits_after.count - commits_before.count;
  const double server_ns = static_cast<double>(cpu.server_ns + cpu.ksoftirqd_ns);
  JsonLine line;
  line.add("seconds", elapsed_s).add("requests", after.requests - before.requests);
  line.add("points_per_s", per(events * fields, elapsed_s)).add("events_per_s", per(events, elapsed_s));
  line.add("body_mb_per_s", per(static_cast<double>(after.body_bytes - before.body_bytes) / kMegabyte, elapsed_s));
  line.add("ack_p50_us", load.acks().percentile_us(0.5)).add("ack_p99_us", load.acks().percentile_us(0.99));
  line.add("ack_max_us", load.acks().max_us());
  line.add("server_us_per_event", per(server_ns / 1000, events));
  line.add("server_us_per_point", per(server_ns / 1000, events * fields));
  if (commits > 0) {
    line.add("commits_per_s", commits / elapsed_s).add("events_per_commit", events / commits);
    line.add("commit_mean_us", (commits_after.seconds - commits_before.seconds) * 1e6 / commits);
  }
  line.add("load_us_per_event", per(static_cast<double>(cpu.own_ns) / 1000, events));
  line.add("server_rss_mb", static_cast<double>(memory.resident_bytes) / kMegabyte);
  line.add("server_peak_rss_mb", static_cast<double>(memory.peak_resident_bytes) / kMegabyte);
  line.add("server_cpu_share", per(server_ns, static_cast<double>(cpu.at_ns)));
  line.add("foreign_cpu_share", per(static_cast<double>(cpu.core_busy_ns) - server_ns, static_cast<double>(cpu.at_ns)));
  line.add("load_cpu_share", per(static_cast<double>(cpu.own_ns), static_cast<double>(cpu.at_ns)));
  line.add("accepted_in_all", after.accepted);
  line.add("rejected", after.rejected).add("closed", load.closed()).add("stalled", int64_t{!answered});
  if (probe) probe->add_to(line);
  line.add("first_complaint", load.first_complaint());
  line.print();
  return {};
}

}  // namespace millstream::load
