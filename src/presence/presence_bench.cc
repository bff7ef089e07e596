#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "codec/event_json.h"
#include "presence/presence_engine.h"

namespace millstream::presence {
namespace {

constexpr int64_t kStartMs = 1'769'517'296'000;

std::vector<model::Event> one_point_of_each(int64_t devices) {
  std::vector<model::Event> points(static_cast<size_t>(devices));
  for (size_t i = 0; i < points.size(); ++i) {
    const std::string site = std::to_string(i % 100);
    points[i].topic = *model::Topic::parse("account:demo/site:" + site + "/device:dev-" + std::to_string(i));
  }
  return points;
}

// Everyone alive: one point of each device every ten seconds, time told for every point as the runner does.
void BM_EveryoneAlive(benchmark::State& state) {
  std::vector<model::Event> points = one_point_of_each(state.range(0));
  PresenceEngine engine(PresenceOptions{});
  model::Conclusions out;
  int64_t round = 0;
  for (auto _ : state) {
    for (size_t i = 0; i < points.size(); ++i) {
      const int64_t now = kStartMs + round * 10'000 + static_cast<int64_t>(i * 10'000 / points.size());
      points[i].ts_ms = now;
      engine.advance(now, out);
      engine.step(points[i], now, out);
    }
    ++round;
    out.clear();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  // Of a second of one core, at one point of each in ten seconds.
  const double rate = static_cast<double>(state.iterations() * state.range(0));
  state.counters["cpu_at_10s"] = benchmark::Counter(rate / (static_cast<double>(state.range(0)) / 10.0),
                                                    benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["bytes_per_device"] = static_cast<double>(PresenceEngine::bytes_per_device());
}
BENCHMARK(BM_EveryoneAlive)->Arg(100'000)->Unit(benchmark::kMillisecond);

// Everyone falls silent; the log tells the time ten times a second. How late is the last to be told, and for how long
// does one telling keep the engine?
void BM_DetectionError(benchmark::State& state) {
  std::vector<model::Event> points = one_point_of_each(state.range(0));
  model::Conclusions out;
  int64_t worst_ms = 0;
  size_t offline = 0;
  for (auto _ : state) {
    PresenceEngine engine(PresenceOptions{});
    int64_t now = kStartMs;
    for (size_t i = 0; i < points.size(); ++i) {
      now = kStartMs + static_cast<int64_t>(i * 10'000 / points.size());
      points[i].ts_ms = now;
      engine.advance(now, out);
      engine.step(points[i], now, out);
    }
    for (const int64_t end = now + 70'000; now < end; now += 100) {
      out.clear();
      engine.advance(now, out);
      for (const model::Event& event : out) {
        const Result<model::DeviceStatus> status = codec::decode_device_status_data(event.data);
        if (!status || status->status != model::Presence::offline) continue;
        ++offline;
        worst_ms = std::max(worst_ms, now - (status->last_seen_ms + PresenceOptions{}.offline_after_ms));
      }
    }
  }
  if (offline != points.size() * static_cast<size_t>(state.iterations())) state.SkipWithError("someone is missing");
  state.counters["worst_error_ms"] = static_cast<double>(worst_ms);
}
BENCHMARK(BM_DetectionError)->Arg(100'000)->Unit(benchmark::kMillisecond);

// Everyone falls silent at once and comes back: three conclusions a device.
void BM_EveryoneFallsSilent(benchmark::State& state) {
  std::vector<model::Event> points = one_point_of_each(state.range(0));
  PresenceEngine engine(PresenceOptions{});
  model::Conclusions out;
  int64_t now = kStartMs;
  for (auto _ : state) {
    for (model::Event& point : points) {
      point.ts_ms = now;
      engine.advance(now, out);
      engine.step(point, now, out);
    }
    now += 120'000;
    engine.advance(now, out);
    if (out.size() != points.size() * 3) state.SkipWithError("a conclusion is missing");
    out.clear();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) * 3);
}
BENCHMARK(BM_EveryoneFallsSilent)->Arg(100'000)->Unit(benchmark::kMillisecond);

void BM_Save(benchmark::State& state) {
  std::vector<model::Event> points = one_point_of_each(state.range(0));
  PresenceEngine engine(PresenceOptions{});
  model::Conclusions out;
  engine.advance(kStartMs, out);
  for (model::Event& point : points) {
    point.ts_ms = kStartMs;
    engine.step(point, kStartMs, out);
  }
  size_t bytes = 0;
  for (auto _ : state) benchmark::DoNotOptimize(bytes = engine.save().size());
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(BM_Save)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millstream::presence
