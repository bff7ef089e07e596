#include "base/time_text.h"

#include <gtest/gtest.h>

#include <random>

namespace millstream {
namespace {

int64_t parsed(std::string_view text) {
  const Result<int64_t> time = parse_rfc3339(text);
  EXPECT_TRUE(time.ok()) << text;
  return time ? *time : -1;
}

TEST(TimeText, PrintsMillisecondsInUtc) {
  EXPECT_EQ(rfc3339_ms(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339_ms(1769517296789), "2026-01-27T12:34:56.789Z");
  EXPECT_EQ(rfc3339_ms(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(rfc3339_ms(951782400000), "2000-02-29T00:00:00.000Z");
}

TEST(TimeText, TimesOutsideFourDigitYearsAreClamped) {
  EXPECT_EQ(rfc3339_ms(INT64_MIN), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339_ms(INT64_MAX), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(parsed("0000-01-01T00:00:00+23:59"), kTimeMsMin);
  EXPECT_EQ(parsed("9999-12-31T23:59:59-23:59"), kTimeMsMax);
}

TEST(TimeText, ReadsOffsetsFractionsAndLowerCase) {
  EXPECT_EQ(parsed("2026-01-27T12:34:56.789Z"), 1769517296789);
  EXPECT_EQ(parsed("2026-01-27t12:34:56.789z"), 1769517296789);
  EXPECT_EQ(parsed("2026-01-27 12:34:56.789Z"), 1769517296789);
  EXPECT_EQ(parsed("2026-01-27T14:34:56.789+02:00"), 1769517296789);
  EXPECT_EQ(parsed("2026-01-27T07:04:56.789-05:30"), 1769517296789);
  EXPECT_EQ(parsed("2026-01-27T12:34:56Z"), 1769517296000);
  EXPECT_EQ(parsed("2026-01-27T12:34:56.7Z"), 1769517296700);
  EXPECT_EQ(parsed("2026-01-27T12:34:56.78Z"), 1769517296780);
}

TEST(TimeText, FractionsAreCutNotRounded) {
  EXPECT_EQ(parsed("2026-01-27T12:34:56.789999999Z"), 1769517296789);
  EXPECT_EQ(parsed("1969-12-31T23:59:59.9999Z"), -1);
}

TEST(TimeText, LeapSecondIsTheNextSecond) { EXPECT_EQ(parsed("2016-12-31T23:59:60Z"), parsed("2017-01-01T00:00:00Z")); }

TEST(TimeText, WhatIsNotRfc3339IsRefused) {
  for (const char* text : {"",
                           "2026-01-27",
                           "2026-01-27T12:34:56",
                           "2026-01-27T12:34Z",
                           "2026-1-27T12:34:56Z",
                           "2026-02-29T00:00:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-01-00T00:00:00Z",
                           "2026-01-27T24:00:00Z",
                           "2026-01-27T12:60:00Z",
                           "2026-01-27T12:34:61Z",
                           "2026-01-27T12:34:56.Z",
                           "2026-01-27T12:34:56.1234567890Z",
                           "2026-01-27T12:34:56.789",
                           "2026-01-27T12:34:56+2:00",
                           "2026-01-27T12:34:56+0200",
                           "2026-01-27T12:34:56+24:00",
                           "2026-01-27T12:34:56Zx",
                           " 2026-01-27T12:34:56Z",
                           "+026-01-27T12:34:56Z",
                           "2026-01-27T-2:34:56Z"}) {
    const Result<int64_t> time = parse_rfc3339(text);
    ASSERT_FALSE(time.ok()) << text;
    EXPECT_EQ(time.error().code, Code::invalid);
    EXPECT_EQ(time.error().detail, "not RFC 3339");
  }
}

TEST(TimeText, EveryPrintedTimeReadsBack) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int64_t> times(kTimeMsMin, kTimeMsMax);
  for (int i = 0; i < 20'000; ++i) {
    const int64_t ms = times(random);
    ASSERT_EQ(parsed(rfc3339_ms(ms)), ms);
  }
}

TEST(TimeText, ATimeIsRfc3339OrEpochMilliseconds) {
  EXPECT_EQ(*parse_time("1769517296789"), 1769517296789);
  EXPECT_EQ(*parse_time("-5"), -5);
  EXPECT_EQ(*parse_time("2026-01-27T12:34:56.789Z"), 1769517296789);
  for (const char* text :
       {"", "yesterday", "+5", "1.5", "0x10", " 5", "5 ", "9223372036854775807", "253402300800000"}) {
    const Result<int64_t> time = parse_time(text);
    ASSERT_FALSE(time.ok()) << text;
    EXPECT_EQ(time.error().detail, "neither RFC 3339 nor epoch milliseconds");
  }
}

TEST(TimeText, DurationsReadAndPrint) {
  EXPECT_EQ(*parse_duration_ms("500ms"), 500);
  EXPECT_EQ(*parse_duration_ms("30s"), 30'000);
  EXPECT_EQ(*parse_duration_ms("5m"), 300'000);
  EXPECT_EQ(*parse_duration_ms("24h"), 86'400'000);
  EXPECT_EQ(*parse_duration_ms("7d"), 604'800'000);
  EXPECT_EQ(*parse_duration_ms("0s"), 0);
  EXPECT_EQ(*parse_duration_ms("3650d"), 315'360'000'000);
  for (const char* text : {"", "5", "s", "5 s", "-5s", "5w", "5S", "1.5h", "3651d", "99999999999999999999s", "1h30m"}) {
    EXPECT_FALSE(parse_duration_ms(text).ok()) << text;
  }
  EXPECT_EQ(duration_text(0), "0s");
  EXPECT_EQ(duration_text(500), "500ms");
  EXPECT_EQ(duration_text(1500), "1500ms");
  EXPECT_EQ(duration_text(90'000), "90s");
  EXPECT_EQ(duration_text(86'400'000), "1d");
}

}  // namespace
}  // namespace millstream
