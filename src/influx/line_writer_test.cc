#include "influx/line_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "codec/line_protocol.h"
#include "influx/testing.h"

namespace millstream::influx {
namespace {

using model::Fields;
using testing::telemetry;

std::string line_of(const model::Event& event) {
  std::string out;
  append_line(event, out);
  return out;
}
std::string line_of(Fields fields) { return line_of(telemetry(0, std::move(fields))); }

TEST(LineWriter, WritesTagsTypedFieldsAndMilliseconds) {
  EXPECT_EQ(line_of({{"T1", 21.5}, {"door", true}, {"mode", "auto"}, {"n", int64_t{3}}}),
            "telemetry,account=a,device=d,site=s T1=21.5,door=true,mode=\"auto\",n=3 1000000\n");
}

TEST(LineWriter, EscapesWhatWouldEndANameOrAText) {
  EXPECT_EQ(line_of({{"a b,c=d", R"(say "hi" \ bye)"}}),
            R"(telemetry,account=a,device=d,site=s a\ b\,c\=d="say \"hi\" \\ bye" 1000000)"
            "\n");
}

TEST(LineWriter, LeavesOutNamesThatCannotBeWrittenAndCountsThem) {
  std::string out;
  const auto event = telemetry(0, {{"time", 1.0}, {R"(a\)", 1.0}, {R"(a\,b)", 1.0}, {R"(a\b)", 2.0}});
  EXPECT_EQ(append_line(event, out), 3u);
  EXPECT_EQ(out, "telemetry,account=a,device=d,site=s a\\b=2 1000000\n");
  EXPECT_EQ(line_of({{"time", 1.0}}), "");
}

// A field's value as it comes back: numbers are floats.
model::FieldValue as_read(const model::FieldValue& value) {
  const int64_t* whole = std::get_if<int64_t>(&value);
  return whole ? model::FieldValue(static_cast<double>(*whole)) : value;
}

class Random {
 public:
  explicit Random(uint64_t seed) : random_(seed) {}
  size_t below(size_t n) { return random_() % n; }
  std::string text(size_t max) {
    constexpr std::string_view kPieces[] = {"a", "Z", "7", " ", ",",  "=", "\"", "\\",
                                            "#", "'", ".", "é", "日", "😀", "\n"};
    std::string out;
    for (size_t n = below(max); n > 0; --n) out += kPieces[below(std::size(kPieces))];
    return out;
  }
  std::string name() {
    std::string out;
    for (const char c : "n" + text(8)) out += c == '\n' ? '_' : c;  // names hold no control characters
    return out;
  }
  model::FieldValue value() {
    switch (below(4)) {
      case 0: return std::ldexp(static_cast<double>(static_cast<int64_t>(random_())), -static_cast<int>(below(120)));
      case 1: return static_cast<int64_t>(random_()) >> below(64);
      case 2: return below(2) == 0;
      default: return text(12);
    }
  }

 private:
  std::mt19937_64 random_;
};

TEST(LineWriter, WhatIsWrittenIsReadBackTheSame) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 20'000; ++round) {
    Fields fields, expected;
    for (size_t n = 1 + random.below(4); n > 0; --n) {
      const std::string name = std::to_string(n) + random.name();
      fields.push_back({name, random.value()});
      if (is_field_name(name)) expected.push_back({name, as_read(fields.back().value)});
    }
    const std::string line = line_of(fields);
    if (expected.empty()) {
      EXPECT_EQ(line, "");
      continue;
    }
    const codec::ParsedPoints read = codec::parse_line_protocol(line, codec::Precision::milliseconds);
    ASSERT_EQ(read.points.size(), 1u) << line << (read.rejected.empty() ? "" : read.rejected[0].reason);
    const model::Point& point = read.points[0];
    ASSERT_EQ(point.fields, expected) << line;
    ASSERT_EQ(point.ts_ms, 1'000'000);
    ASSERT_EQ(point.site + "/" + point.device, "s/d");
    ASSERT_EQ(point.tags, (model::Tags{{"account", "a"}}));
  }
}

}  // namespace
}  // namespace millstream::influx
