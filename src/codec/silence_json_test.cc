#include "codec/silence_json.h"

#include <gtest/gtest.h>

#include "base/time_text.h"

namespace millstream::codec {
namespace {

const model::AccountId kDemo = *model::AccountId::parse("demo");
constexpr int64_t kNow = 1'769'517'296'789;

std::string refusal(std::string_view json) {
  const auto silence = parse_new_silence(json, kDemo, kNow);
  return silence ? "accepted" : silence.error().detail;
}

TEST(SilenceJson, ReadsWhatPeopleAskFor) {
  const auto silence = parse_new_silence(
      R"({"topic":"account:demo/site:1","rules":["ovt"],"duration":"2h","comment":"pump change"})", kDemo, kNow);
  ASSERT_TRUE(silence.ok()) << silence.error().detail;
  EXPECT_EQ(silence->topic.text(), "account:demo/site:1/device:*");
  EXPECT_EQ(silence->rules, std::vector<std::string>{"ovt"});
  EXPECT_EQ(silence->starts_at_ms, kNow);
  EXPECT_EQ(silence->ends_at_ms, kNow + 7'200'000);
  EXPECT_EQ(silence->comment, "pump change");
}

TEST(SilenceJson, CoversItsDevicesRulesAndTime) {
  const auto silence = parse_new_silence(
      R"({"topic":"account:demo/site:1","rules":["ovt"],"startsAt":1769517300000,"endsAt":1769517400000})", kDemo,
      kNow);
  ASSERT_TRUE(silence.ok()) << silence.error().detail;
  const auto topic = [](const char* text) { return *model::Topic::parse(text); };
  EXPECT_TRUE(silence->covers(topic("account:demo/site:1/device:a"), "ovt"));
  EXPECT_FALSE(silence->covers(topic("account:demo/site:1/device:a"), "other"));
  EXPECT_FALSE(silence->covers(topic("account:demo/site:2/device:a"), "ovt"));
  EXPECT_FALSE(silence->is_active(1769517299999));
  EXPECT_TRUE(silence->is_active(1769517300000));
  EXPECT_FALSE(silence->is_active(1769517400000));
}

TEST(SilenceJson, NamesThePlaceOfWhatIsWrong) {
  EXPECT_EQ(refusal("[]"), "silence: not an object");
  EXPECT_EQ(refusal("{"), "silence: not JSON");
  EXPECT_EQ(refusal(R"({"duration":"1h"})"), "topic: missing");
  EXPECT_EQ(refusal(R"({"topic":"account:other","duration":"1h"})"), "topic: account:demo is yours, and no other");
  EXPECT_EQ(refusal(R"({"topic":"account:demo"})"), "endsAt: missing");
  EXPECT_EQ(refusal(R"({"topic":"account:demo","endsAt":"2026-01-27T12:00:00Z"})"), "endsAt: not after startsAt");
  EXPECT_EQ(refusal(R"({"topic":"account:demo","startsAt":1,"endsAt":2})"), "endsAt: has passed");
  EXPECT_EQ(refusal(R"({"topic":"account:demo","duration":"1h","endsAt":1869517296789})"),
            "duration: there is an endsAt already");
  EXPECT_EQ(refusal(R"({"topic":"account:demo","duration":"1h","rules":["a b"]})"), "rules[0]: not the id of a rule");
  EXPECT_EQ(refusal(R"({"topic":"account:demo","duration":"1h","id":"x"})"),
            "id: unknown; known are: comment duration endsAt rules startsAt topic");
  EXPECT_EQ(refusal(R"({"topic":"account:demo","duration":"400d"})"),
            "duration: a duration from 1s to 366d, such as \"30s\"");
  EXPECT_EQ(refusal(R"({"topic":"account:demo","startsAt":253402300799999,"duration":"1d"})"),
            "duration: ends after the year 9999");
}

TEST(SilenceJson, ComesBackFromAnEventAsItWas) {
  auto silence =
      parse_new_silence(R"({"topic":"account:demo/site:*/device:d","duration":"1h","comment":"a \"b\""})", kDemo, kNow);
  ASSERT_TRUE(silence.ok());
  silence->id = "s-1";
  silence->created_by = "user:anna";
  model::Event event;
  event.topic.account = kDemo;
  event.type = model::EventType::system;
  event.data = encode_silence_command(SaveSilence{*silence, "user:anna"});
  auto command = decode_silence_command(event);
  ASSERT_TRUE(command.ok()) << command.error().detail;
  ASSERT_TRUE(command->has_value());
  EXPECT_EQ(std::get<SaveSilence>(**command).silence, *silence);
  EXPECT_EQ(std::get<SaveSilence>(**command).by, "user:anna");

  event.data = encode_silence_command(DeleteSilence{"s-1", "user:ben"});
  command = decode_silence_command(event);
  ASSERT_TRUE(command.ok() && command->has_value());
  EXPECT_EQ(std::get<DeleteSilence>(**command).silence_id, "s-1");

  event.data = R"({"kind":"maintenance"})";
  command = decode_silence_command(event);
  ASSERT_TRUE(command.ok());
  EXPECT_FALSE(command->has_value());
  event.data = R"({"kind":"silence_saved","silence":7})";
  EXPECT_FALSE(decode_silence_command(event).ok());
}

}  // namespace
}  // namespace millstream::codec
