#include "codec/rule_json.h"

#include <gtest/gtest.h>

#include "codec/rule_command.h"

namespace millstream::codec {
namespace {

const model::AccountId kAccount = *model::AccountId::parse("123");

constexpr const char* kFull =
    R"({"id":"ovt","name":"Over temperature","enabled":true,"version":3,)"
    R"("scope":{"topic":"account:123/site:*/device:e1","tags":{"model":"elink"}},)"
    R"("when":{"all":[{"field":"T1","fn":"avg","window":"60s"},{"field":"run","fn":"last","op":"==","value":1},)"
    R"({"field":"x","fn":"zscore","halfLife":"1h","direction":"up","minDeviation":2,"warmup":10,"op":">","value":3}]},)"
    R"("levels":[{"severity":"warning","op":">","value":{"attr":"T1_warn","default":70},"clear":65},)"
    R"({"severity":"critical","op":">","value":85,"clear":80,"for":"10s"}],)"
    R"("for":"30s","minSamples":3,"keepFiring":"60s","noData":{"after":"5m","do":"alert"},"maxLateness":"30s",)"
    R"("flap":{"history":21,"high":0.5,"low":0.25},)"
    R"("schedule":{"tz":"Europe/Kyiv","active":[{"days":"mon,tue,wed,thu,fri","from":"08:00","to":"18:00"}]},)"
    R"("message":"{{device}}","labels":{"team":"hvac"},)"
    R"("notify":[{"channel":"ops","minSeverity":"warning","groupBy":["site","rule"],"groupWait":"30s",)"
    R"("groupInterval":"5m","repeat":"4h","resolved":true}]})";

// A rule with `members` beside the least there must be.
std::string with(const std::string& members, const std::string& when = R"({"all":[{"field":"T1"}]})",
                 const std::string& level = R"("op":">","value":70)") {
  return R"({"id":"r","when":)" + when + R"(,"levels":[{"severity":"warning",)" + level + "}]" +
         (members.empty() ? "" : "," + members) + "}";
}

std::string wrong(const std::string& json) {
  const Result<model::Rule> rule = parse_rule(json, kAccount);
  return rule ? "accepted" : rule.error().detail;
}

TEST(RuleJson, AFullRuleIsReadAndWrittenTheSame) {
  const Result<model::Rule> rule = parse_rule(kFull, kAccount);
  ASSERT_TRUE(rule.ok()) << rule.error().detail;
  EXPECT_EQ(rule->when[0].window_ms, 60'000);
  EXPECT_EQ(rule->for_of(0), 30'000);
  EXPECT_EQ(rule->for_of(1), 10'000);
  EXPECT_EQ(rule->schedule->active[0].days, 0x1f);
  const Result<model::Rule> again = parse_rule(encode_rule(*rule), kAccount);
  ASSERT_TRUE(again.ok()) << again.error().detail;
  EXPECT_EQ(*again, *rule);
}

TEST(RuleJson, WhatIsLeftOutTakesItsDefault) {
  const Result<model::Rule> rule = parse_rule(with(""), kAccount);
  ASSERT_TRUE(rule.ok()) << rule.error().detail;
  EXPECT_EQ(rule->name, "r");
  EXPECT_EQ(rule->scope.text(), "account:123/site:*/device:*");
  EXPECT_EQ(rule->min_samples, 1u);
  EXPECT_EQ(rule->when[0].fn, model::Function::last);
  EXPECT_FALSE(rule->no_data || rule->flap || rule->schedule);
}

TEST(RuleJson, WhatIsWrongIsNamedWithItsPlace) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "rule: "},
      {"[]", "rule: not an object"},
      {"{}", "id: missing"},
      {R"({"id":"a/b"})", "id: 1 to 64 of A-Z a-z 0-9 . _ -"},
      {with(R"("threshold":3)"), "threshold: unknown; known are:"},
      {with(R"("for":"1s","for":"2s")"), "for: given more than once"},
      {with(R"("for":30)"), "for: a duration from 0s to 1d"},
      {with(R"("for":"2d")"), "for: a duration from 0s to 1d"},
      {with(R"("minSamples":0)"), "minSamples: a whole number from 1"},
      {with(R"("scope":{"topic":"account:9/site:1"})"), "scope.topic: account:123 is yours, and no other"},
      {with(R"("scope":{"topic":"site:1"})"), "scope.topic: "},
      {with(R"("scope":{"tags":{"a":1}})"), "scope.tags: \"a\" is not a string"},
      {with(R"("noData":{"do":"keep"})"), "noData.after: missing"},
      {with(R"("noData":{"after":"5m","do":"ignore"})"), "noData.do: not one of keep ok alert"},
      {with(R"("flap":{"high":0.2})"), "flap.low: must be below high"},
      {with(R"("schedule":{"active":[{"days":"someday"}]})"), "schedule.active[0].days: days such as"},
      {with(R"("schedule":{"active":[{"from":"25:00"}]})"), "schedule.active[0].from: a time of day"},
      {with(R"("notify":[{"minSeverity":"info"}])"), "notify[0].channel: missing"},
      {with("", R"({})"), "when: needs either \"all\" or \"any\""},
      {with("", R"({"all":[]})"), "when.all: 1 to 8 items"},
      {with("", R"({"all":[{"fn":"avg"}]})"), "when.all[0].field: missing"},
      {with("", R"({"all":[{"field":"T1","fn":"avg"}]})"), "when.all[0].window: missing: avg is of a window"},
      {with("", R"({"all":[{"field":"T1","window":"5s"}]})"), "when.all[0].window: last has none"},
      {with("", R"({"all":[{"field":"T1","fn":"median"}]})"), "when.all[0].fn: not one of last avg"},
      {with("", R"({"all":[{"field":"T1","op":">","value":1}]})"), "when.all[0].op: the first condition is"},
      {with("", R"({"all":[{"field":"T1"},{"field":"x","value":1}]})"), "when.all[1].value: needs an op"},
      {with("", R"({"any":[{"field":"T1"},{"field":"x","op":"=>","value":1}]})"), "when.any[1].op: not one of >"},
      {with("", R"({"all":[{"field":"T1"}]})", R"("op":"in","value":3)"), "levels[0].value: two numbers"},
      {with("", R"({"all":[{"field":"T1"}]})", R"("op":">","value":70,"clear":71)"), "levels[0].clear: lies beyond"},
      {with("", R"({"all":[{"field":"T1"}]})", R"("op":">","value":"hot")"), "levels[0].value: a number"},
      {with("", R"({"all":[{"fn":"offline"}]})", R"("for":"1m","value":1)"),
       "levels[0].value: no condition is compared"},
      {with("", R"({"all":[{"fn":"offline"}]})", R"("for":"0s")"), "levels[0].for: offline needs one"},
      {R"({"id":"r","when":{"all":[{"field":"T1"}]},"levels":[{"severity":"critical","op":">","value":1},)"
       R"({"severity":"info","op":">","value":2}]})",
       "levels[1].severity: levels go from info"},
  };
  for (const auto& [json, reason] : cases) EXPECT_EQ(wrong(json).substr(0, reason.size()), reason) << json;
  EXPECT_NE(wrong(std::string(kRuleBytesMax + 1, ' ')), "accepted");
}

TEST(RuleJson, AMessageThatIsLeftOutNamesNoValueWhereThereIsNone) {
  const auto message = [](const std::string& when, const std::string& more = {}) {
    return parse_rule(with(more, "{\"all\":[" + when + "]}", R"("for":"1m")"), kAccount)->message;
  };
  EXPECT_EQ(message(R"({"fn":"offline"})"), "{{device}} {{fn}} for {{duration}}");
  EXPECT_EQ(message(R"({"field":"T1","fn":"missing"})"), "{{device}} {{field}} {{fn}} for {{duration}}");
  EXPECT_EQ(message(R"({"fn":"offline"})", R"("message":"{{device}} is gone")"), "{{device}} is gone");
}

TEST(RuleJson, NamesAndMessagesAreAsLongAsTheContractSays) {
  const auto with = [](const std::string& member, size_t bytes) {
    return R"({"id":"r",")" + member + R"(":")" + std::string(bytes, 'x') +
           R"(","when":{"all":[{"field":"T1"}]},"levels":[{"severity":"info","op":">","value":2}]})";
  };
  for (const char* member : {"name", "message"}) {
    EXPECT_EQ(wrong(with(member, 1024)), "accepted");
    EXPECT_EQ(wrong(with(member, 1025)), std::string(member) + ": 1 to 1024 bytes");
  }
}

TEST(RuleCommand, EachComesOutAsItWentIn) {
  const Result<model::Rule> rule = parse_rule(kFull, kAccount);
  ASSERT_TRUE(rule.ok());
  const auto through = [](const RuleCommand& command) {
    model::Event event;
    event.topic = *model::Topic::parse("account:123/site:s/device:d");
    event.type = model::EventType::system;
    event.data = encode_rule_command(command);
    const auto decoded = decode_rule_command(event);
    EXPECT_TRUE(decoded.ok() && decoded->has_value()) << event.data;
    return **decoded;
  };
  EXPECT_EQ(std::get<SaveRule>(through(SaveRule{*rule, "anna"})).rule, *rule);
  EXPECT_EQ(std::get<DeleteRule>(through(DeleteRule{"ovt", "anna"})).rule_id, "ovt");
  const auto ack = std::get<AlertCommand>(through(AlertCommand{"id", AlertAction::close, "anna", "a \"note\"\n"}));
  EXPECT_EQ(ack.action, AlertAction::close);
  EXPECT_EQ(ack.note, "a \"note\"\n");
  model::Event other;
  other.data = R"({"kind":"maintenance"})";
  EXPECT_FALSE(decode_rule_command(other)->has_value());
}

TEST(RuleJson, ARequestMayLeaveOutTheIdAndRepeatWhatAnAnswerAdded) {
  const std::string answer =
      R"({"name":"Hot","version":3,"when":{"all":[{"field":"T1"}]},"levels":[{"severity":"info","op":">","value":1}],)"
      R"("source":"api","createdAt":"2026-01-27T12:34:56.789Z","createdBy":"user:anna","updatedAt":null,)"
      R"("updatedBy":null,"status":{"devices":7}})";
  const auto request = parse_rule_request(answer, kAccount);
  ASSERT_TRUE(request.ok()) << request.error().detail;
  EXPECT_EQ(request->rule.id, "");
  EXPECT_EQ(request->rule.name, "Hot");
  EXPECT_EQ(request->version, 3u);
  const auto bare = parse_rule_request(with(""), kAccount);
  ASSERT_TRUE(bare.ok()) << bare.error().detail;
  EXPECT_EQ(bare->version, std::nullopt);
  EXPECT_EQ(bare->rule, *parse_rule(with(""), kAccount));
  EXPECT_EQ(wrong(answer), "id: missing");
  EXPECT_FALSE(parse_rule_request(with(R"("updated":1)"), kAccount).ok());
}

TEST(RuleJson, WhatIsAcceptedIsShortEnoughToBeReadAgain) {
  const auto of_size = [&](size_t bytes) {
    std::string labels;
    const std::string half(bytes / 64, 'x');
    for (int i = 10; i < 42; ++i) labels += (i > 10 ? ",\"" : "\"") + std::to_string(i) + half + "\":\"" + half + '"';
    return with("\"labels\":{" + labels + "}");
  };
  size_t accepted = 0;
  for (size_t bytes = 12'000; bytes < 16'000; bytes += 64) {
    const auto rule = parse_rule(of_size(bytes), kAccount);
    if (!rule) continue;
    ++accepted;
    model::Rule later = *rule;
    later.version = 1'000'000'000'000;
    const auto again = parse_rule(encode_rule(later), kAccount);
    ASSERT_TRUE(again.ok() && *again == later) << bytes;
  }
  EXPECT_GT(accepted, 0u);
  EXPECT_EQ(wrong(of_size(16'200)), "rule: at most 16384 bytes");
}

}  // namespace
}  // namespace millstream::codec
