#include <benchmark/benchmark.h>

#include <string>

#include "codec/line_protocol.h"

namespace millstream::codec {
namespace {

constexpr int kLines = 1000;
constexpr int64_t kStartMs = 1'769'517'296'000;

// The same line with other devices, values and times: `between(i)` stands between the measurement and the time.
template <typename Between>
std::string body_of(Between between) {
  std::string body;
  for (int i = 0; i < kLines; ++i) {
    body += "telemetry,device=dev-" + std::to_string(i) + between(i) + ' ' + std::to_string(kStartMs + i) + '\n';
  }
  return body;
}

std::string hundredths(int value) {
  const int rest = value % 100;
  return std::to_string(value / 100) + (rest < 10 ? ".0" : ".") + std::to_string(rest);
}

void parse(benchmark::State& state, const std::string& body) {
  for (auto _ : state) {
    const ParsedPoints parsed = parse_line_protocol(body, Precision::milliseconds);
    if (parsed.points.size() != kLines) state.SkipWithError("a line is missing");
    benchmark::DoNotOptimize(parsed.points.data());
  }
  state.SetItemsProcessed(state.iterations() * kLines);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(body.size()));
}

void BM_OneField(benchmark::State& state) {
  parse(state, body_of([](int i) { return ",site=depot temperature=" + hundredths(2000 + i); }));
}
BENCHMARK(BM_OneField)->Unit(benchmark::kMicrosecond);

// As the demo's plant sends them.
void BM_TenFields(benchmark::State& state) {
  parse(state, body_of([](int i) {
          return ",site=depot temperature=" + hundredths(6800 + i) + ",pressure=" + hundredths(320 + i % 30) +
                 ",humidity=" + hundredths(3500 - i) + ",flow=" + hundredths(4200 + i) +
                 ",voltage=" + hundredths(22950 + i % 100) + ",current=" + hundredths(1800 + i % 70) +
                 ",power=" + hundredths(410 + i % 50) + ",vibration=" + hundredths(160 + i % 20) +
                 ",energy=" + std::to_string(93'412'000 + i) + "i,state=\"" + (i % 10 == 0 ? "idle" : "running") + '"';
        }));
}
BENCHMARK(BM_TenFields)->Unit(benchmark::kMicrosecond);

// Blanks, commas and equals signs in tags and in the names of fields.
void BM_TenEscapedFields(benchmark::State& state) {
  parse(state, body_of([](int i) {
          std::string text = R"(,site=north\ plant\,\ hall\ 2)";
          for (int field = 0; field < 10; ++field) {
            text +=
                (field == 0 ? " " : ",") + (R"(line\ speed\=)" + std::to_string(field)) + '=' + hundredths(1000 + i);
          }
          return text;
        }));
}
BENCHMARK(BM_TenEscapedFields)->Unit(benchmark::kMicrosecond);

// Texts with blanks, commas and escaped quotes in them.
void BM_TenQuotedStrings(benchmark::State& state) {
  parse(state, body_of([](int i) {
          std::string text = ",site=depot";
          for (int field = 0; field < 10; ++field) {
            text += (field == 0 ? " s" : ",s") + std::to_string(field) + R"(="batch )" + std::to_string(i) +
                    R"(, \"second\" shift")";
          }
          return text;
        }));
}
BENCHMARK(BM_TenQuotedStrings)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace millstream::codec
