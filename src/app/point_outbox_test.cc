#include "app/point_outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "codec/telemetry_json.h"

namespace millstream::app {
namespace {

using testing::HasSubstr;

model::Point point(const std::string& device, int64_t ts_ms) {
  model::Point p;
  p.site = "north";
  p.device = device;
  p.ts_ms = ts_ms;
  p.fields = {{"temperature", 71.25},
              {"energy", int64_t{9'007'199'254'740'993}},
              {"door", true},
              {"state", std::string("a \"b\"")}};
  return p;
}

std::vector<model::Point> points(size_t count) {
  std::vector<model::Point> all;
  for (size_t i = 0; i < count; ++i)
    all.push_back(point("d" + std::to_string(i), 1'769'517'296'000 + static_cast<int64_t>(i)));
  return all;
}

HttpAnswer answer(int status, std::string body = "") {
  HttpAnswer a;
  a.status = status;
  a.body = std::move(body);
  return a;
}

TEST(PointOutbox, TheBodyIsWhatIngestReads) {
  PointOutbox outbox(100, 1);
  outbox.add(points(3));
  const auto parsed = codec::parse_telemetry_json(outbox.batch(), "");
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(parsed->rejected.empty());
  ASSERT_EQ(parsed->points.size(), 3u);
  model::Point expected = point("d2", 1'769'517'296'002);
  expected.index = 2;
  EXPECT_EQ(parsed->points[2], expected);
}

TEST(PointOutbox, TheSameBatchIsOfferedUntilItIsTaken) {
  PointOutbox outbox(100, 1);
  outbox.add(points(2));
  const std::string first = outbox.batch();
  for (const int status : {500, 503, 507, 429, 408}) {
    const Result<int64_t> wait_ms = outbox.settle(answer(status));
    ASSERT_TRUE(wait_ms.ok());
    EXPECT_GT(*wait_ms, 0) << status;
    outbox.add(points(1));
    EXPECT_EQ(outbox.batch(), first) << status;
  }
  EXPECT_GT(outbox.settle(Error{Code::unavailable, "connection refused"}).value(), 0);
  EXPECT_EQ(outbox.settle(answer(200, R"({"accepted":2,"rejected":[]})")).value(), 0);
  EXPECT_NE(outbox.batch(), first);
  EXPECT_EQ(outbox.counts().points_sent, 2u);
  EXPECT_EQ(outbox.counts().values_sent, 8u);
  EXPECT_EQ(outbox.counts().retries, 6u);
}

TEST(PointOutbox, RetryAfterIsKeptAndBackoffEndsAtThirtySeconds) {
  PointOutbox outbox(100, 1);
  outbox.add(points(1));
  outbox.batch();
  HttpAnswer busy = answer(429);
  busy.retry_after_ms = 77'000;
  EXPECT_EQ(outbox.settle(busy).value(), 77'000);
  for (int i = 0; i < 30; ++i) EXPECT_LE(outbox.settle(answer(503)).value(), 30'000);
  EXPECT_GE(outbox.settle(answer(503)).value(), 15'000);
}

TEST(PointOutbox, RejectedPointsAreCountedWithTheFirstReason) {
  PointOutbox outbox(100, 1);
  outbox.add(points(3));
  outbox.batch();
  ASSERT_TRUE(outbox.settle(answer(200, R"({"accepted":2,"rejected":[{"index":1,"reason":"ts: too old"}]})")).ok());
  EXPECT_EQ(outbox.counts().rejected, 1u);
  EXPECT_EQ(outbox.counts().points_sent, 2u);
  EXPECT_EQ(outbox.first_rejection(), "ts: too old");
  outbox.add(points(2));
  outbox.batch();
  ASSERT_TRUE(outbox.settle(answer(400, R"({"detail":"all bad"})")).ok());
  EXPECT_EQ(outbox.counts().rejected, 3u);
  EXPECT_TRUE(outbox.empty());
}

TEST(PointOutbox, RejectedPointsThatTheAnswerDoesNotListAreCountedToo) {
  PointOutbox outbox(100, 1);
  outbox.add(points(5));
  outbox.batch();
  ASSERT_TRUE(
      outbox.settle(answer(200, R"({"accepted":1,"rejected":[{"index":1,"reason":"x"}],"rejectedCount":4})")).ok());
  EXPECT_EQ(outbox.counts().rejected, 4u);
  EXPECT_EQ(outbox.counts().points_sent, 1u);
}

TEST(PointOutbox, RefusedCredentialsAndWrongAddressesEndIt) {
  for (const int status : {401, 403, 404, 301}) {
    PointOutbox outbox(100, 1);
    outbox.add(points(1));
    outbox.batch();
    EXPECT_FALSE(outbox.settle(answer(status, R"({"detail":"no"})")).ok()) << status;
  }
}

TEST(PointOutbox, WhenFullTheOldestAreDroppedAndCounted) {
  PointOutbox outbox(10, 1);
  outbox.add(points(15));
  EXPECT_EQ(outbox.waiting(), 10u);
  EXPECT_EQ(outbox.counts().dropped, 5u);
  EXPECT_THAT(outbox.batch(), HasSubstr("\"d5\""));
}

TEST(PointOutbox, BodiesStayBelowTheServersLimit) {
  PointOutbox outbox(100'000, 1);
  model::Point wide = point("d", 1);
  for (size_t i = wide.fields.size(); i < kFieldsPerPointMax; ++i)
    wide.fields.push_back({"f" + std::to_string(i), 1.25});
  outbox.add(std::vector<model::Point>(3000, wide));
  size_t batches = 0;
  for (; !outbox.empty(); ++batches) {
    EXPECT_LT(outbox.batch().size(), kJsonBodyBytesMax);
    ASSERT_TRUE(outbox.settle(answer(200, "{}")).ok());
  }
  EXPECT_GT(batches, 3u);
  EXPECT_EQ(outbox.counts().points_sent, 3000u);
}

}  // namespace
}  // namespace millstream::app
