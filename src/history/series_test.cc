#include "history/series.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <random>

#include "base/limits.h"
#include "model/event.h"

namespace millstream::history {
namespace {

model::Event telemetry(int64_t ts_ms, model::Fields fields) {
  return {.id = {ts_ms, 0}, .ts_ms = ts_ms, .fields = std::move(fields)};
}

// As the log gives them.
void add(SeriesBuilder& builder, const model::Event& event) {
  for (const model::Field& field : event.fields) {
    const std::optional<double> value = model::as_number(field.value);
    if (!value) continue;
    const model::Sample sample{event.ts_ms, *value};
    builder.add(field.name, std::span(&sample, 1));
  }
}

SeriesBuilder builder(SeriesRequest request) {
  Result<SeriesBuilder> made = SeriesBuilder::make(std::move(request));
  EXPECT_TRUE(made.ok());
  return std::move(*made);
}

TEST(Series, BucketsKeepTheExtremesAndLeaveGaps) {
  SeriesBuilder b = builder({.fields = {"t"}, .start_ms = 1000, .end_ms = 2000, .points = 10});
  for (int64_t t = 1000; t < 1100; t += 10)
    add(b, telemetry(t, {{"t", static_cast<double>(t == 1050 ? 99 : t == 1060 ? -99 : 5)}}));
  add(b, telemetry(1950, {{"t", int64_t{7}}}));
  const SeriesResult r = std::move(b).result();
  EXPECT_EQ(r.step_ms, 100);
  const std::vector<Bucket>& t = r.buckets.at("t");
  ASSERT_EQ(t.size(), 2u) << "empty buckets are left out";
  EXPECT_EQ(t[0].t_ms, 1000);
  EXPECT_EQ(t[0].min, -99);
  EXPECT_EQ(t[0].max, 99);
  EXPECT_EQ(t[0].count, 10u);
  EXPECT_DOUBLE_EQ(t[0].avg, 4.0);
  EXPECT_EQ(t[0].last, 5);
  EXPECT_EQ(t[1].t_ms, 1900);
  EXPECT_EQ(t[1].last, 7);
}

TEST(Series, TheSameMomentAgainCountsOnceAndTheLastWriteWins) {
  SeriesBuilder b = builder({.fields = {"t"}, .start_ms = 0, .end_ms = 1000, .points = 1});
  add(b, telemetry(10, {{"t", 100.0}}));
  add(b, telemetry(20, {{"t", 1.0}}));
  add(b, telemetry(10, {{"t", 3.0}}));
  const Bucket bucket = std::move(b).result().buckets.at("t").at(0);
  EXPECT_EQ(bucket.count, 2u);
  EXPECT_EQ(bucket.max, 3);
  EXPECT_EQ(bucket.last, 1);
}

TEST(Series, AnAverageIsNeverOutsideTheExtremes) {
  SeriesBuilder b = builder({.fields = {"huge", "t"}, .start_ms = 0, .end_ms = 1000, .points = 1});
  // Three times 0.1 is rounded up, and two of the huge ones are infinity.
  for (int64_t ts = 0; ts < 3; ++ts) add(b, telemetry(ts, {{"t", 0.1}, {"huge", 1.5e308}}));
  const SeriesResult r = std::move(b).result();
  for (const char* field : {"t", "huge"}) {
    const Bucket& bucket = r.buckets.at(field).at(0);
    EXPECT_EQ(bucket.avg, bucket.max) << field;
    EXPECT_EQ(bucket.avg, bucket.min) << field;
  }
}

TEST(Series, LatePointsStandInTheirOwnTime) {
  SeriesBuilder b = builder({.fields = {"t"}, .start_ms = 0, .end_ms = 100, .points = 10});
  add(b, telemetry(95, {{"t", 2.0}}));
  add(b, telemetry(5, {{"t", 1.0}}));
  const std::vector<Bucket> t = std::move(b).result().buckets.at("t");
  ASSERT_EQ(t.size(), 2u);
  EXPECT_EQ(t[0].t_ms, 0);
  EXPECT_EQ(t[1].t_ms, 90);
}

TEST(Series, StringsAreLeftOutAndBooleansCount) {
  SeriesBuilder b = builder({.start_ms = 0, .end_ms = 100, .points = 1});
  add(b, telemetry(5, {{"door", true}, {"state", std::string("on")}}));
  const SeriesResult r = std::move(b).result();
  EXPECT_EQ(r.buckets.size(), 1u);
  EXPECT_EQ(r.buckets.at("door").at(0).last, 1);
}

TEST(Series, RawGivesTheNewestPointsAndSaysWhenOthersWereLeftOut) {
  SeriesBuilder b = builder({.start_ms = 0, .end_ms = 100, .points = 3, .raw = true});
  for (int64_t t = 0; t < 10; ++t) add(b, telemetry(t, {{"t", static_cast<double>(t)}}));
  const SeriesResult r = std::move(b).result();
  ASSERT_EQ(r.raw.at("t").size(), 3u);
  EXPECT_EQ(r.raw.at("t").front().t_ms, 7);
  EXPECT_TRUE(r.truncated);
}

TEST(Series, RawIsWhatSortingEverythingWouldGiveHoweverLateAndOftenPointsCome) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    const size_t points = 1 + random() % 50;
    SeriesBuilder b = builder({.start_ms = 0, .end_ms = 5000, .points = points, .raw = true});
    std::map<int64_t, double> all;  // the last write of each moment
    for (int i = 0; i < 2000; ++i) {
      const auto t = std::clamp<int64_t>(2 * i - static_cast<int64_t>(random() % 900), 0, 4999);
      const auto value = static_cast<double>(random() % 1000);
      add(b, telemetry(t, {{"t", value}}));
      all[t] = value;
    }
    const SeriesResult r = std::move(b).result();
    const std::vector<RawPoint>& raw = r.raw.at("t");
    ASSERT_EQ(raw.size(), points);
    EXPECT_TRUE(r.truncated);
    auto expected = std::prev(all.end(), static_cast<ptrdiff_t>(points));
    for (const RawPoint& point : raw) {
      ASSERT_EQ(point.t_ms, expected->first);
      ASSERT_EQ(point.value, expected->second);
      ++expected;
    }
  }
}

TEST(Series, RawOfAllThereIsSaysThatNothingWasLeftOut) {
  SeriesBuilder b = builder({.start_ms = 0, .end_ms = 1000, .points = 5, .raw = true});
  for (int round = 0; round < 100; ++round) {
    for (int64_t t = 0; t < 5; ++t) add(b, telemetry(t, {{"t", static_cast<double>(round)}}));
  }
  const SeriesResult r = std::move(b).result();
  ASSERT_EQ(r.raw.at("t").size(), 5u);
  EXPECT_EQ(r.raw.at("t").front().value, 99);
  EXPECT_FALSE(r.truncated);
}

TEST(Series, LimitsAreNamed) {
  EXPECT_EQ(SeriesBuilder::make({.start_ms = 5, .end_ms = 5}).error().code, Code::invalid);
  const auto points = SeriesBuilder::make({.start_ms = 0, .end_ms = 5, .points = kSeriesPointsMax + 1});
  ASSERT_FALSE(points.ok());
  EXPECT_EQ(points.error().code, Code::unprocessable);
  EXPECT_NE(points.error().detail.find(std::to_string(kSeriesPointsMax)), std::string::npos);
}

}  // namespace
}  // namespace millstream::history
