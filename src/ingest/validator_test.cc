#include "ingest/validator.h"

#include <gtest/gtest.h>

#include "codec/event_json.h"

namespace millstream::ingest {
namespace {

constexpr int64_t kNow = 1'770'000'000'000;

class ValidatorTest : public ::testing::Test {
 protected:
  Validated validate(std::vector<model::Point> points, ValidatorOptions options = {}) {
    for (size_t i = 0; i < points.size(); ++i) points[i].index = i;
    const Validator validator(std::move(options), metrics);
    return validator.validate({std::move(points), {}, 0}, *model::AccountId::parse("acme"), may_write, kNow);
  }

  metrics::Registry metrics;
  Validator::MayWrite may_write = [](const model::Topic&) { return Status(); };
};

model::Point point(std::string device, std::string field, double value, std::optional<int64_t> ts = {}) {
  return {.site = "s1", .device = std::move(device), .ts_ms = ts, .fields = {{std::move(field), value}}};
}

TEST_F(ValidatorTest, PointsOfOneDeviceAndTimeBecomeOneEvent) {
  const Validated v =
      validate({point("d1", "a", 1, kNow - 5), point("d1", "b", 2, kNow - 5), point("d1", "a", 3, kNow - 4)});
  ASSERT_EQ(v.events.size(), 2u);
  EXPECT_EQ(v.points_accepted, 3u);
  EXPECT_EQ(v.events[0].topic.text(), "account:acme/site:s1/device:d1");
  EXPECT_EQ(v.events[0].ts_ms, kNow - 5);
  EXPECT_EQ(v.events[0].data, R"({"deviceId":"d1","fields":{"a":1,"b":2}})");
  EXPECT_EQ(v.events[0].fields.size(), 2u);
}

TEST_F(ValidatorTest, PointsWithOtherTagsAreOtherEvents) {
  model::Point cpu0 = point("d1", "usage", 10, kNow), cpu1 = point("d1", "usage", 90, kNow),
               more = point("d1", "idle", 5, kNow);
  cpu0.tags = {{"region", "eu"}, {"cpu", "cpu0"}};
  cpu1.tags = {{"region", "eu"}, {"cpu", "cpu1"}};
  more.tags = {{"cpu", "cpu0"}, {"region", "eu"}};
  const Validated v = validate({cpu0, cpu1, more});
  ASSERT_EQ(v.events.size(), 2u);
  EXPECT_EQ(v.points_accepted, 3u);
  EXPECT_EQ(v.events[0].data,
            R"({"deviceId":"d1","fields":{"usage":10,"idle":5},"tags":{"cpu":"cpu0","region":"eu"}})");
  EXPECT_EQ(v.events[1].data, R"({"deviceId":"d1","fields":{"usage":90},"tags":{"cpu":"cpu1","region":"eu"}})");
}

TEST_F(ValidatorTest, TheSameFieldAgainInOneRequestLastWriteWins) {
  const Validated v = validate({point("d1", "a", 1, kNow), point("d1", "a", 2, kNow)});
  ASSERT_EQ(v.events.size(), 1u);
  EXPECT_EQ(v.events[0].data, R"({"deviceId":"d1","fields":{"a":2}})");
}

TEST_F(ValidatorTest, ABadPointIsNamedAndItsNeighboursStand) {
  const Validated v = validate({point("good", "a", 1), point("bad/name", "a", 1), point("", "a", 1),
                                point("future", "a", 1, kNow + kFutureMsMax + 1),
                                point("old", "a", 1, kNow - kDayMs - 1), point("good2", "a", 1, kNow + kFutureMsMax)});
  EXPECT_EQ(v.points_accepted, 2u);
  ASSERT_EQ(v.rejected.size(), 4u);
  EXPECT_EQ(v.rejected[0].index, 1u);
  EXPECT_NE(v.rejected[0].reason.find("deviceId"), std::string::npos);
  EXPECT_NE(v.rejected[1].reason.find("device: not given"), std::string::npos);
  EXPECT_NE(v.rejected[2].reason.find("in the future"), std::string::npos);
  EXPECT_NE(v.rejected[3].reason.find("older than the retention of 1d"), std::string::npos) << v.rejected[3].reason;
}

TEST_F(ValidatorTest, TheFirstRejectionsAreListedAndAllAreCounted) {
  std::vector<model::Point> points(3000, point("bad/name", "a", 1));
  points.push_back(point("good", "a", 1));
  const Validated v = validate(std::move(points));
  EXPECT_EQ(v.points_accepted, 1u);
  EXPECT_EQ(v.rejected.size(), codec::kRejectedListedMax);
  EXPECT_EQ(v.rejected_count, 3000u);
}

TEST_F(ValidatorTest, WhatTheParserRejectedCountsWithItsOwn) {
  codec::ParsedPoints parsed;
  for (size_t i = 0; i < 1500; ++i) parsed.reject(2 * i + 1, "not an object", {});
  parsed.points = {point("bad/name", "a", 1), point("good", "a", 1)};
  const Validator validator({}, metrics);
  const Validated v = validator.validate(std::move(parsed), *model::AccountId::parse("acme"), may_write, kNow);
  EXPECT_EQ(v.points_accepted, 1u);
  EXPECT_EQ(v.rejected.size(), codec::kRejectedListedMax);
  EXPECT_EQ(v.rejected_count, 1501u);
  EXPECT_NE(metrics.prometheus_text().find("millstream_ingest_rejected_total{reason=\"malformed\"} 1500\n"),
            std::string::npos);
}

TEST_F(ValidatorTest, DefaultsNameTheSiteAndTheDevice) {
  model::Point p = point("", "a", 1);
  p.site.clear();
  const Validated v = validate({p}, {.default_site = "home", .default_device = "box"});
  ASSERT_EQ(v.events.size(), 1u);
  EXPECT_EQ(v.events[0].topic.text(), "account:acme/site:home/device:box");
}

TEST_F(ValidatorTest, WhatTheKeyMayNotWriteIsRefusedAndMarkedAsForbidden) {
  may_write = [](const model::Topic& topic) {
    return topic.device.text() == "mine" ? Status()
                                         : Status(Error{Code::forbidden, topic.device.text() + " is not yours"});
  };
  const Validated v =
      validate({point("", "a", 1), point("mine", "a", 1), point("theirs", "a", 1), point("others", "b", 1)});
  EXPECT_EQ(v.points_accepted, 1u);
  EXPECT_EQ(v.rejected.size(), 3u);
  EXPECT_EQ(v.forbidden, "theirs is not yours");
  EXPECT_EQ(validate({point("mine", "a", 1), point("", "a", 1)}).forbidden, std::nullopt);
}

TEST_F(ValidatorTest, ManyFieldsOfOneMomentBecomeSeveralEventsRatherThanOneTooLarge) {
  std::vector<model::Point> points;
  for (int i = 0; i < 1000; ++i) points.push_back(point("d1", "field_number_" + std::to_string(i), i, kNow));
  const Validated v = validate(std::move(points));
  EXPECT_EQ(v.points_accepted, 1000u);
  EXPECT_GT(v.events.size(), 1u);
  size_t fields = 0;
  for (const model::Event& event : v.events) {
    EXPECT_LE(event.data.size(), kEventBytesMax);
    fields += event.fields.size();
  }
  EXPECT_EQ(fields, 1000u);
}

TEST_F(ValidatorTest, APointThatMakesAnEventTooLargeIsRefused) {
  model::Point p = point("d1", "a", 1);
  p.fields.push_back({"text", std::string(kEventBytesMax, 'x')});
  const Validated v = validate({p, point("d2", "a", 1)});
  EXPECT_EQ(v.points_accepted, 1u);
  ASSERT_EQ(v.rejected.size(), 1u);
  EXPECT_NE(v.rejected[0].reason.find("maximum"), std::string::npos);
}

TEST_F(ValidatorTest, AllOrNothingKeepsNothingOfARequestWithABadPoint) {
  const Validator validator({}, metrics);
  const auto keep = [&](std::vector<model::Point> points, size_t bad_lines) {
    codec::ParsedPoints parsed{std::move(points), {}, 0};
    for (size_t i = 0; i < bad_lines; ++i) parsed.reject(i, "missing fields", "m");
    return validator.validate(std::move(parsed), *model::AccountId::parse("acme"), may_write, kNow,
                              Validator::Keep::all_or_nothing);
  };
  EXPECT_EQ(keep({point("d1", "a", 1), point("d2", "a", 1)}, 0).points_accepted, 2u);
  for (const Validated& v :
       {keep({point("d1", "a", 1), point("bad/name", "a", 1)}, 0), keep({point("d1", "a", 1)}, 1)}) {
    EXPECT_TRUE(v.events.empty());
    EXPECT_EQ(v.points_accepted, 0u);
    EXPECT_EQ(v.rejected_count, 1u);
    EXPECT_EQ(v.rejected.size(), 1u);
  }
}

TEST_F(ValidatorTest, NoDeviceIsAskedForWhenABadLineHasDecidedAlready) {
  const Validator validator({}, metrics);
  codec::ParsedPoints parsed{{point("d1", "a", 1)}, {}, 0};
  parsed.reject(1, "missing fields", "m");
  const auto never = [](const model::Topic&) {
    ADD_FAILURE() << "asked";
    return Status();
  };
  validator.validate(std::move(parsed), *model::AccountId::parse("acme"), never, kNow, Validator::Keep::all_or_nothing);
}

}  // namespace
}  // namespace millstream::ingest
