#include "app/reconnect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millstream::app {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

StreamEnd status(int code) {
  StreamEnd end;
  end.status = code;
  return end;
}

StreamEnd streamed(std::optional<int64_t> retry_ms = std::nullopt) {
  StreamEnd end;
  end.status = 200;
  end.event_stream = true;
  end.received = true;
  end.retry_ms = retry_ms;
  return end;
}

TEST(Reconnect, AStreamThatEndedComesBackAfterWhatTheServerAskedFor) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    ReconnectPolicy policy(seed);
    const Reconnect next = policy.next(streamed(4'000));
    EXPECT_FALSE(next.stop);
    EXPECT_THAT(next.wait_ms, AllOf(Ge(4'000), Le(5'000))) << "seed " << seed;
  }
}

TEST(Reconnect, FailuresInARowBackOffToThirtySecondsAndNotInStep) {
  int64_t shortest = INT64_MAX;
  int64_t longest = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    ReconnectPolicy policy(seed);
    int64_t ceiling = ReconnectPolicy::kBaseMs;
    for (int failure = 1; failure <= 20; ++failure) {
      ceiling = std::min(ceiling * 2, ReconnectPolicy::kCeilingMs);
      const Reconnect next = policy.next(status(0));
      ASSERT_FALSE(next.stop);
      ASSERT_THAT(next.wait_ms, AllOf(Ge(ReconnectPolicy::kBaseMs), Le(ceiling))) << "seed " << seed;
      if (failure < 20) continue;
      shortest = std::min(shortest, next.wait_ms);
      longest = std::max(longest, next.wait_ms);
    }
  }
  EXPECT_LT(shortest, 6'000);
  EXPECT_GT(longest, 27'000);
}

TEST(Reconnect, BytesReceivedForgetTheFailuresBefore) {
  ReconnectPolicy policy(1);
  for (int i = 0; i < 10; ++i) policy.next(status(0));
  EXPECT_LE(policy.next(streamed(2'000)).wait_ms, 2'500);
}

TEST(Reconnect, AStreamThatEndsBeforeAnyByteCountsAsAFailure) {
  ReconnectPolicy policy(7);
  StreamEnd empty = streamed(20'000);
  empty.received = false;
  int64_t longest = 0;
  for (int i = 0; i < 50; ++i) longest = std::max(longest, policy.next(empty).wait_ms);
  EXPECT_GT(longest, 25'000);
}

TEST(Reconnect, RetryAfterIsKept) {
  ReconnectPolicy policy(1);
  StreamEnd end = status(503);
  end.retry_after_ms = 120'000;
  EXPECT_EQ(policy.next(end).wait_ms, 120'000);
}

TEST(Reconnect, WhatMayPassIsTriedAgain) {
  for (const int code : {0, 408, 425, 429, 500, 502, 503, 504, 507}) {
    ReconnectPolicy policy(1);
    EXPECT_FALSE(policy.next(status(code)).stop) << code;
  }
}

TEST(Reconnect, NothingMoreToComeEndsWell) {
  ReconnectPolicy policy(1);
  const Reconnect next = policy.next(status(204));
  EXPECT_TRUE(next.stop);
  EXPECT_EQ(next.exit_code, 0);
}

TEST(Reconnect, RefusalsStopWithTheServersWords) {
  for (const int code : {301, 400, 401, 403, 404, 406}) {
    ReconnectPolicy policy(1);
    StreamEnd end = status(code);
    end.detail = "topic \"account:2\" is not allowed";
    const Reconnect next = policy.next(end);
    EXPECT_TRUE(next.stop);
    EXPECT_EQ(next.exit_code, 2);
    EXPECT_THAT(next.message, AllOf(HasSubstr(std::to_string(code)), HasSubstr("account:2"))) << code;
  }
}

TEST(Reconnect, APageInsteadOfAStreamStops) {
  ReconnectPolicy policy(1);
  const Reconnect next = policy.next(status(200));
  EXPECT_TRUE(next.stop);
  EXPECT_THAT(next.message, HasSubstr("not an event stream"));
}

TEST(Reconnect, NonsenseRetryTimesAreBounded) {
  ReconnectPolicy policy(1);
  EXPECT_THAT(policy.next(streamed(0)).wait_ms, AllOf(Ge(100), Le(125)));
  EXPECT_THAT(policy.next(streamed(int64_t{1} << 60)).wait_ms, AllOf(Ge(30'000), Le(37'500)));
}

TEST(Watchdog, BarksAfterAMinuteWithoutBytes) {
  Watchdog watchdog(1'000);
  EXPECT_FALSE(watchdog.barks(60'999));
  EXPECT_TRUE(watchdog.barks(61'000));
  watchdog.bytes_came(50'000);
  EXPECT_FALSE(watchdog.barks(109'999));
  EXPECT_TRUE(watchdog.barks(110'000));
}

}  // namespace
}  // namespace millstream::app
