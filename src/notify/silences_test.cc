#include "notify/silences.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "notify/testing.h"

namespace millstream::notify {
namespace {

model::Silence silence(const std::string& id, const std::string& topic, int64_t from_ms, int64_t to_ms,
                       std::vector<std::string> rules = {}) {
  model::Silence made;
  made.id = id;
  made.topic = *model::TopicPattern::parse(topic);
  made.rules = std::move(rules);
  made.starts_at_ms = from_ms;
  made.ends_at_ms = to_ms;
  return made;
}

TEST(Silences, TheFirstMomentAfterASilenceIsNoneOfIt) {
  Silences silences;
  silences.put(silence("a", "account:demo/site:north", 10, 20));
  for (const auto& [ms, covered] :
       std::vector<std::pair<int64_t, bool>>{{9, false}, {10, true}, {19, true}, {20, false}})
    EXPECT_EQ(silences.is_covered(device("d"), "hot", ms), covered) << ms;
  EXPECT_FALSE(silences.is_covered(device("d", "south"), "hot", 15));
}

TEST(Silences, OneThatGoesLeavesWhatTheOthersCover) {
  Silences silences;
  silences.put(silence("a", "account:demo", 0, 20));
  silences.put(silence("b", "account:demo", 10, 40));
  silences.put(silence("c", "account:demo", 35, 50));
  ASSERT_TRUE(silences.remove("b", 5));
  EXPECT_FALSE(silences.remove("b", 5));
  EXPECT_TRUE(silences.is_covered(device("d"), "hot", 19));
  EXPECT_FALSE(silences.is_covered(device("d"), "hot", 30));
  EXPECT_TRUE(silences.is_covered(device("d"), "hot", 40));
}

TEST(Silences, AKnownIdIsAsItWas) {
  Silences silences;
  silences.put(silence("a", "account:demo", 0, 20));
  silences.put(silence("a", "account:demo", 0, 90));
  EXPECT_FALSE(silences.is_covered(device("d"), "hot", 30));
  EXPECT_EQ(silences.next_to_end()->ends_at_ms, 20);
}

// Against looking at every one of them.
TEST(Silences, CoverWhatOneOfThemCovers) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 random(seed);
    const auto upto = [&](int64_t most) { return static_cast<int64_t>(random() % static_cast<uint64_t>(most + 1)); };
    const auto word = [&](const char* of) { return std::string(of) + std::to_string(upto(2)); };
    Silences silences;
    std::map<std::string, model::Silence> all;
    int64_t now_ms = 0;
    for (int step = 0; step < 200; ++step) {
      now_ms += upto(5);
      if (upto(2) > 0) {
        const std::string site = upto(1) ? word("s") : "*", of = upto(1) ? word("d") : "*";
        std::vector<std::string> rules;
        for (int64_t n = upto(3) - 1; n > 0; --n) rules.push_back(word("r"));
        const int64_t from_ms = now_ms - 20 + upto(60);
        const model::Silence made = silence(std::to_string(upto(40)), "account:demo/site:" + site + "/device:" + of,
                                            from_ms, from_ms + 1 + upto(50), rules);
        silences.put(made);
        all.try_emplace(made.id, made);
      } else {
        const std::string id = std::to_string(upto(40));
        EXPECT_EQ(silences.remove(id, now_ms).has_value(), all.erase(id) > 0);
      }
      const model::Topic of = device(word("d"), word("s"));
      const std::string rule = word("r");
      const auto covers = [&](const auto& each) { return each.second.covers(of, rule); };
      ASSERT_EQ(silences.is_named(of, rule), std::any_of(all.begin(), all.end(), covers)) << "seed " << seed;
      const bool covered = std::any_of(all.begin(), all.end(),
                                       [&](const auto& each) { return covers(each) && each.second.is_active(now_ms); });
      ASSERT_EQ(silences.is_covered(of, rule, now_ms), covered) << "seed " << seed << " step " << step;
      int64_t first_ms = kNever;
      for (const auto& [id, each] : all) first_ms = std::min(first_ms, each.ends_at_ms);
      ASSERT_EQ(silences.next_to_end() == nullptr ? kNever : silences.next_to_end()->ends_at_ms, first_ms);
    }
  }
}

}  // namespace
}  // namespace millstream::notify
