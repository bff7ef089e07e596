#include "base/shared_results.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

namespace millstream {
namespace {

constexpr int64_t kKeptMs = 250;

struct SharedResultsTest : testing::Test {
  ManualClock clock{0};
  SharedResults<int> shared{clock, kKeptMs, 3};
  std::atomic<int> made{0};

  int get(const std::string& key) {
    return shared.get(
        key, [](int) { return true; }, [&] { return ++made; });
  }
};

TEST_F(SharedResultsTest, WhoAsksTheSameAtOnceGetsTheSame) {
  constexpr int kThreads = 8;
  std::latch all_there(kThreads);
  std::vector<std::thread> threads;
  std::atomic<int> sum{0};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      all_there.arrive_and_wait();
      sum += shared.get(
          "a", [](int) { return true; },
          [&] {
            std::this_thread::yield();
            return ++made;
          });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(sum, kThreads);
}

TEST_F(SharedResultsTest, AnotherKeyIsAnotherResult) {
  EXPECT_EQ(get("a"), 1);
  EXPECT_EQ(get("b"), 2);
  EXPECT_EQ(get("a"), 1);
}

TEST_F(SharedResultsTest, AfterItsMomentItIsMadeAgain) {
  EXPECT_EQ(get("a"), 1);
  clock.advance_ms(kKeptMs - 1);
  EXPECT_EQ(get("a"), 1);
  clock.advance_ms(1);
  EXPECT_EQ(get("a"), 2);
}

TEST_F(SharedResultsTest, WhatDoesNotSuitIsMadeAgain) {
  EXPECT_EQ(get("a"), 1);
  EXPECT_EQ(shared.get(
                "a", [](int value) { return value > 1; }, [&] { return ++made; }),
            2);
}

TEST_F(SharedResultsTest, BeyondTheLimitNothingIsKept) {
  for (const char* key : {"a", "b", "c"}) get(key);
  EXPECT_EQ(get("d"), 4);
  EXPECT_EQ(get("d"), 5);
  clock.advance_ms(kKeptMs);  // and then there is room again
  EXPECT_EQ(get("d"), 6);
  EXPECT_EQ(get("d"), 6);
}

TEST_F(SharedResultsTest, ResultsAreLetGoWhenOthersAskLater) {
  SharedResults<std::shared_ptr<int>> pointers{clock, kKeptMs, 3};
  const auto keep = [](const auto&) { return true; };
  std::weak_ptr<int> first = pointers.get("a", keep, [] { return std::make_shared<int>(1); });
  EXPECT_FALSE(first.expired());
  clock.advance_ms(kKeptMs);
  pointers.get("b", keep, [] { return std::make_shared<int>(2); });
  EXPECT_TRUE(first.expired());
}

}  // namespace
}  // namespace millstream
