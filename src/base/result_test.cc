#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "base/check.h"
#include "base/clock.h"
#include "base/guarded.h"

namespace millstream {
namespace {

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = 5;
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(*good, 5);
  const Result<int> bad = Error{Code::invalid, "ts: not RFC 3339"};
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, Code::invalid);
  EXPECT_EQ(bad.error().detail, "ts: not RFC 3339");
}

TEST(Result, GivesUpAValueThatOnlyMoves) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(Result, StatusIsOkUnlessToldOtherwise) {
  EXPECT_TRUE(Status().ok());
  EXPECT_FALSE(Status(Error{Code::conflict, "x"}).ok());
}

TEST(Result, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Code::internal); ++code) names.insert(code_name(static_cast<Code>(code)));
  EXPECT_EQ(names.size(), static_cast<size_t>(Code::internal) + 1);
}

TEST(ManualClock, SettingTheWallTimeDoesNotMoveSteadyTime) {
  ManualClock clock(1000);
  clock.advance_ms(500);
  EXPECT_EQ(clock.wall_ms(), 1500);
  EXPECT_EQ(clock.steady_ms(), 500);
  clock.set_wall_ms(10);
  EXPECT_EQ(clock.wall_ms(), 10);
  EXPECT_EQ(clock.steady_us(), 500'000);
}

TEST(Guarded, GivesBackWhatTheCallGivesBack) {
  Guarded<int> guarded(3);
  EXPECT_EQ(guarded.with([](int& value) { return ++value; }), 4);
}

TEST(CheckDeathTest, ABrokenInvariantNamesItsPlace) {
  EXPECT_DEATH(MS_CHECK(1 == 2), "invariant broken: 1 == 2 \\(.*result_test.cc:[0-9]+\\)");
}

}  // namespace
}  // namespace millstream
