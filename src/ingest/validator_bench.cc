#include <benchmark/benchmark.h>

#include <string>

#include "codec/line_protocol.h"
#include "ingest/validator.h"

namespace millstream::ingest {
namespace {

constexpr int kLines = 1000;
constexpr int64_t kNowMs = 1'769'517'296'000;

std::string line(int number, int fields) {
  std::string text = "telemetry,device=dev-" + std::to_string(number) + ",site=depot ";
  for (int i = 0; i < fields; ++i) {
    text += (i == 0 ? "reading" : ",reading") + std::to_string(i) + '=' + std::to_string(20 + i) + '.' +
            std::to_string(10 + (number + i) % 90);
  }
  return text + ' ' + std::to_string(kNowMs) + '\n';
}

// What a worker does with a body before the log: lines to points to events.
void BM_ParseAndValidate(benchmark::State& state) {
  metrics::Registry metrics;
  const Validator validator({}, metrics);
  const model::AccountId account = *model::AccountId::parse("acme");
  std::string body;
  for (int i = 0; i < kLines; ++i) body += line(i, static_cast<int>(state.range(0)));
  for (auto _ : state) {
    const Validated validated = validator.validate(
        codec::parse_line_protocol(body, codec::Precision::milliseconds), account,
        [](const model::Topic&) { return Status(); }, kNowMs);
    if (validated.events.size() != kLines) state.SkipWithError("an event is missing");
    benchmark::DoNotOptimize(validated.events.data());
  }
  state.SetItemsProcessed(state.iterations() * kLines);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}
BENCHMARK(BM_ParseAndValidate)->Arg(1)->Arg(10)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace millstream::ingest
