#include "log/retention_time.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace millstream::log {
namespace {

constexpr int64_t kStart = 1'770'000'000'000;
constexpr int64_t kMinuteMs = 60'000;

class RetentionTimeTest : public ::testing::Test {
 protected:
  RetentionTimeTest() { time_.begin(0, clock_.wall_ms(), clock_.steady_ms()); }

  bool move() { return time_.move(clock_.wall_ms(), clock_.steady_ms()); }
  // Minute by minute; how often the clock was found to have leapt.
  int pass(int64_t ms) {
    int leaps = 0;
    for (; ms > 0; ms -= kMinuteMs) {
      clock_.advance_ms(kMinuteMs);
      leaps += move() ? 1 : 0;
    }
    return leaps;
  }
  int leap(int64_t ms) {
    clock_.set_wall_ms(clock_.wall_ms() + ms);
    return move() ? 1 : 0;
  }

  ManualClock clock_{kStart};
  RetentionTime time_{kDayMs};
};

TEST_F(RetentionTimeTest, IsTheWallClocksAsLongAsThatRunsOn) {
  EXPECT_EQ(pass(3 * kDayMs), 0);
  EXPECT_EQ(time_.now_ms(), kStart + 3 * kDayMs);
  EXPECT_EQ(time_.oldest_kept_ms(), kStart + 2 * kDayMs);
  EXPECT_EQ(leap(kClockLeapMs), 0) << "a clock may be set a little";
  EXPECT_EQ(time_.now_ms(), clock_.wall_ms());
  EXPECT_FALSE(time_.doubts());
}

TEST_F(RetentionTimeTest, ALeapAheadIsHeldBackAndForgottenWhenTheClockIsBack) {
  EXPECT_EQ(leap(kDayMs), 1);
  EXPECT_EQ(time_.now_ms(), kStart);
  EXPECT_EQ(pass(2 * kHourMs), 0) << "told once";
  EXPECT_TRUE(time_.doubts());
  EXPECT_EQ(time_.ahead_ms(), kDayMs);
  EXPECT_EQ(time_.now_ms(), kStart + 2 * kHourMs);
  EXPECT_EQ(leap(-kDayMs), 0);
  EXPECT_FALSE(time_.doubts());
  EXPECT_EQ(time_.now_ms(), clock_.wall_ms());
  EXPECT_EQ(leap(kDayMs), 1) << "and the next one is one again";
}

TEST_F(RetentionTimeTest, WhatWasStoredBeforeALeapIsKeptItsTimeThenTheClockIsBelieved) {
  EXPECT_EQ(leap(30 * kDayMs), 1);
  EXPECT_EQ(pass(kDayMs - kMinuteMs), 0);
  EXPECT_LT(time_.oldest_kept_ms(), kStart);
  EXPECT_EQ(pass(kMinuteMs), 0);
  EXPECT_FALSE(time_.doubts());
  EXPECT_EQ(time_.now_ms(), kStart + 31 * kDayMs);
}

TEST_F(RetentionTimeTest, ALeapOnALeapIsDoubtedFromItsOwnTimeOn) {
  EXPECT_EQ(leap(kHourMs), 1);
  pass(kDayMs / 2);
  EXPECT_EQ(leap(kHourMs), 1);
  pass(kDayMs - kMinuteMs);
  EXPECT_TRUE(time_.doubts());
  EXPECT_EQ(time_.ahead_ms(), 2 * kHourMs);
  pass(kMinuteMs);
  EXPECT_FALSE(time_.doubts());
}

TEST_F(RetentionTimeTest, AClockSetBackIsFollowedAndWhatItThenLeapsIsHeldBack) {
  EXPECT_EQ(leap(-kDayMs), 0);
  EXPECT_EQ(time_.now_ms(), kStart - kDayMs);
  EXPECT_EQ(leap(kDayMs), 1);
  EXPECT_EQ(time_.now_ms(), kStart - kDayMs);
}

TEST_F(RetentionTimeTest, AfterAPauseItGoesOnFromWhatIsKnownAndBelievesTheClockLater) {
  RetentionTime after(kDayMs);
  after.begin(kStart - 3 * kDayMs, kStart, 0);
  EXPECT_TRUE(after.doubts());
  EXPECT_FALSE(after.move(kStart + kPauseDoubtMs - 1, kPauseDoubtMs - 1));
  EXPECT_EQ(after.now_ms(), kStart - 3 * kDayMs + kPauseDoubtMs - 1);
  EXPECT_FALSE(after.move(kStart + kPauseDoubtMs, kPauseDoubtMs));
  EXPECT_EQ(after.now_ms(), kStart + kPauseDoubtMs);
  EXPECT_FALSE(after.doubts());
}

TEST_F(RetentionTimeTest, AShortPauseAndAClockThatIsBehindNeedNoDoubt) {
  for (const int64_t known_ms : {kStart - kClockLeapMs, kStart + kDayMs}) {
    RetentionTime after(kDayMs);
    after.begin(known_ms, kStart, 0);
    EXPECT_FALSE(after.doubts());
    EXPECT_EQ(after.now_ms(), kStart);
  }
}

}  // namespace
}  // namespace millstream::log
