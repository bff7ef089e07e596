#include "net/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace millstream::net {
namespace {

TEST(TimerWheel, RunsInOrderOfTimeAndNeverEarly) {
  TimerWheel wheel(1000);
  std::vector<int> ran;
  wheel.add(1300, [&] { ran.push_back(3); });
  wheel.add(1100, [&] { ran.push_back(1); });
  wheel.add(1200, [&] { ran.push_back(2); });
  wheel.run_due(1099);
  EXPECT_TRUE(ran.empty());
  wheel.run_due(1100 + TimerWheel::kGrainMs);
  EXPECT_EQ(ran, std::vector<int>({1}));
  wheel.run_due(2000);
  EXPECT_EQ(ran, std::vector<int>({1, 2, 3}));
  EXPECT_EQ(wheel.size(), 0u);
  EXPECT_EQ(wheel.next_due_ms(), TimerWheel::kNever);
}

TEST(TimerWheel, CancelledTimerDoesNotRunEvenFromATaskOfTheSameMoment) {
  TimerWheel wheel(0);
  int ran = 0;
  TimerWheel::Id second = 0;
  wheel.add(100, [&] {
    ++ran;
    wheel.cancel(second);
  });
  second = wheel.add(100, [&] { ran += 100; });
  const TimerWheel::Id third = wheel.add(100, [&] { ran += 1000; });
  wheel.cancel(third);
  wheel.cancel(third);
  wheel.cancel(0);
  wheel.run_due(200);
  EXPECT_EQ(ran, 1);
}

TEST(TimerWheel, AnOldIdDoesNotCancelTheTimerThatTookItsPlace) {
  TimerWheel wheel(0);
  int ran = 0;
  const TimerWheel::Id old = wheel.add(10, [] {});
  wheel.run_due(100);
  wheel.add(200, [&] { ++ran; });
  wheel.cancel(old);
  wheel.run_due(300);
  EXPECT_EQ(ran, 1);
}

TEST(TimerWheel, TimerAddedByATaskWaitsForTheNextRun) {
  TimerWheel wheel(0);
  int ran = 0;
  std::function<void()> again = [&] {
    ++ran;
    wheel.add(0, again);
  };
  wheel.add(0, again);
  wheel.run_due(16);
  EXPECT_EQ(ran, 1);
  wheel.run_due(17);
  EXPECT_EQ(ran, 1);
  wheel.run_due(32);
  EXPECT_EQ(ran, 2);
}

TEST(TimerWheel, TimersBeyondARevolutionKeepTheirOrderAfterALongAbsence) {
  TimerWheel wheel(0);
  std::vector<int> ran;
  wheel.add(100'016, [&] { ran.push_back(2); });
  wheel.add(50'000, [&] { ran.push_back(1); });
  wheel.add(200'000, [&] { ran.push_back(3); });
  wheel.run_due(150'000);
  EXPECT_EQ(ran, std::vector<int>({1, 2}));
  EXPECT_GE(wheel.next_due_ms(), 200'000);
  wheel.run_due(200'016);
  EXPECT_EQ(ran.size(), 3u);
}

// Against the naive model: a map from due time to timers, looked through at every step.
TEST(TimerWheel, AgreesWithASortedMapOverRandomSteps) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  int64_t now_ms = 5'000'000;
  TimerWheel wheel(now_ms);
  std::map<int, int64_t> due;  // number of the timer -> due time
  std::map<int, TimerWheel::Id> ids;
  int next = 0;
  for (int step = 0; step < 20'000; ++step) {
    const auto dice = random() % 10;
    if (dice < 5) {
      const int number = next++;
      const int64_t due_ms = now_ms + static_cast<int64_t>(random() % (dice == 0 ? 60'000 : 300));
      due[number] = due_ms;
      ids[number] = wheel.add(due_ms, [&, number] {
        const auto it = due.find(number);
        ASSERT_NE(it, due.end()) << "ran twice or after its cancel";
        EXPECT_LE(it->second, now_ms);
        due.erase(it);
      });
    } else if (dice < 7 && next > 0) {
      const int number = static_cast<int>(random() % next);
      wheel.cancel(ids[number]);
      due.erase(number);
    } else {
      now_ms += static_cast<int64_t>(random() % (dice == 9 && step % 50 == 0 ? 30'000 : 40));
      wheel.run_due(now_ms);
      for (const auto& [number, due_ms] : due) {
        ASSERT_GT(due_ms, now_ms - TimerWheel::kGrainMs) << "timer " << number << " is late";
      }
    }
    ASSERT_EQ(wheel.size(), due.size());
    for (const auto& [number, due_ms] : due) ASSERT_LE(wheel.next_due_ms(), due_ms + TimerWheel::kGrainMs);
  }
}

}  // namespace
}  // namespace millstream::net
