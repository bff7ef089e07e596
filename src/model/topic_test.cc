#include "model/topic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "model/event.h"

namespace millstream::model {
namespace {

TopicPattern pattern(std::string_view text) {
  Result<TopicPattern> parsed = TopicPattern::parse(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return parsed ? *parsed : TopicPattern{};
}
Topic topic(std::string_view text) {
  Result<Topic> parsed = Topic::parse(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return parsed ? *parsed : Topic{};
}

TEST(Topic, ReadsAndPrintsEveryDepth) {
  for (const char* text : {"account:1", "account:a.b/site:_-", "account:123/site:1/device:elink-99"}) {
    EXPECT_EQ(topic(text).text(), text);
  }
  EXPECT_TRUE(topic("account:1/site:2/device:3").is_device());
  EXPECT_FALSE(topic("account:1/site:2").is_device());
}

TEST(Topic, NothingElseParses) {
  const std::string long_name(65, 'a');
  for (const std::string& text : std::vector<std::string>{"",
                                                          "account",
                                                          "account:",
                                                          "site:1",
                                                          "account:1/",
                                                          "account:1/device:3",
                                                          "account:1/site:",
                                                          "account:1/site:2/",
                                                          "account:1/site:2/device:",
                                                          "account:1/site:2/device:3/",
                                                          "account:1/site:2/device:3/x:4",
                                                          "account:*",
                                                          "account:1/site:*",
                                                          "account:a b",
                                                          "account:a\n",
                                                          "account:ä",
                                                          "account:a:b",
                                                          "/account:1",
                                                          "Account:1",
                                                          "account:" + long_name,
                                                          std::string("account:a\0b", 11)}) {
    EXPECT_FALSE(Topic::parse(text).ok()) << text;
  }
  EXPECT_TRUE(Topic::parse("account:" + long_name.substr(1)).ok());
}

TEST(Topic, AReasonNamesTheSegment) {
  EXPECT_EQ(Topic::parse("account:1/device:3").error().detail, "segment 2 must start with \"site:\"");
  EXPECT_EQ(Topic::parse("account:1/site:2/device:?").error().detail.substr(0, 7), "device:");
}

TEST(TopicPattern, StoppingEarlyAndStarsMeanTheSame) {
  EXPECT_EQ(pattern("account:1"), pattern("account:1/site:*/device:*"));
  EXPECT_EQ(pattern("account:1/site:2"), pattern("account:1/site:2/device:*"));
  EXPECT_EQ(pattern("account:1/site:2").text(), "account:1/site:2/device:*");
}

TEST(TopicPattern, TheAccountIsAlwaysNamed) {
  EXPECT_FALSE(TopicPattern::parse("account:*").ok());
  EXPECT_FALSE(TopicPattern::parse("account:*/site:1").ok());
  EXPECT_FALSE(TopicPattern::parse("account:1/site:a*").ok());
  EXPECT_FALSE(TopicPattern::parse("account:1/site:**").ok());
}

TEST(TopicPattern, StarStaysInItsSegment) {
  EXPECT_TRUE(pattern("account:1/site:*/device:3").matches(topic("account:1/site:9/device:3")));
  EXPECT_FALSE(pattern("account:1/site:*/device:3").matches(topic("account:1/site:9/device:4")));
  EXPECT_FALSE(pattern("account:1").matches(topic("account:12")));
  EXPECT_FALSE(pattern("account:1/site:2").matches(topic("account:1/site:22/device:3")));
}

TEST(TopicPattern, AnInnerTopicReachesEverythingUnderIt) {
  EXPECT_TRUE(pattern("account:1/site:2/device:3").matches(topic("account:1")));
  EXPECT_TRUE(pattern("account:1/site:2/device:3").matches(topic("account:1/site:2")));
  EXPECT_FALSE(pattern("account:1/site:2/device:3").matches(topic("account:1/site:4")));
  EXPECT_FALSE(pattern("account:1/site:2/device:3").matches(topic("account:2")));
}

// All topics and patterns over a small alphabet, against definitions spelled out on text.
class SmallWorld {
 public:
  SmallWorld() {
    for (const std::string a : {"1", "2"}) {
      patterns.push_back("account:" + a);
      topics.push_back("account:" + a);
      for (const std::string s : {"1", "2", "*"}) {
        patterns.push_back("account:" + a + "/site:" + s);
        if (s != "*") topics.push_back("account:" + a + "/site:" + s);
        for (const std::string d : {"1", "2", "*"}) {
          patterns.push_back("account:" + a + "/site:" + s + "/device:" + d);
          if (s != "*" && d != "*") topics.push_back("account:" + a + "/site:" + s + "/device:" + d);
        }
      }
    }
  }
  std::vector<std::string> patterns, topics;
};

std::vector<std::string> segments(const std::string& text) {
  std::vector<std::string> out;
  size_t at = 0;
  while (true) {
    const size_t slash = text.find('/', at);
    out.push_back(text.substr(at, slash - at));
    if (slash == std::string::npos) return out;
    at = slash + 1;
  }
}

bool naively_matches(const std::string& pattern_text, const std::string& topic_text) {
  const auto p = segments(pattern_text), t = segments(topic_text);
  for (size_t i = 0; i < std::min(p.size(), t.size()); ++i) {
    if (p[i] != t[i] && !p[i].ends_with(":*")) return false;
  }
  return true;
}

TEST(TopicPattern, MatchesAsTheNaiveModelDoes) {
  const SmallWorld world;
  for (const std::string& p : world.patterns) {
    for (const std::string& t : world.topics) {
      ASSERT_EQ(pattern(p).matches(topic(t)), naively_matches(p, t)) << p << " " << t;
    }
  }
}

TEST(TopicPattern, WithinMeansEveryDeviceItTakesIsTaken) {
  // The names of the world are 1 and 2, while "*" stands for more than these: a third name tells them apart.
  SmallWorld world;
  for (const std::string a : {"1", "2"}) {
    for (const std::string s : {"1", "2", "3"}) {
      for (const std::string d : {"1", "2", "3"})
        world.topics.push_back("account:" + a + "/site:" + s + "/device:" + d);
    }
  }
  for (const std::string& inner : world.patterns) {
    for (const std::string& outer : world.patterns) {
      bool all = true;
      for (const std::string& t : world.topics) {
        if (topic(t).is_device() && naively_matches(inner, t) && !naively_matches(outer, t)) all = false;
      }
      ASSERT_EQ(pattern(inner).within(pattern(outer)), all) << inner << " in " << outer;
    }
  }
}

TEST(EventTypes, HoldWhatWasPutIn) {
  const EventTypes two = EventTypes::none().with(EventType::alert).with(EventType::system);
  EXPECT_TRUE(two.has(EventType::alert));
  EXPECT_FALSE(two.has(EventType::telemetry));
  EXPECT_FALSE(two.is_all());
  EXPECT_TRUE(EventTypes::none().empty());
  EventTypes all = EventTypes::none();
  for (int i = 0; i < kEventTypes; ++i) {
    const auto type = static_cast<EventType>(i);
    EXPECT_EQ(parse_event_type(event_type_name(type)), type);
    all = all.with(type);
  }
  EXPECT_TRUE(all.is_all());
  EXPECT_FALSE(parse_event_type("Telemetry"));
}

TEST(Point, NumbersOfValues) {
  EXPECT_EQ(as_number(FieldValue(2.5)), 2.5);
  EXPECT_EQ(as_number(FieldValue(int64_t{-3})), -3.0);
  EXPECT_EQ(as_number(FieldValue(true)), 1.0);
  EXPECT_EQ(as_number(FieldValue(std::string("2.5"))), std::nullopt);
}

TEST(TopicPattern, TwoOverlapWhenSomeDeviceIsInBoth) {
  const auto overlap = [](const char* a, const char* b) {
    EXPECT_EQ(pattern(a).overlaps(pattern(b)), pattern(b).overlaps(pattern(a))) << a << " " << b;
    return pattern(a).overlaps(pattern(b));
  };
  EXPECT_TRUE(overlap("account:1", "account:1/site:a/device:x"));
  EXPECT_TRUE(overlap("account:1/site:a", "account:1/site:*/device:x"));
  EXPECT_TRUE(overlap("account:1/site:a/device:x", "account:1/site:a/device:x"));
  EXPECT_FALSE(overlap("account:1/site:a", "account:1/site:b"));
  EXPECT_FALSE(overlap("account:1/site:*/device:x", "account:1/site:a/device:y"));
  EXPECT_FALSE(overlap("account:1", "account:2"));
}

}  // namespace
}  // namespace millstream::model
