#include "load/latencies.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace millstream::load {
namespace {

TEST(Latencies, PercentilesAreWithinTwoPercentOfTheSortedTruth) {
  const unsigned seed = std::random_device()();
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> durations(12, 3);
  Latencies latencies;
  std::vector<int64_t> all(10'000);
  for (int64_t& ns : all) {
    ns = static_cast<int64_t>(durations(random));
    latencies.add(ns);
  }
  std::sort(all.begin(), all.end());
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const size_t rank = static_cast<size_t>(std::ceil(share * static_cast<double>(all.size())));
    const double truth_us = static_cast<double>(all[rank - 1]) / 1000;
    EXPECT_GE(latencies.percentile_us(share), truth_us * 0.999) << "seed " << seed << " share " << share;
    EXPECT_LE(latencies.percentile_us(share), truth_us * 1.02 + 0.001) << "seed " << seed << " share " << share;
  }
  EXPECT_DOUBLE_EQ(latencies.max_us(), static_cast<double>(all.back()) / 1000);
}

TEST(Latencies, NothingMeasuredIsZero) {
  EXPECT_EQ(Latencies().percentile_us(0.99), 0.0);
  EXPECT_EQ(Latencies().count(), 0);
}

}  // namespace
}  // namespace millstream::load
