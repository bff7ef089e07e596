#include "codec/telemetry_json.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace millstream::codec {
namespace {

using model::Fields;
using model::Point;
using model::Tags;

ParsedPoints parsed(std::string_view body, std::string_view device = {}) {
  Result<ParsedPoints> result = parse_telemetry_json(body, device);
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().detail);
  return result.ok() ? *std::move(result) : ParsedPoints{};
}
// The reason for the one bad element of a body.
std::string reason(std::string_view body, std::string_view device = {}) {
  const ParsedPoints points = parsed(body, device);
  EXPECT_EQ(points.points.size(), 0u) << body;
  return points.rejected.size() == 1 ? points.rejected[0].reason
                                     : "rejected: " + std::to_string(points.rejected.size());
}
// The reason for a point of device d with these fields.
std::string field_reason(std::string_view fields) {
  return reason(R"({"deviceId":"d","fields":)" + std::string(fields) + "}");
}
std::string whole_body_reason(std::string_view body) {
  const Result<ParsedPoints> result = parse_telemetry_json(body, "d");
  if (result.ok()) return "accepted";
  EXPECT_EQ(result.error().code, Code::invalid);
  return result.error().detail;
}

TEST(TelemetryJson, OnePointWithEverything) {
  const ParsedPoints got =
      parsed(R"({"deviceId":"elink-99","siteId":"1","ts":"2026-01-27T12:34:56.789Z","tags":{"model":"x"},)"
             R"("fields":{"T1":24.7,"OPM":3,"on":true,"mode":"auto"}})");
  const Point expected{"1",
                       "elink-99",
                       1769517296789,
                       Fields{{"T1", 24.7}, {"OPM", int64_t{3}}, {"on", true}, {"mode", "auto"}},
                       Tags{{"model", "x"}},
                       0};
  ASSERT_EQ(got.points.size(), 1u);
  EXPECT_EQ(got.points[0], expected);
  EXPECT_TRUE(got.rejected.empty());
}

ParsedPoints parsed_lines(std::string_view body, std::string_view device = {}) {
  return parse_telemetry_ndjson(body, device);
}

TEST(TelemetryJson, LinesAreReadAsTheElementsOfAnArrayAre) {
  const ParsedPoints got = parsed_lines(
      "\xEF\xBB\xBF{\"deviceId\":\"a\",\"ts\":5,\"fields\":{\"x\":1}}\r\n\n "
      "\t\r\n{\"x\":2}\n{\"ts\":6,\"values\":{\"x\":3}}",
      "named");
  const ParsedPoints array =
      parsed(R"([{"deviceId":"a","ts":5,"fields":{"x":1}},{"x":2},{"ts":6,"values":{"x":3}}])", "named");
  EXPECT_EQ(got.rejected_count, 0u);
  ASSERT_EQ(got.points.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    Point expected = array.points[i];
    expected.index = i == 0 ? 0 : i + 2;  // two lines are passed over
    EXPECT_EQ(got.points[i], expected) << i;
  }
}

TEST(TelemetryJson, ALineThatIsNotJsonIsOneBadPoint) {
  const std::string good = R"({"deviceId":"a","fields":{"x":1}})";
  const ParsedPoints got = parsed_lines(good + "\n{\"deviceId\":\n[" + good + "]\n\xff\n" + good + good + "\n" + good);
  ASSERT_EQ(got.points.size(), 2u);
  EXPECT_EQ(got.points[1].index, 5u);
  ASSERT_EQ(got.rejected.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(got.rejected[i].index, i + 1);
  EXPECT_EQ(got.rejected[1].reason, "not an object");
  EXPECT_EQ(got.rejected[2].reason, "not UTF-8");
  EXPECT_TRUE(got.rejected[0].reason.starts_with("not JSON")) << got.rejected[0].reason;
}

TEST(TelemetryJson, LinesOfNothingAreNoPoints) {
  for (const char* body : {"", "\n", "\r\n \n\t"}) {
    const ParsedPoints got = parsed_lines(body);
    EXPECT_TRUE(got.points.empty());
    EXPECT_EQ(got.rejected_count, 0u);
  }
}

TEST(TelemetryJson, BadElementsAreNamedAndGoodOnesStand) {
  const ParsedPoints got = parsed(
      R"([{"deviceId":"a","fields":{"x":1}}, 5, {"deviceId":"b","fields":{"x":null}}, {"deviceId":"c","fields":{"x":2}}])");
  ASSERT_EQ(got.points.size(), 2u);
  EXPECT_EQ(got.points[0].index, 0u);
  EXPECT_EQ(got.points[1].index, 3u);
  EXPECT_EQ(got.points[1].device, "c");
  ASSERT_EQ(got.rejected.size(), 2u);
  EXPECT_EQ(got.rejected_count, 2u);
  EXPECT_EQ(got.rejected[0].index, 1u);
  EXPECT_EQ(got.rejected[0].reason, "not an object");
  EXPECT_EQ(got.rejected[1].index, 2u);
  EXPECT_EQ(got.rejected[1].reason, "fields.x: not a finite number, boolean or string");
  EXPECT_EQ(got.rejected[1].original, "");
}

TEST(TelemetryJson, FlatShapeNeedsADeviceFromTheRequest) {
  const ParsedPoints got = parsed(R"([{"T1":1,"ts":5},{"T2":"x"}])", "d");
  ASSERT_EQ(got.points.size(), 2u);
  EXPECT_EQ(got.points[0].device, "d");
  EXPECT_EQ(got.points[0].ts_ms, 5);
  EXPECT_EQ(got.points[0].fields, (Fields{{"T1", int64_t{1}}}));
  EXPECT_EQ(got.points[1].ts_ms, std::nullopt);
  EXPECT_EQ(reason(R"({"ts":5})", "d"), "values: empty");
  EXPECT_EQ(reason(R"({"T1":1})"), "deviceId: missing");
  EXPECT_EQ(reason(R"({})", "d"), "values: empty");
  EXPECT_EQ(reason(R"({"T1":[1]})", "d"), "values.T1: not a finite number, boolean or string");
}

TEST(TelemetryJson, TimedShape) {
  const ParsedPoints got = parsed(R"([{"ts":1769517296789,"values":{"T1":1}},{"values":{"T1":2}}])", "d");
  ASSERT_EQ(got.points.size(), 2u);
  EXPECT_EQ(got.points[0].ts_ms, 1769517296789);
  EXPECT_EQ(got.points[0].fields, (Fields{{"T1", int64_t{1}}}));
  EXPECT_EQ(got.points[1].ts_ms, std::nullopt);
}

TEST(TelemetryJson, TheElementsOwnDeviceBeatsTheRequests) {
  const ParsedPoints got = parsed(R"([{"deviceId":"own","fields":{"x":1}},{"fields":{"x":1}}])", "d");
  ASSERT_EQ(got.points.size(), 2u);
  EXPECT_EQ(got.points[0].device, "own");
  EXPECT_EQ(got.points[1].device, "d");
}

TEST(TelemetryJson, NamesMustBeTexts) {
  EXPECT_EQ(reason(R"({"deviceId":7,"fields":{"x":1}})"), "deviceId: not a string");
  EXPECT_EQ(reason(R"({"deviceId":"","fields":{"x":1}})"), "deviceId: empty");
  EXPECT_EQ(reason(R"({"fields":{"x":1}})"), "deviceId: missing");
  EXPECT_EQ(reason(R"({"deviceId":"d","siteId":1,"fields":{"x":1}})"), "siteId: not a string");
  EXPECT_EQ(reason(R"({"deviceId":"d","tags":{"a":1},"fields":{"x":1}})"), "tags.a: not a string");
  EXPECT_EQ(reason(R"({"deviceId":"d","tags":[],"fields":{"x":1}})"), "tags: not an object");
}

TEST(TelemetryJson, NullStandsForNotGiven) {
  const ParsedPoints got = parsed(R"({"deviceId":"d","siteId":null,"ts":null,"tags":null,"fields":{"x":1}})");
  ASSERT_EQ(got.points.size(), 1u);
  EXPECT_EQ(got.points[0].site, "");
  EXPECT_EQ(got.points[0].ts_ms, std::nullopt);
}

TEST(TelemetryJson, TimesAreTextOrEpochMilliseconds) {
  const auto ts = [](std::string_view json) {
    const ParsedPoints got = parsed(R"({"deviceId":"d","fields":{"x":1},"ts":)" + std::string(json) + "}");
    return got.points.empty() ? std::nullopt : got.points[0].ts_ms;
  };
  EXPECT_EQ(ts("1769517296789"), 1769517296789);
  EXPECT_EQ(ts("1769517296789.0"), 1769517296789);
  EXPECT_EQ(ts("1.5e3"), 1500);
  EXPECT_EQ(ts("\"1769517296789\""), 1769517296789);
  EXPECT_EQ(ts("\"2026-01-27T14:34:56.789+02:00\""), 1769517296789);
  for (const char* bad : {"true", "1.5", "{}", "\"soon\"", "9223372036854775807", "18446744073709551615", "1e300"}) {
    EXPECT_EQ(reason(R"({"deviceId":"d","fields":{"x":1},"ts":)" + std::string(bad) + "}"),
              "ts: neither RFC 3339 nor epoch milliseconds")
        << bad;
  }
}

TEST(TelemetryJson, NumbersKeepTheirKind) {
  const ParsedPoints got = parsed(
      R"({"deviceId":"d","fields":{"a":9223372036854775807,"b":-9223372036854775808,"c":9223372036854775808,"d":1.0,"e":1e-400}})");
  ASSERT_EQ(got.points.size(), 1u);
  EXPECT_EQ(got.points[0].fields,
            (Fields{{"a", INT64_MAX}, {"b", INT64_MIN}, {"c", 9223372036854775808.0}, {"d", 1.0}, {"e", 0.0}}));
}

TEST(TelemetryJson, AbsurdNumbersCostTheirElementOnly) {
  for (const char* number : {"1e400", "-1e400", "18446744073709551616", "-9223372036854775809", "NaN", "Infinity",
                             "-Infinity", "123456789012345678901234567890"}) {
    const ParsedPoints got =
        parsed(R"([{"deviceId":"a","fields":{"x":1e-400,"s":"1e400 \" NaN"}},{"deviceId":"b","fields":{"y":)" +
               std::string(number) + "}}]");
    ASSERT_EQ(got.points.size(), 1u) << number;
    EXPECT_EQ(got.points[0].fields, (Fields{{"x", 0.0}, {"s", "1e400 \" NaN"}})) << number;
    ASSERT_EQ(got.rejected.size(), 1u) << number;
    EXPECT_EQ(got.rejected[0].reason, "fields.y: not a finite number, boolean or string");
  }
}

TEST(TelemetryJson, WhatIsNoValueIsNamed) {
  EXPECT_EQ(field_reason(R"({"a":{"b":1}})"), "fields.a: not a finite number, boolean or string");
  EXPECT_EQ(field_reason(R"({"a":[]})"), "fields.a: not a finite number, boolean or string");
  EXPECT_EQ(field_reason(R"({"a":null})"), "fields.a: not a finite number, boolean or string");
  EXPECT_EQ(field_reason(R"({})"), "fields: empty");
  EXPECT_EQ(field_reason(R"([])"), "fields: not an object");
  EXPECT_EQ(reason(R"({"deviceId":"d"})"), "fields: missing");
  EXPECT_EQ(reason(R"({"deviceId":"d","T1":5})", "e"), "fields: missing");
}

TEST(TelemetryJson, NamesHaveNoControlCharactersAndALimit) {
  EXPECT_EQ(field_reason(R"({"":1})"), "fields: an empty name");
  EXPECT_EQ(field_reason(R"({"a\nb":1})"), "fields: a name with control characters");
  EXPECT_EQ(field_reason("{\"a\x7f\":1}"), "fields: a name with control characters");
  EXPECT_EQ(field_reason("{\"a\\u0085\":1}"), "fields: a name with control characters");
  const std::string longest(kFieldNameBytesMax, 'n');
  EXPECT_EQ(parsed(R"({"deviceId":"d","fields":{")" + longest + R"(":1,"Температура °C":2}})").points.size(), 1u);
  EXPECT_EQ(field_reason("{\"" + longest + "n\":1}"),
            "fields." + std::string(64, 'n') + "…: name longer than 256 bytes");
}

TEST(TelemetryJson, LimitsOfAPoint) {
  const auto many = [](size_t count) {
    std::string json = "{";
    for (size_t i = 0; i < count; ++i) json += (i ? ",\"f" : "\"f") + std::to_string(i) + "\":1";
    return json + "}";
  };
  EXPECT_EQ(parsed(R"({"deviceId":"d","fields":)" + many(kFieldsPerPointMax) + "}").points.size(), 1u);
  EXPECT_EQ(field_reason(many(kFieldsPerPointMax + 1)), "fields: more than 256 of them");
  const std::string longest(kStringFieldBytesMax, 's');
  EXPECT_EQ(parsed(R"({"deviceId":"d","fields":{"s":")" + longest + "\"}}").points.size(), 1u);
  EXPECT_EQ(field_reason("{\"s\":\"" + longest + "s\"}"), "fields.s: string longer than 65536 bytes");
}

TEST(TelemetryJson, OfARepeatedNameTheLastCounts) {
  const ParsedPoints got = parsed(R"({"deviceId":"x","deviceId":"y","fields":{"a":1,"b":2,"a":3}})");
  ASSERT_EQ(got.points.size(), 1u);
  EXPECT_EQ(got.points[0].device, "y");
  EXPECT_EQ(got.points[0].fields, (Fields{{"a", int64_t{3}}, {"b", int64_t{2}}}));
}

TEST(TelemetryJson, WhatIsNotJsonFailsAsAWhole) {
  EXPECT_EQ(whole_body_reason(""), "empty, JSON expected");
  EXPECT_EQ(whole_body_reason(" \n"), "empty, JSON expected");
  EXPECT_EQ(whole_body_reason("5"), "neither an object nor an array");
  EXPECT_EQ(whole_body_reason("null"), "neither an object nor an array");
  EXPECT_EQ(whole_body_reason("{\"a\":\"\xC3\x28\"}"), "not UTF-8");
  EXPECT_EQ(whole_body_reason("{\"a\":1"), "not JSON");
  EXPECT_EQ(whole_body_reason("{\"a\":01}"), "not JSON: a number that is none or is out of range");
  EXPECT_EQ(whole_body_reason("{\"a\":1}{"), "not JSON");
  EXPECT_EQ(whole_body_reason("{\"a\":\"\\ud800\"}"), "not JSON: a bad escape in a string");
  EXPECT_EQ(whole_body_reason(std::string(100'000, '[') + std::string(100'000, ']')), "not JSON: nested too deeply");
}

TEST(TelemetryJson, AByteOrderMarkIsForgiven) { EXPECT_EQ(parsed("\xEF\xBB\xBF{\"x\":1}", "d").points.size(), 1u); }

TEST(TelemetryJson, AnEmptyArrayIsNothing) {
  EXPECT_TRUE(parsed("[]").points.empty());
  EXPECT_EQ(parsed("[]").rejected_count, 0u);
}

TEST(TelemetryJson, ReasonsAreListedUpToALimitButAllCounted) {
  std::string body = "[1";
  for (int i = 0; i < 4999; ++i) body += ",1";
  const ParsedPoints got = parsed(body + "]");
  EXPECT_EQ(got.rejected.size(), kRejectedListedMax);
  EXPECT_EQ(got.rejected_count, 5000u);
}

}  // namespace
}  // namespace millstream::codec
