#include "influx/bad_lines.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "influx/line_writer.h"
#include "influx/testing.h"

namespace millstream::influx {
namespace {

using testing::Database;
using testing::telemetry;

std::string device_name(size_t i) { return "d" + std::to_string(i); }

Batch batch_of(size_t lines, const std::function<model::Fields(size_t)>& fields_of) {
  Batch batch;
  for (size_t i = 0; i < lines; ++i) {
    const size_t before = batch.lines.size();
    append_line(telemetry(static_cast<int64_t>(i), fields_of(i), device_name(i)), batch.lines);
    batch.sizes.push_back(static_cast<uint32_t>(batch.lines.size() - before));
  }
  return batch;
}

model::Fields plain(size_t) { return {{"T1", 1.0}}; }

class BadLines : public ::testing::Test {
 protected:
  BatchOutcome write(const Batch& batch) {
    return write_batch(batch, [this](std::string_view lines) { return client_.write(lines, nullptr); });
  }
  void refuse(std::set<std::string> devices, const std::string& reason) {
    database_.refuse = [devices = std::move(devices), reason](const model::Point& point) {
      return devices.contains(point.device) ? reason : std::string();
    };
  }
  Database database_;
  InfluxClient client_{{}, testing::transport_to(database_)};
};

TEST_F(BadLines, AreFoundWhereABatchIsRefusedAsAWhole) {
  database_.refuses_whole_batch = true;
  refuse({"d3", "d700", "d701"}, "unable to parse");
  const BatchOutcome outcome = write(batch_of(1000, plain));
  EXPECT_EQ(outcome.last.kind, WriteOutcome::Kind::done);
  ASSERT_EQ(outcome.bad.size(), 3u);
  EXPECT_EQ(outcome.bad[0].line.substr(0, 29), "telemetry,account=a,device=d3");
  EXPECT_EQ(outcome.bad[0].reason, "unable to parse");
  EXPECT_EQ(database_.points.size(), 997u);
  EXPECT_LE(outcome.requests, 2u * 3 * 10 + 2);
}

TEST_F(BadLines, OfOneFieldGoApartInThreeRequests) {
  const Batch batch = batch_of(1000, [](size_t i) -> model::Fields {
    if (i % 2 == 0) return {{"mode", "auto\nnight"}};
    return {{"mode", 1.0}};
  });
  database_.refuse = [](const model::Point& point) -> std::string {
    if (!std::holds_alternative<std::string>(point.fields[0].value)) return "";
    return "field type conflict: input field \"mode\" on measurement \"telemetry\" is type string, already exists as "
           "type float";
  };
  const BatchOutcome outcome = write(batch);
  EXPECT_EQ(outcome.bad.size(), 500u);
  EXPECT_EQ(outcome.requests, 3u);
  EXPECT_EQ(database_.points.size(), 500u);
}

TEST_F(BadLines, ThatAreOnlyTooOldAreCountedAndNotLookedFor) {
  refuse({"d1", "d2"}, "points beyond retention policy");
  const BatchOutcome outcome = write(batch_of(100, plain));
  EXPECT_EQ(outcome.expired, 2u);
  EXPECT_TRUE(outcome.bad.empty());
  EXPECT_EQ(outcome.requests, 1u);
}

TEST_F(BadLines, OfABatchThatIsTooLargeAreOnlyThoseTooLargeAlone) {
  for (int i = 0; i < 2; ++i) database_.answers.push_back(HttpReply{.status = 413, .body = ""});
  const BatchOutcome outcome = write(batch_of(4, plain));
  EXPECT_EQ(database_.points.size(), 4u);
  EXPECT_TRUE(outcome.bad.empty());
  database_.answers.push_back(HttpReply{.status = 413, .body = ""});
  EXPECT_EQ(write(batch_of(1, plain)).bad.size(), 1u);
}

TEST_F(BadLines, AreNotSetAsideWhenTheServerGoesAwayMeanwhile) {
  database_.refuses_whole_batch = true;
  refuse({"d0"}, "no");
  const Batch batch = batch_of(2, plain);
  database_.answers.push_back(HttpReply{.status = 400, .body = "unable to parse"});
  database_.answers.push_back(HttpReply{.status = 400, .body = "unable to parse"});
  database_.answers.push_back(HttpReply{.status = 503, .body = ""});
  const BatchOutcome outcome = write(batch);
  EXPECT_EQ(outcome.last.kind, WriteOutcome::Kind::retry);
  EXPECT_TRUE(outcome.bad.empty());
}

TEST_F(BadLines, AreNoneWhereAllThatComesIsRefused) {
  for (const size_t lines : {1, 2, 1000}) {
    for (int i = 0; i < 20; ++i) database_.answers.push_back(HttpReply{.status = 400, .body = "bucket is required"});
    const BatchOutcome outcome = write(batch_of(lines, plain));
    EXPECT_EQ(outcome.last.kind, WriteOutcome::Kind::refused);
    EXPECT_EQ(outcome.last.reason, "bucket is required");
    EXPECT_TRUE(outcome.bad.empty());
    EXPECT_LE(outcome.requests, 1 + kProbesMax);
    database_.answers.clear();
  }
}

TEST_F(BadLines, AreFoundByWordsNobodyKnowsWhenOthersPass) {
  database_.refuses_whole_batch = true;
  refuse({"d0", "d5"}, "quux");
  const BatchOutcome outcome = write(batch_of(100, plain));
  EXPECT_EQ(outcome.last.kind, WriteOutcome::Kind::done);
  EXPECT_EQ(outcome.bad.size(), 2u);
  EXPECT_EQ(database_.points.size(), 98u);
}

TEST_F(BadLines, AreAlwaysExactlyThoseRefused) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 100; ++round) {
    const size_t lines = 1 + random() % 200;
    std::set<std::string> bad;
    for (size_t n = random() % (lines + 1) / (1 + random() % 20); n > 0; --n) bad.insert(device_name(random() % lines));
    database_ = Database();
    database_.refuses_whole_batch = random() % 2 == 0;
    refuse(bad, "unable to parse");
    const BatchOutcome outcome = write(batch_of(lines, plain));
    ASSERT_EQ(outcome.bad.size(), bad.size());
    ASSERT_EQ(database_.points.size(), lines - bad.size());
    const double most = 2 * static_cast<double>(bad.size()) * std::ceil(std::log2(static_cast<double>(lines))) + 2;
    ASSERT_LE(static_cast<double>(outcome.requests), most) << lines << " lines, " << bad.size() << " bad";
  }
}

}  // namespace
}  // namespace millstream::influx
