#include "app/log_replay.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "log/hour_file.h"
#include "log/sqlite_event_log.h"
#include "log/test_log.h"

namespace millstream::app {
namespace {

using model::EventId;

class LogReplayTest : public ::testing::Test {
 protected:
  ~LogReplayTest() override { std::filesystem::remove_all(directory_); }

  void start() {
    log_ = log::make_sqlite_event_log({.directory = directory_}, clock_, metrics_.emplace_back());
    ASSERT_TRUE(log_->start().ok());
  }
  EventId append_then_an_hour_passes() {
    const auto receipt = log::append_and_wait(*log_, {log::test_event("account:1/site:1/device:1", 1)});
    EXPECT_TRUE(receipt.ok());
    clock_.advance_ms(kHourMs);
    return receipt ? receipt->last : EventId();
  }
  // Every page behind `after`, as a session asks for them: the ids that came, and the parts declared as lost.
  void follow(EventId after) {
    LogReplay replay({.retention_ms = kDayMs}, *log_, readers_, loop_, clock_);
    const EventId end = log_->last_id();
    while (after < end) {
      const Result<hub::ReplayPage> page = replay.read_page({.after = after, .until = end});
      ASSERT_TRUE(page.ok());
      if (page->trimmed_to) lost_.emplace_back(after, *page->trimmed_to);
      if (page->frames) {
        for (const auto& event : page->frames->events()) came_.push_back(event.id);
      }
      ASSERT_GT(page->scanned_to, after);
      after = page->scanned_to;
    }
  }

  const std::string directory_ = [] {
    std::string path = ::testing::TempDir() + "millstream-replay-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    return path;
  }();
  ManualClock clock_{1'770'000'000'000};
  std::deque<metrics::Registry> metrics_;
  std::unique_ptr<log::EventLog> log_;
  net::Loop loop_{clock_};
  WorkQueue readers_{"test", 1, 1};
  std::vector<EventId> came_;
  std::vector<std::pair<EventId, EventId>> lost_;
};

TEST_F(LogReplayTest, DamagedHourIsDeclaredAndWhatLiesAroundItComes) {
  start();
  std::vector<EventId> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(append_then_an_hour_passes());
  log_->stop();
  std::ofstream(log::hour_file_path(directory_, log::hour_of(ids[2])), std::ios::in | std::ios::out | std::ios::binary)
      << "this is no database, it only looks like a file";
  start();
  follow(ids[0]);
  EXPECT_EQ(came_, (std::vector<EventId>{ids[1], ids[3], ids[4]}));
  ASSERT_EQ(lost_.size(), 1u);
  EXPECT_LT(lost_[0].first, ids[2]);
  EXPECT_GE(lost_[0].first, ids[1]);
  EXPECT_GE(lost_[0].second, ids[2]);
  EXPECT_LT(lost_[0].second, ids[3]);

  // It stays known after a restart.
  log_->stop();
  start();
  came_.clear();
  lost_.clear();
  follow(ids[0]);
  EXPECT_EQ(came_.size(), 3u);
  EXPECT_EQ(lost_.size(), 1u);
  log_->stop();
}

TEST_F(LogReplayTest, IdOfALogThatIsGoneIsNotTakenForOneOfThisLog) {
  start();
  const EventId before = append_then_an_hour_passes();
  const EventId second = append_then_an_hour_passes();
  log_->stop();
  start();
  follow(before);
  EXPECT_EQ(came_, std::vector<EventId>{second});
  EXPECT_TRUE(lost_.empty());
  log_->stop();

  std::filesystem::remove_all(directory_);
  start();
  came_.clear();
  follow(before);
  EXPECT_TRUE(came_.empty());
  ASSERT_EQ(lost_.size(), 1u);
  EXPECT_EQ(lost_[0].first, before);
  EXPECT_GE(lost_[0].second, second);
  log_->stop();
}

TEST_F(LogReplayTest, ViewersWhoMissedTheSameAreReadForOnce) {
  start();
  const EventId first = append_then_an_hour_passes();
  append_then_an_hour_passes();
  const EventId end = log_->last_id();
  LogReplay replay({.retention_ms = kDayMs}, *log_, readers_, loop_, clock_);
  const auto page = [&](EventId after, EventId until, const char* pattern = "account:1/site:1") {
    return replay.read_page({.after = after, .until = until, .patterns = {*model::TopicPattern::parse(pattern)}});
  };
  const Result<hub::ReplayPage> one = page({}, end);
  const Result<hub::ReplayPage> other = page({}, end);
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_EQ(one->frames, other->frames);
  EXPECT_EQ(replay.pages_made(), 1u);

  const Result<hub::ReplayPage> behind = page({}, first);
  ASSERT_TRUE(behind.ok());
  EXPECT_EQ(behind->frames->events().size(), 1u) << "what its shard is still to deliver must not come from the log";
  EXPECT_EQ(page({}, end, "account:1/site:2")->frames, nullptr) << "what others may see is not shared";
  EXPECT_EQ(page({}, end, "account:2")->frames, nullptr);
  EXPECT_EQ(page(first, end)->frames->events().size(), 1u);
}

}  // namespace
}  // namespace millstream::app
