#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <limits>

#include "app/commands.h"
#include "app/event_text.h"
#include "app/http_client.h"
#include "app/interrupt.h"
#include "app/point_outbox.h"
#include "app/simulated_fleet.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/time_text.h"

namespace millstream::app {
namespace {

constexpr int64_t kTickMs = 100;
constexpr size_t kWaitingPointsMax = 100'000;

// What is going on, in one line that renews itself; into a file or pipe, one line every ten seconds.
class StatusLine {
 public:
  StatusLine() : terminal_(::isatty(STDERR_FILENO) != 0), every_ms_(terminal_ ? 500 : 10'000) {}

  void show(const PointOutbox& outbox, int64_t now_ms) {
    if (now_ms < next_ms_) return;
    next_ms_ = now_ms + every_ms_;
    print(text(outbox));
  }
  void finish(const PointOutbox& outbox) {
    print(text(outbox));
    if (terminal_) std::fputs("\n", stderr);
  }
  void note(const std::string& message) const {
    std::fprintf(stderr, "%s%s\n", terminal_ ? "\r\x1b[K" : "", printable(message).c_str());
  }

 private:
  static std::string text(const PointOutbox& outbox) {
    const OutboxCounts& counts = outbox.counts();
    std::string line = std::to_string(counts.points_sent) + " points sent, " + std::to_string(counts.values_sent) +
                       " values, " + std::to_string(outbox.waiting()) + " waiting";
    const auto add = [&](uint64_t count, const char* what) {
      if (count > 0) line += ", " + std::to_string(count) + " " + what;
    };
    add(counts.rejected, "rejected");
    add(counts.retries, "retries");
    add(counts.dropped, "dropped");
    return line;
  }
  void print(const std::string& line) const { std::fprintf(stderr, terminal_ ? "\r%s\x1b[K" : "%s\n", line.c_str()); }

  const bool terminal_;
  const int64_t every_ms_;
  int64_t next_ms_ = 0;
};

class Simulation {
 public:
  Simulation(const FleetOptions& fleet, std::string url, const std::string& credential, std::string ca_file)
      : fleet_(fleet), outbox_(kWaitingPointsMax, fleet.seed) {
    request_.url = std::move(url);
    request_.ca_file = std::move(ca_file);
    request_.headers = {"Content-Type: application/json", "Expect:"};
    if (!credential.empty()) request_.headers.push_back("Authorization: Bearer " + credential);
  }

  Result<int> run(int64_t duration_ms) {
    const int64_t started_ms = clock_.steady_ms();
    while (!interrupt_.came() && clock_.steady_ms() - started_ms < duration_ms) {
      outbox_.add(fleet_.due(clock_.wall_ms()));
      if (!outbox_.empty() && clock_.steady_ms() >= next_post_ms_) {
        if (Status s = post(); !s) return s.error();
      }
      status_.show(outbox_, clock_.steady_ms());
      interrupt_.wait(kTickMs);
    }
    if (!outbox_.empty() && !interrupt_.came()) {
      if (Status s = post(); !s) return s.error();
    }
    status_.finish(outbox_);
    return 0;
  }

 private:
  Status post() {
    HttpRequest request = request_;
    request.body = outbox_.batch();
    const Result<HttpAnswer> answer = client_.send(request, [this] { return !interrupt_.came(); });
    if (interrupt_.came()) return {};
    const Result<int64_t> wait_ms = outbox_.settle(answer);
    if (!wait_ms) return wait_ms.error();
    next_post_ms_ = clock_.steady_ms() + *wait_ms;
    tell_trouble(answer, *wait_ms);
    return {};
  }

  // Each new trouble once, not once a retry.
  void tell_trouble(const Result<HttpAnswer>& answer, int64_t wait_ms) {
    std::string trouble;
    if (!answer) trouble = answer.error().detail;
    if (answer && wait_ms > 0) trouble = "the server answered " + std::to_string(answer->status);
    if (!outbox_.first_rejection().empty()) trouble = "rejected: " + outbox_.first_rejection();
    if (!trouble.empty() && trouble != last_trouble_) status_.note(trouble);
    last_trouble_ = trouble;
  }

  SimulatedFleet fleet_;
  PointOutbox outbox_;
  HttpRequest request_;
  HttpClient client_;
  SystemClock clock_;
  Interrupt interrupt_;
  StatusLine status_;
  int64_t next_post_ms_ = 0;
  std::string last_trouble_;
};

Result<FleetOptions> fleet_options(const SimulateOptions& options) {
  const auto wrong = [](const char* what) { return Error{Code::invalid, what}; };
  if (options.devices < 1 || options.devices > 100'000) return wrong("--devices must be from 1 to 100000");
  if (options.sites < 1 || options.sites > 1000) return wrong("--sites must be from 1 to 1000");
  if (options.fields < 1 || options.fields > static_cast<int>(kFieldsPerPointMax)) {
    return wrong("--fields must be from 1 to 256");
  }
  const Result<int64_t> interval_ms = parse_duration_ms(options.interval);
  if (!interval_ms || *interval_ms < 1) return wrong("--interval must be a duration such as 5s");
  if (!(options.rate_multiplier > 0 && options.rate_multiplier <= 100'000)) {
    return wrong("--rate-multiplier must be above 0, at most 100000");
  }
  FleetOptions fleet;
  fleet.devices = options.devices;
  fleet.sites = options.sites;
  fleet.fields = options.fields;
  fleet.interval_ms =
      std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(*interval_ms) / options.rate_multiplier));
  fleet.seed = options.seed;
  fleet.start_ms = SystemClock().wall_ms();
  return fleet;
}

}  // namespace

Result<int> run_simulate(const SimulateOptions& options, const Environment& environment) {
  const Result<FleetOptions> fleet = fleet_options(options);
  if (!fleet) return fleet.error();
  int64_t duration_ms = std::numeric_limits<int64_t>::max();
  if (!options.duration.empty()) {
    const Result<int64_t> given = parse_duration_ms(options.duration);
    if (!given) return Error{Code::invalid, "--duration must be a duration such as 10m"};
    duration_ms = *given;
  }
  const Result<std::string> credential = find_credential(options.credential_file, environment, {"MILLSTREAM_KEY"});
  if (!credential) return credential.error();
  const Result<std::string> url = make_url(options.url, "/api/ingest", {});
  if (!url) return url.error();
  return Simulation(*fleet, *url, *credential, options.ca_file).run(duration_ms);
}

}  // namespace millstream::app
