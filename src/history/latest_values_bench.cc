#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "codec/event_json.h"
#include "history/latest_values.h"

namespace millstream::history {
namespace {

constexpr int kDevices = 1000;
constexpr int64_t kStartMs = 1'769'517'296'000;

std::vector<model::Event> events_of(int fields, const model::Tags& tags) {
  std::vector<model::Event> events;
  for (int device = 0; device < kDevices; ++device) {
    model::Event event{.ts_ms = kStartMs};
    event.topic = *model::Topic::parse("account:acme/site:depot/device:dev-" + std::to_string(device));
    for (int i = 0; i < fields; ++i) event.fields.push_back({"reading" + std::to_string(i), 20.5 + i});
    event.data = codec::encode_telemetry_data(event.topic.device, event.fields, tags);
    events.push_back(std::move(event));
  }
  return events;
}

// One event of each of a thousand devices, again and again: fields, and tags or not.
void BM_Telemetry(benchmark::State& state) {
  const model::Tags tags = {{"line", "north"}, {"model", "KX-2"}};
  const std::vector<model::Event> events =
      events_of(static_cast<int>(state.range(0)), state.range(1) == 0 ? model::Tags() : tags);
  LatestValues latest(kStartMs);
  model::Conclusions conclusions;
  for (auto _ : state) {
    for (const model::Event& event : events) latest.step(event, kStartMs, conclusions);
  }
  state.SetItemsProcessed(state.iterations() * kDevices);
}
BENCHMARK(BM_Telemetry)->ArgNames({"fields", "tags"})->ArgsProduct({{1, 10}, {0, 1}})->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace millstream::history
