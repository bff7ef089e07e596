#include "app/jwks_schedule.h"

#include <gtest/gtest.h>

namespace millstream::app {
namespace {

using Due = JwksSchedule::Due;

constexpr int64_t kSecond = 1000;
constexpr int64_t kRefresh = 600 * kSecond;
constexpr int64_t kRefetch = 30 * kSecond;

// Runs a fetch that begins and ends at this time.
void fetch(JwksSchedule& schedule, int64_t now_ms, bool good) {
  EXPECT_EQ(schedule.due(now_ms), Due::fetch) << now_ms;
  schedule.began();
  good ? schedule.succeeded(now_ms) : schedule.failed(now_ms);
}

TEST(JwksSchedule, TheFirstFetchIsDueAtOnceAndTheNextWhenRefreshHasPassed) {
  JwksSchedule schedule(kRefresh, kRefetch);
  EXPECT_FALSE(schedule.has_keys());
  fetch(schedule, 0, true);
  EXPECT_TRUE(schedule.has_keys());
  EXPECT_EQ(schedule.due(kRefresh - 1), Due::nothing);
  EXPECT_EQ(schedule.next_ms(), kRefresh);
  EXPECT_EQ(schedule.due(kRefresh), Due::fetch);
}

TEST(JwksSchedule, WithoutKeysItTriesEveryFiveSecondsAndWithKeysEveryThirty) {
  JwksSchedule schedule(kRefresh, kRefetch);
  for (int64_t now = 0; now < 60 * kSecond; now += 5 * kSecond) fetch(schedule, now, false);
  fetch(schedule, 60 * kSecond, true);
  fetch(schedule, 60 * kSecond + kRefresh, false);
  EXPECT_EQ(schedule.next_ms(), 90 * kSecond + kRefresh);
  JwksSchedule quick(kSecond, kRefetch);
  fetch(quick, 0, false);
  EXPECT_EQ(quick.next_ms(), kSecond) << "never later than without the failure";
}

TEST(JwksSchedule, AnUnknownKeyBringsOneFetchForwardInEachSpan) {
  JwksSchedule schedule(kRefresh, kRefetch);
  fetch(schedule, 0, true);
  EXPECT_TRUE(schedule.want(kSecond));
  EXPECT_FALSE(schedule.want(kSecond)) << "it is under way already";
  fetch(schedule, kSecond, true);
  for (int64_t now = kSecond; now < kSecond + kRefetch; now += 100) {
    EXPECT_FALSE(schedule.want(now)) << now;
    EXPECT_EQ(schedule.due(now), Due::nothing) << now;
  }
  EXPECT_TRUE(schedule.want(kSecond + kRefetch));
  EXPECT_EQ(schedule.due(kSecond + kRefetch), Due::fetch);
}

TEST(JwksSchedule, WhatIsWantedDuringAFetchIsFetchedAfterIt) {
  JwksSchedule schedule(kRefresh, kRefetch);
  schedule.began();
  EXPECT_TRUE(schedule.want(100)) << "the answer under way may be from before the key was there";
  schedule.succeeded(200);
  EXPECT_EQ(schedule.due(200), Due::fetch);
}

TEST(JwksSchedule, KeysAreKeptForADayAfterTheLastGoodFetchAndThenDropped) {
  JwksSchedule schedule(kRefresh, kRefetch);
  fetch(schedule, 0, true);
  fetch(schedule, kRefresh, true);
  const int64_t end = kRefresh + JwksSchedule::kKeepMs;
  int64_t now = schedule.next_ms();
  while (schedule.due(now) == Due::fetch) {
    schedule.began();
    schedule.failed(now);
    now = schedule.next_ms();
  }
  EXPECT_EQ(now, end) << "not before, and not after the next try";
  EXPECT_EQ(schedule.due(end), Due::drop);
  schedule.dropped();
  EXPECT_FALSE(schedule.has_keys());
  now = schedule.next_ms();
  EXPECT_LE(now, end + JwksSchedule::kRetryKeptMs);
  fetch(schedule, now, false);
  EXPECT_EQ(schedule.next_ms(), now + JwksSchedule::kRetryMs) << "and it goes on trying";
  fetch(schedule, schedule.next_ms(), true);
  EXPECT_TRUE(schedule.has_keys());
}

}  // namespace
}  // namespace millstream::app
