#include "hub/topic_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace millstream::hub {
namespace {

using model::Topic;
using model::TopicPattern;

TopicPattern random_pattern(std::mt19937_64& random) {
  const auto name = [&](const char* prefix) { return prefix + std::to_string(random() % 4); };
  std::string text = "account:" + name("a");
  if (random() % 4 != 0) text += "/site:" + (random() % 3 == 0 ? "*" : name("s"));
  if (text.find("/site") != std::string::npos && random() % 3 != 0) {
    text += "/device:" + (random() % 3 == 0 ? "*" : name("d"));
  }
  return *TopicPattern::parse(text);
}

Topic random_topic(std::mt19937_64& random) {
  const auto name = [&](const char* prefix) { return prefix + std::to_string(random() % 4); };
  std::string text = "account:" + name("a");
  if (random() % 8 != 0) {
    text += "/site:" + name("s");
    if (random() % 8 != 0) text += "/device:" + name("d");
  }
  return *Topic::parse(text);
}

// The rule of the contract, by text and segment, written without looking at the index or at TopicPattern::matches().
bool naive_match(const std::string& pattern, const std::string& topic) {
  const auto segments = [](const std::string& text) {
    std::vector<std::string> out;
    std::string::size_type start = 0;
    while (start <= text.size()) {
      const auto end = std::min(text.find('/', start), text.size());
      out.push_back(text.substr(start, end - start));
      start = end + 1;
    }
    return out;
  };
  const auto p = segments(pattern);
  const auto t = segments(topic);
  for (size_t i = 0; i < std::min(p.size(), t.size()); ++i) {
    if (p[i] != t[i] && !p[i].ends_with(":*")) return false;
  }
  return true;
}

TEST(TopicIndex, FindsWhatANaiveMatcherFindsWhileSubscriptionsComeAndGo) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  TopicIndex<int> index;
  std::vector<std::pair<TopicPattern, int>> subscriptions;
  // There are few patterns and topics: each pair is judged once.
  std::map<std::pair<std::string, std::string>, bool> judged;
  const auto takes = [&](const TopicPattern& pattern, const Topic& topic) {
    const auto [known, is_new] = judged.try_emplace({pattern.text(), topic.text()});
    if (is_new) known->second = naive_match(pattern.text(), topic.text());
    return known->second;
  };
  int next = 0;
  uint64_t cases = 0;
  while (cases < 1'000'000) {
    if (random() % 8 == 0) {
      if (!subscriptions.empty() && random() % 2 == 0) {
        const size_t i = random() % subscriptions.size();
        index.remove(subscriptions[i].first, subscriptions[i].second);
        subscriptions.erase(subscriptions.begin() + static_cast<ptrdiff_t>(i));
      } else if (subscriptions.size() < 30) {
        subscriptions.emplace_back(random_pattern(random), next++);
        index.add(subscriptions.back().first, subscriptions.back().second);
      }
      continue;
    }
    const Topic topic = random_topic(random);
    std::vector<int> expected;
    for (const auto& [pattern, subscriber] : subscriptions) {
      if (takes(pattern, topic)) expected.push_back(subscriber);
    }
    std::vector<int> found;
    index.match(topic, [&](int subscriber) { found.push_back(subscriber); });
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found, expected) << topic.text();  // subscribers are numbered as they come
    cases += subscriptions.size();
  }
}

TEST(TopicIndex, IsEmptyAgainWhenEverybodyLeft) {
  TopicIndex<int> index;
  std::mt19937_64 random(7);
  std::vector<TopicPattern> patterns;
  for (int i = 0; i < 100; ++i) patterns.push_back(random_pattern(random));
  for (const TopicPattern& pattern : patterns) index.add(pattern, 1);
  EXPECT_FALSE(index.empty());
  for (const TopicPattern& pattern : patterns) index.remove(pattern, 1);
  EXPECT_TRUE(index.empty());
}

TEST(TopicIndex, WildcardNeverCrossesASegment) {
  TopicIndex<int> index;
  index.add(*TopicPattern::parse("account:1/site:*/device:9"), 1);
  const auto count = [&](const char* topic) {
    int found = 0;
    index.match(*Topic::parse(topic), [&](int) { ++found; });
    return found;
  };
  EXPECT_EQ(count("account:1/site:a/device:9"), 1);
  EXPECT_EQ(count("account:1/site:a/device:99"), 0);
  EXPECT_EQ(count("account:2/site:a/device:9"), 0);
  EXPECT_EQ(count("account:1/site:a"), 1) << "a banner on the site reaches its devices' viewers";
  EXPECT_EQ(count("account:1"), 1);
}

}  // namespace
}  // namespace millstream::hub
