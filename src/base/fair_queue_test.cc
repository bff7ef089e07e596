#include "base/fair_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace millstream {
namespace {

constexpr size_t kPlenty = 1'000'000;

TEST(FairQueue, OneWhoComesLateDoesNotWaitBehindAnothersBacklog) {
  FairQueue<std::string> queue(kPlenty);
  for (int i = 0; i < 100; ++i) queue.push("noisy", 1000, "noisy");
  EXPECT_EQ(queue.pop(), "noisy");
  queue.push("quiet", 1, "quiet");
  EXPECT_EQ(queue.front(), "quiet");
  EXPECT_EQ(queue.pop(), "quiet");
  EXPECT_EQ(queue.size(), 99u);
}

TEST(FairQueue, TurnsAreByCostAndNotByCount) {
  FairQueue<char> queue(kPlenty);
  for (int i = 0; i < 3; ++i) queue.push("large", 4, 'L');
  for (int i = 0; i < 12; ++i) queue.push("small", 1, 's');
  std::string order;
  while (!queue.empty()) order += queue.pop();
  EXPECT_EQ(order, "LssssLssssLssss");
}

TEST(FairQueue, OneAtATimeDoesNotMakeLargeItemsFree) {
  FairQueue<char> queue(kPlenty);
  for (int i = 0; i < 100; ++i) queue.push("small", 1, 's');
  int small = 0;
  for (int i = 0; i < 5; ++i) {
    queue.push("large", 10, 'L');  // it has nothing waiting at this moment
    while (queue.pop() != 'L') ++small;
  }
  EXPECT_GE(small, 40) << "what it was given counts on while others wait";
}

TEST(FairQueue, OneAloneMayHoldItsMaximumAndLeavesRoomForOthers) {
  FairQueue<int> queue(100);
  const auto fill = [&](const std::string& owner) {
    size_t held = 0;
    while (queue.has_room(owner, 1)) {
      queue.push(owner, 1, 0);
      ++held;
    }
    return held;
  };
  EXPECT_EQ(fill("a"), 100u);
  EXPECT_EQ(fill("b"), 50u);
  EXPECT_FALSE(queue.has_room("a", 1));
  EXPECT_FALSE(queue.has_room("b", 1));
  EXPECT_EQ(fill("c"), 25u);
  EXPECT_TRUE(queue.has_room("d", 1));
}

TEST(FairQueue, WhoHoldsNothingMayPutInOneItemOfAnySize) {
  FairQueue<int> queue(10);
  EXPECT_TRUE(queue.has_room("a", 1000));
  queue.push("a", 1000, 0);
  EXPECT_FALSE(queue.has_room("a", 1));
  EXPECT_FALSE(queue.has_room("b", 1)) << "all that may be held is held";
  queue.pop();
  EXPECT_TRUE(queue.has_room("b", 1000));
}

// The same rules, told as plainly as they can be: every owner is looked at every time.
class NaiveQueue {
 public:
  explicit NaiveQueue(size_t alone_max) : max_(2 * alone_max) {}
  bool has_room(const std::string& owner, size_t cost) {
    const size_t mine = held(owners_[owner]);
    size_t all = 0;
    for (auto& [name, one] : owners_) all += held(one);
    return mine == 0 ? all < max_ : mine + cost <= max_ - std::min(max_, all + cost);
  }
  void push(const std::string& owner, size_t cost, int item) {
    Owner& one = owners_[owner];
    if (!one.given) {
      one.given = now_;
      one.since = ++turns_;
    }
    one.items.push_back({cost, item});
  }
  bool empty() const {
    return std::all_of(owners_.begin(), owners_.end(), [](const auto& named) { return named.second.items.empty(); });
  }
  std::pair<std::string, int> pop() {
    auto next = owners_.end();
    for (auto at = owners_.begin(); at != owners_.end(); ++at) {
      if (at->second.items.empty()) continue;
      if (next == owners_.end() || before(at->second, next->second)) next = at;
    }
    Owner& one = next->second;
    for (auto& [name, other] : owners_) {
      if (other.items.empty() && other.given && before(other, one)) other.given.reset();
    }
    const auto [cost, item] = one.items.front();
    one.items.pop_front();
    now_ = *one.given;
    one.given = now_ + cost;
    one.since = ++turns_;
    if (empty()) {
      for (auto& [name, other] : owners_) other.given.reset();
    }
    return {next->first, item};
  }

 private:
  struct Owner {
    std::deque<std::pair<size_t, int>> items;
    std::optional<uint64_t> given;  // none: it has no place
    uint64_t since = 0;
  };
  static size_t held(const Owner& owner) {
    size_t cost = 0;
    for (const auto& item : owner.items) cost += item.first;
    return cost;
  }
  static bool before(const Owner& a, const Owner& b) {
    return *a.given != *b.given ? *a.given < *b.given : a.since < b.since;
  }
  const size_t max_;
  uint64_t now_ = 0;
  uint64_t turns_ = 0;
  std::map<std::string, Owner> owners_;
};

TEST(FairQueue, DoesAsTheNaiveOneDoes) {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const size_t alone_max = 1 + random() % 60;
    FairQueue<std::pair<std::string, int>> queue(alone_max);
    NaiveQueue naive(alone_max);
    std::map<std::string, int> last;
    for (int i = 0; i < 500; ++i) {
      const std::string owner(1, static_cast<char>('a' + random() % 5));
      const size_t cost = 1 + random() % 12;
      if (random() % 5 < 3) {
        const bool room = queue.has_room(owner, cost);
        ASSERT_EQ(room, naive.has_room(owner, cost)) << "step " << i;
        if (!room) continue;
        queue.push(owner, cost, {owner, i});
        naive.push(owner, cost, i);
      } else if (!naive.empty()) {
        const auto got = queue.pop();
        ASSERT_EQ(got, naive.pop()) << "step " << i;
        ASSERT_LT(std::exchange(last[got.first], got.second), got.second + 1) << "an owner's own order";
      }
      ASSERT_EQ(queue.empty(), naive.empty());
    }
  }
}

}  // namespace
}  // namespace millstream
