#include "presence/timing_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <utility>

namespace millstream::presence {
namespace {

using Fired = std::vector<std::pair<int64_t, TimingWheel::Handle>>;

void advance(TimingWheel& wheel, int64_t now_ms, Fired& fired) {
  wheel.advance(now_ms, [&](int64_t deadline, std::vector<TimingWheel::Handle>& due) {
    std::sort(due.begin(), due.end());
    for (const TimingWheel::Handle handle : due) fired.emplace_back(deadline, handle);
  });
}

TEST(TimingWheel, FiresAtTheExactMillisecondAndNotBefore) {
  TimingWheel wheel;
  Fired fired;
  advance(wheel, 1'769'517'296'789, fired);
  for (const int64_t wait : {int64_t{0}, int64_t{1}, int64_t{255}, int64_t{256}, int64_t{65'535}, int64_t{65'536},
                             int64_t{16'777'216}, int64_t{4'294'967'296}, int64_t{400'000'000'000}}) {
    const int64_t deadline = wheel.now_ms() + wait;
    wheel.schedule(7, deadline);
    fired.clear();
    if (wait > 0) advance(wheel, deadline - 1, fired);
    EXPECT_TRUE(fired.empty()) << wait;
    advance(wheel, deadline, fired);
    EXPECT_EQ(fired, (Fired{{deadline, 7}})) << wait;
    EXPECT_EQ(wheel.size(), 0u);
  }
}

TEST(TimingWheel, TimerBeyondTheLastLevelStillFiresOnTime) {
  TimingWheel wheel;
  Fired fired;
  const int64_t deadline = int64_t{1} << 42;
  wheel.schedule(0, deadline);
  advance(wheel, deadline - 1, fired);
  EXPECT_TRUE(fired.empty());
  advance(wheel, deadline + 5, fired);
  EXPECT_EQ(fired, (Fired{{deadline, 0}}));
}

TEST(TimingWheel, CancelledTimerDoesNotFireAndMovedTimerFiresOnce) {
  TimingWheel wheel;
  Fired fired;
  wheel.schedule(1, 500);
  wheel.schedule(2, 500);
  wheel.schedule(3, 500);
  wheel.cancel(2);
  wheel.cancel(2);
  wheel.cancel(99);
  wheel.schedule(3, 90'000);
  EXPECT_EQ(wheel.size(), 2u);
  advance(wheel, 100'000, fired);
  EXPECT_EQ(fired, (Fired{{500, 1}, {90'000, 3}}));
}

TEST(TimingWheel, TimerSetWhileFiringIsServedInTheSameAdvance) {
  TimingWheel wheel;
  Fired fired;
  wheel.schedule(1, 10);
  wheel.advance(100'000, [&](int64_t deadline, std::vector<TimingWheel::Handle>& due) {
    for (const TimingWheel::Handle handle : due) {
      fired.emplace_back(deadline, handle);
      if (fired.size() < 4) wheel.schedule(handle, deadline * 20);
    }
  });
  EXPECT_EQ(fired, (Fired{{10, 1}, {200, 1}, {4'000, 1}, {80'000, 1}}));
}

// Against an ordered set, with random waits over every level and random strides of time.
TEST(TimingWheel, AgreesWithAnOrderedSet) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    TimingWheel wheel;
    std::set<std::pair<int64_t, TimingWheel::Handle>> model;
    std::map<TimingWheel::Handle, int64_t> deadlines;
    Fired fired;
    int64_t now = static_cast<int64_t>(random() % 2'000'000'000'000);
    advance(wheel, now, fired);
    for (int turn = 0; turn < 300; ++turn) {
      const auto handle = static_cast<TimingWheel::Handle>(random() % 40);
      const int64_t span = int64_t{1} << (random() % 36);
      if (const auto old = deadlines.find(handle); old != deadlines.end()) {
        model.erase({old->second, handle});
        deadlines.erase(old);
        wheel.cancel(handle);
      }
      if (random() % 4 != 0) {
        const int64_t deadline = now + 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(span));
        wheel.schedule(handle, deadline);
        deadlines[handle] = deadline;
        model.insert({deadline, handle});
      }
      if (random() % 3 != 0) continue;
      now += static_cast<int64_t>(random() % (uint64_t{1} << (random() % 36)));
      fired.clear();
      advance(wheel, now, fired);
      Fired expected;
      while (!model.empty() && model.begin()->first <= now) {
        expected.push_back(*model.begin());
        deadlines.erase(model.begin()->second);
        model.erase(model.begin());
      }
      ASSERT_EQ(fired, expected);
      ASSERT_EQ(wheel.size(), model.size());
    }
  }
}

}  // namespace
}  // namespace millstream::presence
