#include <benchmark/benchmark.h>

#include <string>
#include <vector>

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
  PresenceEngine engine({});
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
}
BENCHMARK(BM_EveryoneAlive)->Arg(100'000)->Unit(benchmark::kMillisecond);

// Everyone falls silent at once and comes back: three conclusions a device.
void BM_EveryoneFallsSilent(benchmark::State& state) {
  std::vector<model::Event> points = one_point_of_each(state.range(0));
  PresenceEngine engine({});
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
  PresenceEngine engine({});
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
