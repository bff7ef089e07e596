#include "presence/rhythm.h"

#include <gtest/gtest.h>

#include <random>

namespace millstream::presence {
namespace {

TEST(Rhythm, IsKnownAfterSomeIntervalsAndFollowsTheMedian) {
  Rhythm rhythm;
  int64_t now = 5'000;
  rhythm.heard(now);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(rhythm.heard(now += 10'000));
  EXPECT_EQ(rhythm.interval_ms(), std::nullopt);
  rhythm.heard(now += 10'000);
  EXPECT_EQ(rhythm.interval_ms(), 10'000);
  for (int i = 0; i < 3; ++i) rhythm.heard(now += 3'600'000);  // outages of its own
  EXPECT_EQ(rhythm.interval_ms(), 10'000);
  for (int i = 0; i < 2; ++i) rhythm.heard(now += 3'600'000);  // it has become a slow one
  EXPECT_EQ(rhythm.interval_ms(), 3'600'000);
}

TEST(Rhythm, PausesAndBurstsAreNoIntervals) {
  Rhythm rhythm;
  int64_t now = 5'000;
  for (int i = 0; i < 8; ++i) {
    rhythm.heard(now);
    for (int n = 1; n < 40; ++n) EXPECT_FALSE(rhythm.heard(now + n * 25));  // what it had kept, at once
    rhythm.pause();
    EXPECT_FALSE(rhythm.heard(now += 900'000));
    rhythm.heard(now += 60'000);
  }
  EXPECT_EQ(rhythm.interval_ms(), 60'000);
}

TEST(Rhythm, ComesBackFromItsSavedState) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Rhythm rhythm;
    int64_t now = 1;
    for (int i = 0; i < 40; ++i) {
      rhythm.heard(now += static_cast<int64_t>(random() % 5'000));
      if (random() % 6 == 0) rhythm.pause();
      if (random() % 3 != 0) continue;
      const auto saved = [](const Rhythm& r) {
        return model::state_text([&](model::StateWriter& out) { r.save(out); });
      };
      const std::string state = saved(rhythm);
      model::StateReader reader(state);
      Rhythm loaded;
      loaded.load(reader);
      ASSERT_TRUE(reader.at_end());
      ASSERT_EQ(saved(loaded), state);
      ASSERT_EQ(loaded.interval_ms(), rhythm.interval_ms());
      rhythm = loaded;
    }
  }
  for (const std::string_view state : {"1 9 ", "1 -1 ", "1 1 -5 ", "1 1 4294967296 "}) {
    model::StateReader reader(state);
    Rhythm().load(reader);
    EXPECT_FALSE(reader.ok()) << state;
  }
}

}  // namespace
}  // namespace millstream::presence
