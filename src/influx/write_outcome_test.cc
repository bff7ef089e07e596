#include "influx/write_outcome.h"

#include <gtest/gtest.h>

namespace millstream::influx {
namespace {

using Kind = WriteOutcome::Kind;

WriteOutcome outcome(int status, std::string body = "", std::optional<int64_t> retry_after_ms = {}) {
  return outcome_of(HttpReply{.status = status, .body = std::move(body), .retry_after_ms = retry_after_ms});
}

TEST(WriteOutcome, KnowsWhatPassesAndWhatDoesNot) {
  for (const int status : {200, 204}) EXPECT_EQ(outcome(status).kind, Kind::done) << status;
  for (const int status : {408, 429, 500, 502, 503, 504}) EXPECT_EQ(outcome(status).kind, Kind::retry) << status;
  for (const int status : {400, 422}) EXPECT_EQ(outcome(status).kind, Kind::bad) << status;
  for (const int status : {301, 401, 403, 404, 405}) EXPECT_EQ(outcome(status).kind, Kind::refused) << status;
  EXPECT_EQ(outcome(413).kind, Kind::too_large);
  const WriteOutcome none = outcome_of(Error{Code::unavailable, "connection refused"});
  EXPECT_EQ(none.kind, Kind::retry);
  EXPECT_EQ(none.reason, "connection refused");
}

TEST(WriteOutcome, WaitsAsLongAsAskedButNotForEver) {
  EXPECT_EQ(outcome(503, "", 2'000).retry_after_ms, 2'000);
  EXPECT_EQ(outcome(429, "", 86'400'000).retry_after_ms, kRetryAfterMsMax);
  EXPECT_EQ(outcome(503).retry_after_ms, std::nullopt);
}

TEST(WriteOutcome, ReadsTheWordsOfVersion1) {
  const WriteOutcome conflict = outcome(
      400,
      R"({"error":"partial write: field type conflict: input field \"T1\" on measurement \"telemetry\" is type string, already exists as type float dropped=7"})");
  EXPECT_TRUE(conflict.others_stored);
  EXPECT_EQ(conflict.dropped, 7u);
  EXPECT_EQ(conflict.conflict, (TypeConflict{"T1", "string"}));
  EXPECT_FALSE(conflict.expired);
  const WriteOutcome old = outcome(400, R"({"error":"partial write: points beyond retention policy dropped=3"})");
  EXPECT_TRUE(old.expired && old.others_stored);
  EXPECT_EQ(old.dropped, 3u);
  EXPECT_FALSE(outcome(400, R"({"error":"unable to parse 'x': missing fields"})").others_stored);
  EXPECT_TRUE(outcome(404, R"({"error":"database not found: \"x\""})").is_missing);
  const WriteOutcome no_policy = outcome(500, R"({"error":"retention policy not found: millstream"})");
  EXPECT_EQ(no_policy.kind, Kind::refused);
  EXPECT_TRUE(no_policy.is_missing);
}

TEST(WriteOutcome, ReadsTheWordsOfVersion2) {
  const WriteOutcome conflict = outcome(
      422,
      R"({"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \"a b\" on measurement \"telemetry\" is type float, already exists as type string dropped=1"})");
  EXPECT_EQ(conflict.conflict, (TypeConflict{"a b", "float"}));
  EXPECT_TRUE(conflict.others_stored);
  const WriteOutcome old = outcome(
      422,
      R"({"message":"failure writing points to database: partial write: dropped 2 points outside retention policy of duration 24h0m0s - oldest points were at x"})");
  EXPECT_TRUE(old.expired);
  EXPECT_EQ(old.dropped, 2u);
  EXPECT_EQ(outcome(401, R"({"code":"unauthorized","message":"unauthorized access"})").reason,
            "HTTP 401: unauthorized access");
}

TEST(WriteOutcome, KeepsALongReasonShortAndItsEnd) {
  const std::string long_line(10'000, 'x');
  const WriteOutcome bad =
      outcome(400, R"({"error":"partial write: unable to parse ')" + long_line + R"(' dropped=0"})");
  EXPECT_LE(bad.reason.size(), 520u);
  EXPECT_EQ(bad.dropped, 0u);
  EXPECT_EQ(error_text("\xff not json\n"), "\xEF\xBF\xBD not json");
}

}  // namespace
}  // namespace millstream::influx
