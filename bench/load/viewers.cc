// The subcommands viewers (broadcasts under load) and idle (memory of connections that wait).
#include "load/fan_out.h"
#include "load/json_line.h"
#include "load/resume_options.h"
#include "load/subcommands.h"
#include "load/target_options.h"

namespace millstream::load {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kLateDuplicateNs = 200'000'000;  // read on for a moment: what comes now came too often
constexpr int64_t kAudienceNumberMax = 10'000'000;
constexpr uint32_t kDevicesEachMax = 150;  // more would not fit into a request line
constexpr size_t kViewersBeforeIdle = 64;  // opened before the first memory reading: pays for what is made once

// Everything counted since some moment.
struct Mark {
  Broadcasts::Counts broadcasts;
  ViewerFleet::Counts fleet;
  CpuReading cpu;
};

Mark mark_now(FanOut& fan_out, const ServerCost& cost) {
  return {fan_out.broadcasts().counts(), fan_out.fleet().counts(), cost.cpu()};
}

// The flags of a stream and of what is published to it; `target` must be read after it.
struct StreamOptions {
  std::string stream_path;
  std::string publish_url;
  std::string publish_path;
  std::string body_form;
  int64_t opening;
  int64_t gzip;
  int64_t h2_streams;
};

StreamOptions read_stream_options(Options& options) {
  return {options.text("stream_path", "/api/stream?types=telemetry&topics="),
          options.text("publish_url", ""),
          options.text("publish_path", "/api/ingest"),
          options.text("body", "ingest"),
          options.number("opening", 256),
          options.number("gzip", 0),
          options.number("h2_streams", 0)};
}

Result<FanOutTarget> fan_out_target(const StreamOptions& stream, const TargetOptions& target,
                                    const Audiences& audiences) {
  const std::optional<BodyForm> form = parse_body_form(stream.body_form);
  if (!form) return Error{Code::invalid, "--body: ingest, event or grip"};
  Result<Endpoint> publisher = stream.publish_url.empty() ? target.server : parse_url(stream.publish_url);
  if (!publisher) return publisher.error();
  // 256 stays below the listen backlog of a server.
  if (stream.opening < 1 || stream.opening > 256) return Error{Code::invalid, "--opening: 1 to 256"};
  if (stream.h2_streams < 0 || stream.h2_streams > 10'000) return Error{Code::invalid, "--h2_streams: 0 to 10000"};
  return FanOutTarget{.stream = {.to = target.server,
                                 .path = stream.stream_path,
                                 .audiences = audiences,
                                 .extra_headers = target.extra_headers,
                                 .gzip = stream.gzip != 0,
                                 .h2_streams = static_cast<uint32_t>(stream.h2_streams),
                                 .opening_max = static_cast<size_t>(stream.opening)},
                      .publisher = std::move(*publisher),
                      .publish_path = stream.publish_path,
                      .body_form = *form};
}

Audiences read_audiences(Options& options) {
  const auto number = [&](std::string_view key, int64_t fallback) {
    return static_cast<uint32_t>(std::min<int64_t>(options.number(key, fallback), kAudienceNumberMax));
  };
  return {.count = number("audiences", 1),
          .devices_each = number("devices_each", 1),
          .viewers = number("viewers", 1000),
          .other_devices_each = number("other_devices_each", 1)};
}

Status check(const Audiences& audiences) {
  if (audiences.count < 1 || audiences.count > std::max(audiences.viewers, 1U)) {
    return Error{Code::invalid, "--audiences: 1 to as many as there are viewers"};
  }
  if (audiences.devices_each < 1 || audiences.devices_each > kDevicesEachMax || audiences.other_devices_each < 1 ||
      audiences.other_devices_each > kDevicesEachMax) {
    return Error{Code::invalid, "--devices_each, --other_devices_each: 1 to " + std::to_string(kDevicesEachMax)};
  }
  return {};
}

double per(int64_t amount, int64_t count) {
  return count > 0 ? static_cast<double>(amount) / static_cast<double>(count) : 0.0;
}

void add_faults(FanOut& fan_out, JsonLine& line) {
  const Broadcasts::Counts& counts = fan_out.broadcasts().counts();
  const ViewerFleet::Counts& fleet = fan_out.fleet().counts();
  line.add("lost", counts.missing()).add("duplicates", counts.duplicates).add("skipped", counts.skipped);
  line.add("strange", counts.strange).add("declared_gaps", fleet.declared_gaps).add("closed", fleet.closed);
  line.add("refused", counts.refused).add("stalled", int64_t{fan_out.stalled()});
}

void add_cost(const CpuReading& cpu, int64_t deliveries, JsonLine& line) {
  line.add("server_us_per_delivery", per(cpu.server_ns + cpu.ksoftirqd_ns, deliveries) / 1000);
  line.add("storing_us_per_delivery", per(cpu.storing_ns, deliveries) / 1000);
  line.add("serving_us_per_delivery", per(cpu.server_ns + cpu.ksoftirqd_ns - cpu.storing_ns, deliveries) / 1000);
  line.add("ksoftirqd_us_per_delivery", per(cpu.ksoftirqd_ns, deliveries) / 1000);
  line.add("server_cpu_share", per(cpu.server_ns + cpu.ksoftirqd_ns, cpu.at_ns));
  line.add("foreign_cpu_share", per(cpu.core_busy_ns - cpu.server_ns - cpu.ksoftirqd_ns, cpu.at_ns));
  line.add("load_cpu_share", per(cpu.own_ns, cpu.at_ns));
}

}  // namespace

Status run_viewers(Options& options) {
  const Audiences audiences = read_audiences(options);
  const int64_t others = options.number("others", 0);
  const Pace pace{options.number("in_flight", 0), options.number("rate", 0)};
  const int64_t seconds = options.number("seconds", 5);
  const int64_t warmup_ms = options.number("warmup_ms", 1000);
  const int64_t publishers = options.number("publishers", pace.in_flight > 0 ? pace.in_flight : 16);
  const int64_t stalled = options.number("stalled_readers", 0);
  const ResumeShape resumes = read_resume_shape(options, true);
  const StreamOptions stream = read_stream_options(options);
  const Result<TargetOptions> target = TargetOptions::read(options);
  if (!target) return target.error();
  if ((pace.in_flight > 0) == (pace.rate > 0)) return Error{Code::invalid, "give one of --in_flight and --rate"};
  if (const Status status = check(audiences); !status) return status;
  if (const Status status = check(resumes); !status) return status;

  Result<FanOutTarget> to = fan_out_target(stream, *target, audiences);
  if (!to) return to.error();
  FanOut fan_out(std::move(*to));
  if (const Status status = fan_out.open_viewers(audiences.viewers + static_cast<size_t>(others)); !status)
    return status;
  if (const Status status = fan_out.open_stalled_readers(static_cast<size_t>(stalled)); !status) return status;
  if (const Status status = fan_out.open_publishers(static_cast<size_t>(publishers)); !status) return status;

  fan_out.run(pace, warmup_ms * 1'000'000);
  fan_out.broadcasts().restart_clock();
  if (resumes.count > 0) fan_out.add_resumes(resumes);
  const Mark before = mark_now(fan_out, target->cost);
  if (!fan_out.stalled()) fan_out.run(pace, seconds * kSecondNs);
  const Mark after = mark_now(fan_out, target->cost);
  fan_out.read_for(kLateDuplicateNs);

  const CpuReading cpu = after.cpu.since(before.cpu);
  const int64_t deliveries = after.broadcasts.deliveries - before.broadcasts.deliveries;
  const int64_t events = after.broadcasts.published - before.broadcasts.published;
  const Broadcasts& broadcasts = fan_out.broadcasts();
  JsonLine line;
  line.add("seconds", per(cpu.at_ns, kSecondNs)).add("events", events).add("deliveries", deliveries);
  line.add("deliveries_per_s", per(deliveries, cpu.at_ns) * kSecondNs);
  line.add("events_per_s", per(events, cpu.at_ns) * kSecondNs);
  line.add("receives_per_delivery", per(after.fleet.receives - before.fleet.receives, deliveries));
  line.add("bytes_per_delivery", per(after.fleet.bytes - before.fleet.bytes, deliveries));
  line.add("last_viewer_p50_us", broadcasts.to_last_viewer().percentile_us(0.5));
  line.add("last_viewer_p99_us", broadcasts.to_last_viewer().percentile_us(0.99));
  line.add("each_viewer_p50_us", broadcasts.to_each_viewer().percentile_us(0.5));
  line.add("each_viewer_p99_us", broadcasts.to_each_viewer().percentile_us(0.99));
  add_cost(cpu, deliveries, line);
  if (fan_out.resumes() != nullptr) {
    const Resumes::Counts& counts = fan_out.resumes()->counts();
    add_latencies(*fan_out.resumes(), line);
    line.add("resumed", counts.reached).add("resumes_closed", counts.closed).add("resumes_strange", counts.strange);
  }
  add_faults(fan_out, line);
  line.print();
  return {};
}

Status run_idle(Options& options) {
  const int64_t viewers = options.number("viewers", 10'000);
  const int64_t hold_seconds = options.number("hold_seconds", 3);
  const StreamOptions stream = read_stream_options(options);
  const Result<TargetOptions> target = TargetOptions::read(options);
  if (!target) return target.error();

  Result<FanOutTarget> to = fan_out_target(stream, *target, Audiences());
  if (!to) return to.error();
  FanOut fan_out(std::move(*to));
  const size_t first = std::min(static_cast<size_t>(viewers), kViewersBeforeIdle);
  if (const Status status = fan_out.open_viewers(first); !status) return status;
  fan_out.read_for(kLateDuplicateNs);
  const MemoryReading before = target->cost.memory();
  const int64_t opening_ns = now_ns();
  if (const Status status = fan_out.open_viewers(static_cast<size_t>(viewers)); !status) return status;
  const int64_t opened_ns = now_ns();
  const CpuReading cpu_before = target->cost.cpu();
  fan_out.read_for(hold_seconds * kSecondNs);
  const CpuReading cpu = target->cost.cpu().since(cpu_before);
  const MemoryReading held = target->cost.memory();

  if (const Status status = fan_out.open_publishers(1); !status) return status;
  fan_out.publish_one();
  const MemoryReading after = target->cost.memory();
  fan_out.read_for(kLateDuplicateNs);

  const int64_t more = viewers - static_cast<int64_t>(first);
  JsonLine line;
  line.add("connections", static_cast<int64_t>(fan_out.fleet().live()));
  line.add("connects_per_s", per(more, opened_ns - opening_ns) * kSecondNs);
  line.add("user_bytes_per_connection", per(held.resident_bytes - before.resident_bytes, more));
  line.add("user_pss_bytes_per_connection", per(held.proportional_bytes - before.proportional_bytes, more));
  line.add("user_bytes_per_connection_after_broadcast", per(after.resident_bytes - before.resident_bytes, more));
  line.add("resident_bytes", held.resident_bytes);
  line.add("kernel_slab_bytes_per_connection_both_ends", per(held.kernel_slab_bytes - before.kernel_slab_bytes, more));
  line.add("kernel_tcp_bytes_per_connection_both_ends", per(held.kernel_tcp_bytes - before.kernel_tcp_bytes, more));
  line.add("kernel_sockets", held.kernel_sockets);
  line.add("idle_cpu_share", per(cpu.server_ns + cpu.ksoftirqd_ns, cpu.at_ns));
  line.add("broadcast_reached", fan_out.broadcasts().counts().deliveries);
  line.add("broadcast_last_viewer_us", fan_out.broadcasts().to_last_viewer().max_us());
  add_faults(fan_out, line);
  line.print();
  return {};
}

}  // namespace millstream::load
