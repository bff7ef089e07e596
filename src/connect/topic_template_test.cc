#include "connect/topic_template.h"

#include <gtest/gtest.h>

namespace millstream::connect {
namespace {

std::string complaint(std::string_view text) {
  const Result<TopicTemplate> made = TopicTemplate::parse(text);
  return made ? "" : made.error().detail;
}

TEST(TopicTemplate, AsksTheBrokerForEveryNameAndFindsThemInATopic) {
  const TopicTemplate made = *TopicTemplate::parse("plants/{account}/{site}/+/{device}/telemetry");
  EXPECT_EQ(made.filter(), "plants/+/+/+/+/telemetry");
  const auto places = made.match("plants/acme/north/whatever/pump/telemetry");
  ASSERT_TRUE(places);
  EXPECT_EQ(places->account, "acme");
  EXPECT_EQ(places->site, "north");
  EXPECT_EQ(places->device, "pump");
  EXPECT_TRUE(made.names_account() && made.names_device());
}

TEST(TopicTemplate, TakesNoTopicWithMoreOrFewerLevelsOrOtherText) {
  const TopicTemplate made = *TopicTemplate::parse("p/{device}/t");
  for (const char* topic : {"", "p", "p/d", "p/d/t/", "p/d/t/x", "q/d/t", "p/d/T", "/p/d/t", "p/d/e/t", "p//t"}) {
    EXPECT_FALSE(made.match(topic)) << topic;
  }
  EXPECT_TRUE(TopicTemplate::parse("/{device}/")->match("/d/"));
}

TEST(TopicTemplate, WhatIsNoTemplateIsRefusedWithTheReason) {
  EXPECT_EQ(complaint("p/#"), "\"#\": # is not taken; say each level, with + for those that do not matter");
  EXPECT_EQ(complaint("p/a+"), "\"a+\": a level is text, +, {account}, {site} or {device}");
  EXPECT_EQ(complaint("p/{devise}"), "\"{devise}\": a level is text, +, {account}, {site} or {device}");
  EXPECT_EQ(complaint("{site}/{site}"), "a name in braces stands there twice");
  EXPECT_EQ(complaint("$share/g/{device}"), "topics that begin with $ are the broker's own");
  EXPECT_NE(complaint(""), "");
  EXPECT_NE(complaint(std::string_view("a\0b", 3)), "");
  EXPECT_NE(complaint(std::string(1025, 'a')), "");
}

}  // namespace
}  // namespace millstream::connect
