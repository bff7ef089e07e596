#include "api/replay_pace.h"

#include <gtest/gtest.h>

namespace millstream::api {
namespace {

TEST(ReplayPace, TheFirstIsDueAtOnceAndTheOthersAfterTheirPauses) {
  ReplayPace pace(2.0);
  EXPECT_EQ(pace.due(1'000'000, 50), 50);
  pace.told(1'000'000, 50);
  EXPECT_EQ(pace.due(1'000'100, 51), 100);
  pace.told(1'000'100, 100);
  EXPECT_EQ(pace.due(1'000'100, 100), 100) << "of the same moment";
}

TEST(ReplayPace, ManySmallPausesAddUpWithoutRounding) {
  ReplayPace pace(3.0);
  pace.begin(0, 0);
  for (int64_t t = 1; t < 3000; ++t) pace.told(t, t);  // late by less and less: nothing is held
  EXPECT_NEAR(static_cast<double>(pace.due(3000, 5000)), 1000, 1);
}

TEST(ReplayPace, ALongPauseIsCutAndSaidToBe) {
  ReplayPace pace(10.0);
  pace.begin(0, 0);
  EXPECT_FALSE(pace.is_cut(50'000));
  EXPECT_TRUE(pace.is_cut(50'001));
  EXPECT_EQ(pace.due(10'000'000, 0), ReplayPace::kPauseMsMax);
  pace.told(10'000'000, ReplayPace::kPauseMsMax);
  EXPECT_EQ(pace.due(10'000'010, 0), ReplayPace::kPauseMsMax + 1);
}

TEST(ReplayPace, AViewerThatTookItsTimeGetsTheRestLaterAndNotAllAtOnce) {
  ReplayPace pace(1.0);
  pace.begin(0, 0);
  pace.hold(9000);
  EXPECT_EQ(pace.due(100, 9000), 9100);
  pace.hold(10);
  EXPECT_EQ(pace.due(100, 9000), 9100) << "never earlier";
}

TEST(ReplayPace, WithoutASpeedEverythingIsDue) {
  ReplayPace pace(std::nullopt);
  pace.begin(0, 0);
  EXPECT_EQ(pace.due(1'000'000, 7), 7);
  EXPECT_FALSE(pace.is_cut(1'000'000));
}

}  // namespace
}  // namespace millstream::api
