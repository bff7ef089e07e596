#include "log/missing_parts.h"

#include <gtest/gtest.h>

namespace millstream::log {
namespace {

Missing part(int64_t after, int64_t to, Missing::Why why = Missing::Why::damaged) {
  return {.ids = {.after = {after, 0}, .to = {to, 0}}, .why = why};
}

void expect_parts(const std::vector<Missing>& parts, const std::vector<std::pair<int64_t, int64_t>>& expected) {
  ASSERT_EQ(parts.size(), expected.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(parts[i].ids.after.ms, expected[i].first);
    EXPECT_EQ(parts[i].ids.to.ms, expected[i].second);
  }
}

TEST(MissingParts, AreCutToWhatWasAskedFor) {
  std::vector<Missing> parts = {part(1, 5), part(5, 10), part(8, 30), part(20, 30)};
  cut_to({.after = {5, 0}, .to = {20, 0}}, parts);
  expect_parts(parts, {{5, 10}, {8, 20}});
}

TEST(MissingParts, WhatTouchesIsOnePartUnlessTheReasonsDiffer) {
  expect_parts(joined({part(9, 12), part(1, 4), part(4, 6), part(2, 3)}), {{1, 6}, {9, 12}});
  expect_parts(joined({part(4, 6), part(1, 4, Missing::Why::before_log)}), {{1, 4}, {4, 6}});
}

TEST(MissingParts, TheLastStandsForAllThatAreTooMany) {
  std::vector<Missing> parts;
  for (int64_t i = 0; i < 1000; ++i) parts.push_back(part(10 * i, 10 * i + 1));
  parts = joined(parts);
  ASSERT_EQ(parts.size(), kMissingPartsMax);
  EXPECT_EQ(parts[1].ids.to.ms, 11);
  EXPECT_EQ(parts.back().ids.to.ms, 9991);
}

}  // namespace
}  // namespace millstream::log
