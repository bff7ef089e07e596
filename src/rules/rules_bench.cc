#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "rules/rule_engine.h"
#include "rules/testing.h"

namespace millstream::rules {
namespace {

constexpr int64_t kStartMs = 1'769'517'296'000;
constexpr int kRules = 1000;
constexpr int kDevices = 10'000;
constexpr int kSites = 100;  // ten rules a site: every point meets ten rules

Configuration ten_rules_a_site(int64_t for_ms) {
  Configuration configuration;
  for (int i = 0; i < kRules; ++i) {
    configuration.rules.push_back(threshold_rule("rule-" + std::to_string(i),
                                                 "account:demo/site:" + std::to_string(i % kSites), "T1",
                                                 model::Comparison::gt, 70, for_ms));
  }
  return configuration;
}

std::vector<model::Event> one_point_of_each(double value) {
  std::vector<model::Event> points(kDevices);
  for (size_t i = 0; i < points.size(); ++i) {
    const std::string site = std::to_string(i % kSites);
    points[i].topic = *model::Topic::parse("account:demo/site:" + site + "/device:dev-" + std::to_string(i));
    points[i].fields = {{"T1", value}, {"T2", 1.0}, {"state", std::string("run")}};
  }
  return points;
}

struct Bench {
  explicit Bench(int64_t for_ms) : engine(ten_rules_a_site(for_ms)) {}
  void round(std::vector<model::Event>& points) {
    for (model::Event& point : points) {
      point.ts_ms = now;
      engine.advance(now, out);
      engine.step(point, now, out);
    }
    now += 1000;
  }
  RuleEngine engine;
  model::Conclusions out;
  int64_t now = kStartMs;
};

void BM_CalmPoints(benchmark::State& state) {
  Bench bench(0);
  std::vector<model::Event> calm = one_point_of_each(20);
  bench.round(calm);
  for (auto _ : state) bench.round(calm);
  state.SetItemsProcessed(state.iterations() * kDevices);
}
BENCHMARK(BM_CalmPoints)->Unit(benchmark::kMillisecond);

// Every instance goes pending and back: 100 000 deadlines set and unset a round.
void BM_PointsThatGoPendingAndBack(benchmark::State& state) {
  Bench bench(60'000);
  std::vector<model::Event> calm = one_point_of_each(20);
  std::vector<model::Event> hot = one_point_of_each(80);
  for (auto _ : state) {
    bench.round(hot);
    bench.round(calm);
  }
  state.SetItemsProcessed(state.iterations() * kDevices * 2);
}
BENCHMARK(BM_PointsThatGoPendingAndBack)->Unit(benchmark::kMillisecond);

// Ten alerts fire and resolve for every device.
void BM_AlertStorm(benchmark::State& state) {
  Bench bench(0);
  std::vector<model::Event> calm = one_point_of_each(20);
  std::vector<model::Event> hot = one_point_of_each(80);
  for (auto _ : state) {
    bench.round(hot);
    bench.round(calm);
    if (bench.out.size() != size_t{kDevices} * 20) state.SkipWithError("an alert is missing");
    bench.out.clear();
  }
  state.SetItemsProcessed(state.iterations() * kDevices * 20);
}
BENCHMARK(BM_AlertStorm)->Unit(benchmark::kMillisecond);

void BM_Save(benchmark::State& state) {
  Bench bench(0);
  std::vector<model::Event> calm = one_point_of_each(20);
  bench.round(calm);
  size_t bytes = 0;
  for (auto _ : state) benchmark::DoNotOptimize(bytes = bench.engine.save().size());
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(BM_Save)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millstream::rules
