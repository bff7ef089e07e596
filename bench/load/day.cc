// A day of the demo's plant, written as the server's log would have in real time, by the log itself under a clock that
// waits for nothing: what reading is measured on.
#include <chrono>
#include <filesystem>
#include <future>
#include <thread>

#include "app/simulated_fleet.h"
#include "base/clock.h"
#include "base/limits.h"
#include "codec/event_json.h"
#include "load/json_line.h"
#include "load/subcommands.h"
#include "log/sqlite_event_log.h"

namespace millstream::load {
namespace {

constexpr int64_t kStepMs = 1000;  // one commit
constexpr auto kSealedWithin = std::chrono::minutes(5);

std::vector<model::Event> events_of(std::vector<model::Point> points) {
  std::vector<model::Event> events;
  events.reserve(points.size());
  for (model::Point& point : points) {
    model::Event& event = events.emplace_back();
    event.ts_ms = *point.ts_ms;
    event.topic = {*model::AccountId::parse("demo"), *model::SiteId::parse(point.site),
                   *model::DeviceId::parse(point.device)};
    event.data = codec::encode_telemetry_data(event.topic.device, point.fields, point.tags);
  }
  return events;
}

Status append(log::EventLog& log, std::vector<model::Event> events) {
  std::promise<Status> done;
  const Status taken = log.append(std::move(events), [&](const Result<log::AppendReceipt>& receipt) {
    done.set_value(receipt ? Status() : Status(receipt.error()));
  });
  return taken ? done.get_future().get() : taken;
}

int64_t bytes_in(const std::string& directory) {
  int64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    bytes += static_cast<int64_t>(entry.file_size());
  return bytes;
}

}  // namespace

Status run_day(Options& options) {
  const std::string directory = options.text("directory", "");
  app::FleetOptions plant{.devices = static_cast<int>(options.number("devices", 1000)),
                          .sites = 10,
                          .fields = static_cast<int>(options.number("fields", 10)),
                          .interval_ms = options.number("interval_ms", 5000)};
  const int64_t hours = options.number("hours", 24);
  if (Status s = options.finish(); !s) return s;
  if (directory.empty()) return Error{Code::invalid, "--directory: where the data directory is to be"};
  const int64_t end_ms = SystemClock().wall_ms();
  plant.start_ms = end_ms - hours * kHourMs;
  ManualClock clock(plant.start_ms);
  metrics::Registry metrics;
  std::filesystem::create_directories(directory);
  const std::string log_directory = directory + "/log";
  const auto log = log::make_sqlite_event_log(
      {.directory = log_directory, .retention_ms = hours * kHourMs + kHourMs, .sync_commits = false}, clock, metrics);
  if (Status s = log->start(); !s) return s;
  app::SimulatedFleet fleet(plant);
  const auto began = std::chrono::steady_clock::now();
  int64_t lines = 0;
  for (; clock.wall_ms() < end_ms; clock.advance_ms(kStepMs)) {
    std::vector<model::Event> events = events_of(fleet.due(clock.wall_ms()));
    if (events.empty()) continue;
    lines += static_cast<int64_t>(events.size());
    if (Status s = append(*log, std::move(events)); !s) return s;
  }
  const auto written = std::chrono::steady_clock::now();
  // The last window stays open, as it would in a running server.
  metrics::Gauge& unsealed =
      metrics.gauge("millstream_log_unsealed_events", "Telemetry events that are not in chunks yet");
  const int64_t open_window = int64_t{plant.devices} * 130;
  while (unsealed.value() > open_window && std::chrono::steady_clock::now() < written + kSealedWithin) {
    std::this_thread::yield();
  }
  log->stop();
  JsonLine out;
  const int64_t points = lines * plant.fields;
  const int64_t bytes = bytes_in(log_directory);
  out.add("lines", lines);
  out.add("points", points);
  out.add("seconds", std::chrono::duration<double>(written - began).count());
  out.add("bytes", bytes);
  out.add("bytes_per_point", static_cast<double>(bytes) / static_cast<double>(points));
  out.print();
  return {};
}

}  // namespace millstream::load
