#include "auth/login_throttle.h"

#include <gtest/gtest.h>

namespace millstream::auth {
namespace {

constexpr ThrottleOptions kOptions{.user = {3, 10}, .address = {10, 30}, .window_ms = 900'000};

TEST(LoginThrottle, EachFurtherFailureWaitsLongerUpToTheWindow) {
  LoginThrottle throttle(kOptions);
  int64_t now = 1'000'000;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(throttle.begin("anna", "a" + std::to_string(i), now), 0);
  for (const int64_t wait : {0, 1'000, 2'000, 4'000, 8'000, 16'000, 32'000}) {
    if (wait > 0) {
      EXPECT_EQ(throttle.begin("anna", "x", now), wait);
      now += wait;
    }
    EXPECT_EQ(throttle.begin("anna", "a" + std::to_string(wait), now), 0) << wait;
  }
  EXPECT_EQ(throttle.begin("anna", "x", now), 900'000) << "the tenth";
  EXPECT_EQ(throttle.begin("bob", "x", now), 0) << "another user";
  EXPECT_EQ(throttle.begin("anna", "x", now + 900'000), 0) << "forgotten";
}

TEST(LoginThrottle, AThousandGuessesAtOnceAreAThousandAndNotOne) {
  LoginThrottle throttle(kOptions);
  int let_through = 0;
  for (int i = 0; i < 1000; ++i) let_through += throttle.begin("anna", "1.2.3.4", 5'000) == 0 ? 1 : 0;
  EXPECT_EQ(let_through, 4) << "three free, and the one before the first wait";
}

TEST(LoginThrottle, AnAddressMayNotGuessAtManyUsers) {
  LoginThrottle throttle(kOptions);
  int64_t now = 1'000'000;
  int let_through = 0;
  for (int second = 0; second < 900; ++second) {
    let_through += throttle.begin("user" + std::to_string(second), "1.2.3.4", now += 1000) == 0 ? 1 : 0;
  }
  EXPECT_LE(let_through, 30);
  EXPECT_GE(let_through, 10);
  EXPECT_EQ(throttle.begin("anna", "5.6.7.8", now), 0) << "another address";
}

TEST(LoginThrottle, ASuccessForgivesTheUserAndTakesTheAttemptBackFromTheAddress) {
  LoginThrottle throttle(kOptions);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(throttle.begin("anna", "1.2.3.4", 1000 + i), 0);
    throttle.succeeded("anna", "1.2.3.4");
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(throttle.begin("anna", "1.2.3.4", 1000 + i), 0);
    throttle.cancelled("anna", "1.2.3.4");
  }
  EXPECT_EQ(throttle.tracked(), 0u);
}

TEST(LoginThrottle, StrangersDoNotKeepAUserOutOfWhereSheHasSignedInBefore) {
  LoginThrottle throttle(kOptions);
  EXPECT_EQ(throttle.begin("anna", "home", 1000), 0);
  throttle.succeeded("anna", "home");
  for (int i = 0; i < 100; ++i) throttle.begin("anna", "stranger" + std::to_string(i), 1000);
  EXPECT_GT(throttle.begin("anna", "a new place", 1000), 0);
  EXPECT_EQ(throttle.begin("anna", "home", 1000), 0);
  for (int i = 0; i < 10; ++i) throttle.begin("anna", "home", 1000);
  EXPECT_GT(throttle.begin("anna", "home", 1000), 0) << "she may not guess without end there either";
}

TEST(LoginThrottle, AFloodOfNamesIsBoundedAndForgetsTheQuietOnes) {
  LoginThrottle throttle(kOptions);
  const int64_t now = 1'000'000;
  for (size_t i = 0; i < LoginThrottle::kTrackedMax + 10; ++i) {
    throttle.begin("user" + std::to_string(i), "address" + std::to_string(i), now + static_cast<int64_t>(i) / 1000);
  }
  EXPECT_LE(throttle.tracked(), 2 * LoginThrottle::kTrackedMax);
  const std::string newest = "user" + std::to_string(LoginThrottle::kTrackedMax + 9);
  for (int i = 0; i < 3; ++i) throttle.begin(newest, "other", now + 101);
  EXPECT_GT(throttle.begin(newest, "other", now + 101), 0) << "the newest is remembered";
}

}  // namespace
}  // namespace millstream::auth
