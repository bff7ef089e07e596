// The subcommand ingest: batches over keep-alive connections, each sending its next when the last was acknowledged.
#include <algorithm>
#include <charconv>
#include <ctime>
#include <deque>

#include "load/json_line.h"
#include "load/latencies.h"
#include "load/request_connection.h"
#include "load/subcommands.h"
#include "load/target_options.h"
#include "load/telemetry_batch.h"

namespace millstream::load {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStallNs = 10 * kSecondNs;

int64_t utc_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

struct Counts {
  int64_t sent = 0;      // events
  int64_t requests = 0;  // answered
  int64_t accepted = 0;  // events acknowledged
  int64_t rejected = 0;  // events of answered requests that were not
  int64_t body_bytes = 0;
};

// What JSON answers say, "accepted":N; of a 201, 202 and 204 everything was taken.
int64_t accepted_events(const RequestConnection::Answer& answer, int64_t sent) {
  if (answer.status >= 201 && answer.status <= 204) return sent;
  constexpr std::string_view kKey = "\"accepted\":";
  const size_t at = answer.body.find(kKey);
  int64_t n = 0;
  if (answer.status == 200 && at != std::string::npos) {
    std::from_chars(answer.body.data() + at + kKey.size(), answer.body.data() + answer.body.size(), n);
  }
  return n;
}

class IngestLoad {
 public:
  struct Shape {
    size_t connections;
    size_t events;
    size_t fields;
    BodyFormat format;
    std::string path;
    int64_t events_in_all;  // 0: no limit
  };

  IngestLoad(const TargetOptions& target, Shape shape) : target_(target), shape_(std::move(shape)) {}

  Status open() {
    for (size_t i = 0; i < shape_.connections; ++i) {
      Result<Socket> socket = connect_now(target_.server);
      if (!socket) return socket.error();
      gateways_.push_back({RequestConnection(poller_, std::move(*socket), i),
                           TelemetryBatches(shape_.format, i, shape_.events, shape_.fields)});
    }
    return {};
  }

  // Keeps every connection busy for `ns`, then waits for the answers under way; false when they stay out.
  bool run(int64_t ns) {
    const int64_t end_ns = now_ns() + ns;
    int64_t progress_ns = now_ns();
    for (;;) {
      const int64_t at_ns = now_ns();
      if (at_ns < end_ns && !sent_all()) {
        for (Gateway& gateway : gateways_) {
          if (gateway.connection.is_idle()) send_next(gateway);
        }
      } else if (all_idle()) {
        return true;
      }
      for (const epoll_event& event : poller_.wait(50'000'000)) {
        if (take_answer(gateways_[event.data.u64], event.events)) progress_ns = now_ns();
      }
      if (now_ns() - progress_ns > kStallNs) return false;
    }
  }

  void restart_clock() { acks_.clear(); }
  const Counts& counts() const { return counts_; }
  const Latencies& acks() const { return acks_; }
  int64_t closed() const {
    return std::count_if(gateways_.begin(), gateways_.end(), [](const Gateway& g) { return !g.connection.is_open(); });
  }
  const std::string& first_complaint() const { return first_complaint_; }

 private:
  struct Gateway {
    RequestConnection connection;
    TelemetryBatches batches;
    int64_t last_ts_ms = 0;
    int64_t sent_ns = 0;
  };

  // Times of one device must differ, or the later point would replace the earlier one.
  void send_next(Gateway& gateway) {
    gateway.last_ts_ms = std::max(gateway.last_ts_ms + 1, utc_ms());
    const std::string_view body = gateway.batches.next(gateway.last_ts_ms);
    counts_.body_bytes += static_cast<int64_t>(body.size());
    std::string request = post_head(target_.server, shape_.path, target_.extra_headers, body.size());
    request += body;
    gateway.sent_ns = now_ns();
    counts_.sent += static_cast<int64_t>(shape_.events);
    gateway.connection.send(std::move(request));
  }

  bool take_answer(Gateway& gateway, uint32_t events) {
    const auto answer = gateway.connection.on_ready(events);
    if (!answer) return false;
    acks_.add(now_ns() - gateway.sent_ns);
    const int64_t sent = static_cast<int64_t>(shape_.events);
    const int64_t accepted = accepted_events(*answer, sent);
    ++counts_.requests;
    counts_.accepted += accepted;
    counts_.rejected += sent - accepted;
    if (accepted < sent && first_complaint_.empty()) {
      first_complaint_ = std::to_string(answer->status) + " " + answer->body.substr(0, 200);
    }
    return true;
  }

  bool sent_all() const { return shape_.events_in_all > 0 && counts_.sent >= shape_.events_in_all; }
  bool all_idle() const {
    return std::all_of(gateways_.begin(), gateways_.end(),
                       [](const Gateway& g) { return g.connection.is_idle() || !g.connection.is_open(); });
  }

  const TargetOptions& target_;
  const Shape shape_;
  Poller poller_;
  std::deque<Gateway> gateways_;
  Counts counts_;
  Latencies acks_;
  std::string first_complaint_;
};

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

double per(double amount, double count) { return count > 0 ? amount / count : 0.0; }

}  // namespace

Status run_ingest(Options& options) {
  IngestLoad::Shape shape;
  shape.connections = static_cast<size_t>(options.number("connections", 16));
  shape.events = static_cast<size_t>(options.number("events", 100));
  shape.fields = static_cast<size_t>(options.number("fields", 10));
  const std::string format = options.text("format", "json");
  shape.format = format == "line" ? BodyFormat::line : BodyFormat::json;
  shape.path = options.text("publish_path", shape.format == BodyFormat::json
                                                ? "/api/ingest"
                                                : "/api/v2/write?bucket=bench&org=bench&precision=ms");
  shape.events_in_all = options.number("events_in_all", 0);
  const int64_t seconds = options.number("seconds", 5);
  const int64_t warmup_ms = options.number("warmup_ms", 1000);
  const Result<TargetOptions> target = TargetOptions::read(options);
  if (!target) return target.error();
  if (format != "json" && format != "line") return Error{Code::invalid, "--format: json or line"};

  const double fields = static_cast<double>(shape.fields);
  IngestLoad load(*target, std::move(shape));
  if (const Status status = load.open(); !status) return status;
  bool answered = load.run(warmup_ms * 1'000'000);
  load.restart_clock();
  const Commits commits_before = read_commits(*target);
  const Counts before = load.counts();
  const CpuReading cpu_before = target->cost.cpu();
  if (answered) answered = load.run(seconds * kSecondNs);
  const CpuReading cpu = target->cost.cpu().since(cpu_before);
  const Counts& after = load.counts();
  const Commits commits_after = read_commits(*target);

  const double elapsed_s = static_cast<double>(cpu.at_ns) / kSecondNs;
  const double events = static_cast<double>(after.accepted - before.accepted);
  const double commits = commits_after.count - commits_before.count;
  const double server_ns = static_cast<double>(cpu.server_ns + cpu.ksoftirqd_ns);
  JsonLine line;
  line.add("seconds", elapsed_s).add("requests", after.requests - before.requests);
  line.add("points_per_s", per(events * fields, elapsed_s)).add("events_per_s", per(events, elapsed_s));
  line.add("body_mb_per_s", per(static_cast<double>(after.body_bytes - before.body_bytes) / 1e6, elapsed_s));
  line.add("ack_p50_us", load.acks().percentile_us(0.5)).add("ack_p99_us", load.acks().percentile_us(0.99));
  line.add("ack_max_us", load.acks().max_us());
  line.add("server_us_per_event", per(server_ns / 1000, events));
  line.add("server_us_per_point", per(server_ns / 1000, events * fields));
  line.add("commits_per_s", per(commits, elapsed_s)).add("events_per_commit", per(events, commits));
  line.add("commit_mean_us", per((commits_after.seconds - commits_before.seconds) * 1e6, commits));
  line.add("server_cpu_share", per(server_ns, static_cast<double>(cpu.at_ns)));
  line.add("foreign_cpu_share", per(static_cast<double>(cpu.core_busy_ns) - server_ns, static_cast<double>(cpu.at_ns)));
  line.add("load_cpu_share", per(static_cast<double>(cpu.own_ns), static_cast<double>(cpu.at_ns)));
  line.add("accepted_in_all", after.accepted);
  line.add("rejected", after.rejected).add("closed", load.closed()).add("stalled", int64_t{!answered});
  line.add("first_complaint", load.first_complaint());
  line.print();
  return {};
}

}  // namespace millstream::load
