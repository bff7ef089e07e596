#include <benchmark/benchmark.h>
#include <malloc.h>

#include <string>
#include <vector>

#include "codec/event_json.h"
#include "history/alert_book.h"

namespace millstream::history {
namespace {

constexpr int kAlerts = 10'000;
constexpr int64_t kStartMs = 1'769'517'296'000;

// Four events each: firing, acknowledged, updated, resolved.
std::vector<model::Event> events_of_lives() {
  std::vector<model::Event> events;
  for (int i = 0; i < kAlerts; ++i) {
    const model::Topic topic = *model::Topic::parse("account:acme/site:depot/device:dev-" + std::to_string(i));
    model::Alert alert{.alert_id = "over-temperature.depot." + topic.device.text() + ".1769517296000.1",
                       .rule_id = "over-temperature",
                       .rule_name = "Over temperature",
                       .device = topic.device,
                       .message = topic.device.text() + " temperature=71.5 > 70 for 30s",
                       .field = "temperature",
                       .value = 71.5,
                       .threshold = 70,
                       .started_at_ms = kStartMs,
                       .labels = {{"team", "hvac"}}};
    using model::AlertState;
    for (const auto state : {AlertState::firing, AlertState::acknowledged, AlertState::updated, AlertState::resolved}) {
      alert.state = state;
      if (state == AlertState::acknowledged) alert.ack = {"user:anna@example.com", kStartMs, "on my way"};
      model::Event event{.ts_ms = kStartMs, .topic = topic, .type = model::EventType::alert};
      event.id = {kStartMs + i, static_cast<uint32_t>(state)};
      event.data = codec::encode_alert_data(alert);
      events.push_back(std::move(event));
    }
  }
  return events;
}

AlertBookOptions options() { return {.retention_ms = kStartMs, .ended_bytes_per_account_max = size_t{1} << 30}; }

void step_all(AlertBook& book, const std::vector<model::Event>& events) {
  model::Conclusions none;
  for (const model::Event& event : events) book.step(event, event.id.ms, none);
}

void BM_Lives(benchmark::State& state) {
  const std::vector<model::Event> events = events_of_lives();
  size_t bytes = 0;
  for (auto _ : state) {
    const size_t before = mallinfo2().uordblks;
    AlertBook book(options());
    step_all(book, events);
    bytes = mallinfo2().uordblks - before;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(events.size()));
  state.counters["bytes_per_alert"] = static_cast<double>(bytes) / kAlerts;
}
BENCHMARK(BM_Lives)->Unit(benchmark::kMillisecond);

void BM_List(benchmark::State& state) {
  AlertBook book(options());
  step_all(book, events_of_lives());
  for (auto _ : state) benchmark::DoNotOptimize(book.list(*model::AccountId::parse("acme")));
}
BENCHMARK(BM_List)->Unit(benchmark::kMicrosecond);

void BM_Save(benchmark::State& state) {
  AlertBook book(options());
  step_all(book, events_of_lives());
  size_t bytes = 0;
  for (auto _ : state) benchmark::DoNotOptimize(bytes = book.save().size());
  state.counters["bytes_per_alert"] = static_cast<double>(bytes) / kAlerts;
}
BENCHMARK(BM_Save)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millstream::history
