#include "auth/rate_limits.h"

#include <gtest/gtest.h>

namespace millstream::auth {
namespace {

model::Grants grants(const char* account, const char* subject) {
  model::Grants made;
  made.account = *model::AccountId::parse(account);
  made.subject = subject;
  return made;
}

TEST(RateLimits, ABatchIsTakenWholeAndTheNextWaitsUntilItIsPaid) {
  RateLimits limits({.per_credential = 100});
  const model::Grants anna = grants("1", "key:a");
  EXPECT_EQ(limits.wait_ms(anna, 0), 0);
  limits.take(anna, 1500, 0);  // 500 were free: 1 000 in debt
  EXPECT_NEAR(static_cast<double>(limits.wait_ms(anna, 0)), 10'000, 2);
  EXPECT_NEAR(static_cast<double>(limits.wait_ms(anna, 4'000)), 6'000, 2);
  EXPECT_EQ(limits.wait_ms(anna, 10'002), 0);
  EXPECT_EQ(limits.wait_ms(grants("1", "key:b"), 0), 0) << "another's";
  EXPECT_EQ(limits.wait_ms(grants("2", "key:a"), 0), 0) << "another account's of the same name";
}

TEST(RateLimits, NoBatchMakesTheNextWaitForLongerThanAMinute) {
  RateLimits limits({.per_credential = 10});
  const model::Grants anna = grants("1", "key:a");
  limits.take(anna, 1'000'000, 0);
  EXPECT_LE(limits.wait_ms(anna, 0), RateLimits::kDebtMs + 1);
  EXPECT_EQ(limits.wait_ms(anna, RateLimits::kDebtMs + 1), 0);
}

TEST(RateLimits, AnAccountPaysForAllItsCredentials) {
  RateLimits limits({.per_account = 100});
  limits.take(grants("1", "key:a"), 400, 0);
  EXPECT_EQ(limits.wait_ms(grants("1", "key:b"), 0), 0);
  limits.take(grants("1", "key:b"), 200, 0);
  EXPECT_GT(limits.wait_ms(grants("1", "key:c"), 0), 900);
  EXPECT_EQ(limits.wait_ms(grants("2", "key:a"), 0), 0);
}

TEST(RateLimits, OverTimeNoMoreGoesThroughThanTheRateAndOneBurst) {
  RateLimits limits({.per_credential = 1000});
  const model::Grants anna = grants("1", "key:a");
  size_t taken = 0;
  for (int64_t now = 0; now < 60'000; now += 7) {
    if (limits.wait_ms(anna, now) > 0) continue;
    limits.take(anna, 130, now);
    taken += 130;
  }
  EXPECT_LE(taken, 1000u * 60 + 1000u * RateLimits::kBurstMs / 1000 + 130);
  EXPECT_GE(taken, 1000u * 60);
}

TEST(RateLimits, WithoutALimitNobodyWaits) {
  RateLimits limits({});
  const model::Grants anna = grants("1", "key:a");
  limits.take(anna, 1'000'000'000, 0);
  EXPECT_EQ(limits.wait_ms(anna, 0), 0);
}

}  // namespace
}  // namespace millstream::auth
