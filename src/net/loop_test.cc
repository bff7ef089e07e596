#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace millstream::net {
namespace {

struct Pair {
  UniqueFd near;
  UniqueFd far;
  Pair() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()), 0);
    near.reset(fds[0]);
    far.reset(fds[1]);
  }
  void write_far(std::string_view text) {
    EXPECT_EQ(::send(far.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
};

class CallingWatcher final : public Watcher {
 public:
  explicit CallingWatcher(std::function<void(uint32_t)> call) : call_(std::move(call)) {}
  void on_ready(uint32_t events) override { call_(events); }

 private:
  std::function<void(uint32_t)> call_;
};

TEST(Loop, TasksOfEachThreadRunInPostingOrderOnTheLoop) {
  SystemClock clock;
  Loop loop(clock);
  std::thread runner([&] { loop.run(); });
  constexpr int kThreads = 4;
  constexpr int kTasks = 2000;
  std::array<std::vector<int>, kThreads> seen;
  std::atomic<int> off_thread{0};
  std::vector<std::thread> posters;
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        loop.post([&, t, i] {
          if (!loop.on_thread()) ++off_thread;
          seen[t].push_back(i);
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  EXPECT_FALSE(loop.on_thread());
  loop.stop();
  runner.join();
  EXPECT_EQ(off_thread, 0);
  for (const std::vector<int>& numbers : seen) {
    ASSERT_EQ(numbers.size(), static_cast<size_t>(kTasks));
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  }
}

TEST(Loop, ATaskPostedByATaskRunsInTheNextTurn) {
  SystemClock clock;
  Loop loop(clock);
  std::vector<int> order;
  loop.add_turn_end([&] { order.push_back(0); });
  loop.post([&] {
    order.push_back(1);
    loop.post([&] {
      order.push_back(2);
      loop.stop();
    });
  });
  loop.run();
  EXPECT_EQ(order, std::vector<int>({1, 0, 2, 0, 0}));
}

TEST(Loop, TasksPostedAfterTheEndAreDestroyedUnrun) {
  SystemClock clock;
  Loop loop(clock);
  loop.stop();
  loop.run();
  bool ran = false;
  const auto held = std::make_shared<int>(1);
  loop.post([&ran, held] { ran = true; });
  EXPECT_FALSE(ran);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Loop, WhatAnUnrunTaskHoldsMayPostWhileItIsDestroyed) {
  SystemClock clock;
  auto loop = std::make_unique<Loop>(clock);
  bool destroyed = false;
  const auto post_again = [&destroyed, &loop](int* number) {
    delete number;
    destroyed = true;
    loop->post([] {});
  };
  loop->stop();
  loop->post([&] {  // runs in the same turn as the stop, so what it posts comes too late
    loop->post([held = std::shared_ptr<int>(new int(1), post_again)] { ADD_FAILURE() << "ran after the end"; });
  });
  loop->run();
  EXPECT_TRUE(destroyed);
}

TEST(Loop, TimersRunInOrderNotEarlyAndCancelledOnesNever) {
  SystemClock clock;
  Loop loop(clock);
  const int64_t start_us = clock.steady_us();
  std::vector<int64_t> elapsed_us;
  std::vector<int> order;
  const auto note = [&](int number) {
    order.push_back(number);
    elapsed_us.push_back(clock.steady_us() - start_us);
  };
  loop.after(60, [&] {
    note(2);
    loop.stop();
  });
  const Loop::TimerId cancelled = loop.after(40, [&] { note(9); });
  loop.after(20, [&] { note(1); });
  loop.cancel(cancelled);
  loop.run();
  ASSERT_EQ(order, std::vector<int>({1, 2}));
  EXPECT_GE(elapsed_us[0], 20'000);
  EXPECT_GE(elapsed_us[1], 60'000);
}

TEST(Loop, TimersFollowTheClockTheyWereGiven) {
  ManualClock clock(0);
  Loop loop(clock);
  bool ran = false;
  loop.after(1000, [&] { ran = true; });
  loop.post([&] {
    clock.advance_ms(999);
    loop.post([&] {
      EXPECT_FALSE(ran);
      clock.advance_ms(20);
      loop.post([&] { loop.stop(); });
    });
  });
  loop.run();
  EXPECT_TRUE(ran);
}

TEST(Loop, AReadyWatcherThatIsUnwatchedInTheSameTurnHearsNothing) {
  SystemClock clock;
  Loop loop(clock);
  Pair a;
  Pair b;
  int calls = 0;
  CallingWatcher* other_of_a = nullptr;
  CallingWatcher* other_of_b = nullptr;
  // Whichever is called first removes both, so the second must never be called.
  CallingWatcher on_a([&](uint32_t) {
    ++calls;
    loop.unwatch(a.near.get(), other_of_b);
    loop.unwatch(b.near.get(), other_of_a);
    loop.stop();
  });
  CallingWatcher on_b([&](uint32_t events) { on_a.on_ready(events); });
  other_of_a = &on_b;
  other_of_b = &on_a;
  ASSERT_TRUE(loop.watch(a.near.get(), EPOLLIN, &on_a));
  ASSERT_TRUE(loop.watch(b.near.get(), EPOLLIN, &on_b));
  a.write_far("x");
  b.write_far("x");
  loop.run();
  EXPECT_EQ(calls, 1);
}

TEST(Loop, EventsAreLevelTriggeredAndFollowChange) {
  SystemClock clock;
  Loop loop(clock);
  Pair pair;
  std::vector<uint32_t> seen;
  CallingWatcher watcher([&](uint32_t events) {
    seen.push_back(events);
    if (seen.size() == 2) loop.change(pair.near.get(), EPOLLOUT, &watcher);
    if (seen.size() == 3) {
      loop.unwatch(pair.near.get(), &watcher);
      loop.stop();
    }
  });
  ASSERT_TRUE(loop.watch(pair.near.get(), EPOLLIN, &watcher));
  pair.write_far("x");  // never read: it is told of until the interest changes
  loop.run();
  EXPECT_EQ(seen, std::vector<uint32_t>({EPOLLIN, EPOLLIN, EPOLLOUT}));
}

TEST(Loop, TheSameAddressWatchedAgainGetsOnlyNewEvents) {
  SystemClock clock;
  Loop loop(clock);
  Pair pair;
  Pair fresh;
  int calls = 0;
  CallingWatcher reused([&](uint32_t) {
    ++calls;
    loop.stop();
  });
  CallingWatcher first([&](uint32_t) {
    loop.unwatch(fresh.near.get(), &reused);
    char byte = 0;
    EXPECT_EQ(::recv(fresh.near.get(), &byte, 1, 0), 1);
    EXPECT_EQ(::recv(pair.near.get(), &byte, 1, 0), 1);
    EXPECT_TRUE(loop.watch(fresh.near.get(), EPOLLIN, &reused));
    loop.after(30, [&] { loop.stop(); });
  });
  ASSERT_TRUE(loop.watch(pair.near.get(), EPOLLIN, &first));
  ASSERT_TRUE(loop.watch(fresh.near.get(), EPOLLIN, &reused));
  pair.write_far("x");
  fresh.write_far("x");
  loop.run();
  EXPECT_EQ(calls, 0);
}

// Each socket keeps the thread busy for a millisecond of the loop's clock.
TEST(Loop, ARushOfReadySocketsHoldsUpNeitherTasksNorTimersAndNoneIsForgotten) {
  ManualClock clock(0);
  Loop loop(clock);
  std::deque<Pair> pairs(300);
  std::deque<CallingWatcher> watchers;
  size_t heard = 0;
  size_t heard_before_task = 0;
  size_t heard_before_timer = 0;
  for (Pair& pair : pairs) {
    pair.write_far("x");
    watchers.emplace_back([&](uint32_t) {
      char byte = 0;
      EXPECT_EQ(::recv(pair.near.get(), &byte, 1, 0), 1) << "heard twice";
      clock.advance_ms(1);
      if (++heard == 1) loop.post([&] { heard_before_task = heard; });
      if (heard == pairs.size()) loop.stop();
    });
    ASSERT_TRUE(loop.watch(pair.near.get(), EPOLLIN, &watchers.back()));
  }
  loop.after(1, [&] { heard_before_timer = heard; });
  loop.run();
  EXPECT_EQ(heard, pairs.size());
  EXPECT_EQ(heard_before_task, 1u);
  EXPECT_GE(heard_before_timer, 100u) << "bytes that have arrived come before deadlines";
  EXPECT_LE(heard_before_timer, 110u);
}

TEST(Loop, TurnHistogramCountsTheTimeATaskHeldTheThread) {
  SystemClock clock;
  Loop loop(clock);
  metrics::Histogram histogram;
  loop.set_turn_histogram(&histogram);
  loop.post([&] {
    const int64_t until_us = clock.steady_us() + 3000;
    while (clock.steady_us() < until_us) {
    }
    loop.stop();
  });
  loop.run();
  EXPECT_GE(histogram.sum_us(), 3000u);
}

}  // namespace
}  // namespace millstream::net
