#include "base/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace millstream {
namespace {

TEST(WorkQueue, RunsEveryJobItTook) {
  std::atomic<int> done{0};
  {
    WorkQueue queue("test", 2, 1000);
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(queue.post([&] { ++done; }));
  }
  EXPECT_EQ(done, 500);
}

TEST(WorkQueue, RefusesWhenFullAndAfterStop) {
  std::latch started(1), go(1);
  WorkQueue queue("test", 1, 2);
  ASSERT_TRUE(queue.post([&] {
    started.count_down();
    go.wait();
  }));
  started.wait();  // the first job runs, so it waits no longer
  EXPECT_TRUE(queue.post([] {}));
  EXPECT_TRUE(queue.post([] {}));
  EXPECT_EQ(queue.depth(), 2u);
  EXPECT_FALSE(queue.post([] {}));
  go.count_down();
  queue.stop();
  EXPECT_EQ(queue.depth(), 0u);
  EXPECT_FALSE(queue.post([] {}));
}

TEST(WorkQueue, OwnersTakeTurnsAndOneThatIsFullRefusesNobodyElse) {
  std::latch started(1), go(1);
  std::vector<std::string> order;
  WorkQueue queue("test", 1, 4);
  ASSERT_TRUE(queue.post([&] {
    started.count_down();
    go.wait();
  }));
  started.wait();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(queue.post([&] { order.push_back("noisy"); }, "noisy"));
  EXPECT_FALSE(queue.post([] {}, "noisy"));
  EXPECT_TRUE(queue.post([&] { order.push_back("quiet"); }, "quiet"));
  EXPECT_TRUE(queue.post([&] { order.push_back("nobody's"); }));
  go.count_down();
  queue.stop();
  EXPECT_EQ(order, (std::vector<std::string>{"noisy", "quiet", "nobody's", "noisy", "noisy", "noisy"}));
}

TEST(WorkQueue, AStopThatDropsWaitsForTheRunningJobAlone) {
  std::latch started(1), go(1);
  std::atomic<int> done{0};
  WorkQueue queue("test", 1, 100, WorkQueue::AtStop::drop);
  ASSERT_TRUE(queue.post([&] {
    started.count_down();
    go.wait();
    ++done;
  }));
  started.wait();
  const auto held = std::make_shared<int>();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(queue.post([&done, held] { ++done; }));
  std::thread stopping([&] { queue.stop(); });
  while (queue.depth() > 0) std::this_thread::yield();
  go.count_down();
  stopping.join();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(held.use_count(), 1) << "what the dropped jobs held is let go";
}

}  // namespace
}  // namespace millstream
