#include "log/append_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "log/test_log.h"

namespace millstream::log {
namespace {

using namespace std::chrono_literals;

constexpr size_t kBytesMax = 256 << 20;

std::vector<model::Event> batch(const std::string& account, size_t events, int number = 0) {
  return std::vector<model::Event>(events, test_event("account:" + account + "/site:1/device:1", number));
}

WaitingAppend appended(std::vector<model::Event> events) { return {.events = std::move(events), .done = {}}; }

// What it holds, without waiting for more.
Work take(AppendQueue& queue) { return queue.take(std::chrono::steady_clock::time_point::min()); }

std::string accounts_of(const Work& work) {
  std::string out;
  for (const WaitingAppend& append : work.appends) out += append.events.front().topic.account.text();
  return out;
}

TEST(AppendQueue, ASingleEventIsInTheNextCommitWhateverAnotherAccountHasWaiting) {
  AppendQueue queue(100'000, kBytesMax);
  queue.open();
  for (int i = 0; i < 32; ++i) ASSERT_TRUE(queue.push(appended(batch("n", 250))).ok());
  EXPECT_EQ(accounts_of(take(queue)), "nnnn");
  ASSERT_TRUE(queue.push(appended(batch("q", 1))).ok());
  EXPECT_EQ(accounts_of(take(queue)), "qnnnn");
}

TEST(AppendQueue, AFullAccountIsRefusedAloneAndHasRoomAgainWhenItsTurnHasCome) {
  AppendQueue queue(10'000, kBytesMax);
  queue.open();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(queue.push(appended(batch("n", 1000))).ok());
  const Status refused = queue.push(appended(batch("n", 1)));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_TRUE(queue.push(appended(batch("q", 100))).ok());
  EXPECT_EQ(queue.events(), 10'100u);
  EXPECT_EQ(accounts_of(take(queue)), "n");
  EXPECT_EQ(accounts_of(take(queue)), "q");
  EXPECT_TRUE(queue.push(appended(batch("n", 1000))).ok());
}

TEST(AppendQueue, BytesAreALimitToo) {
  AppendQueue queue(1'000'000, 1 << 20);
  queue.open();
  std::vector<model::Event> large = batch("n", 1);
  large.front().data.assign(300'000, 'x');
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.push(appended(large)).ok());
  EXPECT_FALSE(queue.push(appended(large)).ok());
  EXPECT_TRUE(queue.push(appended(batch("q", 1))).ok());
}

TEST(AppendQueue, ACheckpointComesAfterAllThatWasPushedBeforeIt) {
  AppendQueue queue(100'000, kBytesMax);
  queue.open();
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(queue.push(appended(batch("n", 250))).ok());
  queue.push_checkpoint("engines", {.at = {1, 0}, .state = "old"});
  queue.push_checkpoint("engines", {.at = {2, 0}, .state = "new"});
  ASSERT_TRUE(queue.push(appended(batch("q", 1))).ok());
  const Work first = take(queue);
  EXPECT_EQ(accounts_of(first), "nqnnn");
  EXPECT_TRUE(first.checkpoints.empty());
  const Work last = take(queue);
  EXPECT_EQ(accounts_of(last), "nnnn");
  ASSERT_EQ(last.checkpoints.size(), 1u);
  EXPECT_EQ(last.checkpoints.front().checkpoint.state, "new");
}

TEST(AppendQueue, StoppedItGivesWhatItHoldsAndThenTheLast) {
  AppendQueue queue(100'000, kBytesMax);
  queue.open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(queue.push(appended(batch("n", 250))).ok());
  queue.push_checkpoint("engines", {});
  queue.stop();
  EXPECT_FALSE(queue.push(appended(batch("n", 1))).ok());
  EXPECT_FALSE(take(queue).last);
  const Work last = take(queue);
  EXPECT_EQ(last.checkpoints.size(), 1u);
  EXPECT_TRUE(last.last);
}

// Whatever is pushed: nothing lost or doubled, each account's and the conclusions' own order, checkpoints behind what
// came before them, commits and the whole within their limits.
TEST(AppendQueue, KeepsItsRulesWhateverComes) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    constexpr size_t kEventsMax = 20'000;
    AppendQueue queue(kEventsMax, kBytesMax);
    queue.open();
    std::map<int, std::string> waiting;  // by number: whose
    std::map<std::string, int> last;
    int number = 0;
    int checkpoint = -1;
    size_t conclusions = 0;
    const auto take_some = [&] {
      const Work work = take(queue);
      size_t events = 0;
      for (const WaitingAppend& append : work.appends) {
        const int got = static_cast<int>(append.events.front().ts_ms);
        ASSERT_TRUE(waiting.contains(got));
        const std::string owner = waiting[got];
        ASSERT_GT(got, last[owner]) << owner;
        last[owner] = got;
        waiting.erase(got);
        events += append.events.size();
      }
      ASSERT_TRUE(events <= AppendQueue::kCommitEventsMax || work.appends.size() == 1);
      for (const WaitingCheckpoint& done : work.checkpoints) {
        ASSERT_EQ(done.checkpoint.at.ms, checkpoint) << "the newest";
        ASSERT_TRUE(waiting.empty() || waiting.begin()->first > checkpoint);
        checkpoint = -1;
      }
      ASSERT_TRUE(!waiting.empty() || checkpoint == -1) << "nothing keeps it waiting";
    };
    for (int step = 0; step < 400; ++step) {
      const uint64_t dice = random() % 20;
      if (dice < 13) {
        std::string owner(1, static_cast<char>('a' + random() % 4));
        std::vector<model::Event> events = batch(owner, 1 + random() % (random() % 8 == 0 ? 6000 : 50));
        events.front().ts_ms = ++number;
        const bool concludes = dice == 0;
        if (concludes) {
          events.resize(1);
          events.front().conclusion = ++conclusions;
          owner = "conclusions";
        }
        const bool taken = queue.push(appended(std::move(events))).ok();
        ASSERT_TRUE(taken || !concludes);
        if (taken) waiting[number] = owner;
        ASSERT_LT(queue.events(), 2 * kEventsMax + 6000);
      } else if (dice == 13) {
        checkpoint = number;
        queue.push_checkpoint("engines", {.at = {number, 0}, .state = {}});
      } else {
        take_some();
      }
    }
    while (!waiting.empty()) take_some();
    ASSERT_EQ(queue.events(), 0u);
  }
}

}  // namespace
}  // namespace millstream::log
