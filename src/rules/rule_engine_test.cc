#include "rules/rule_engine.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/device_settings_json.h"
#include "codec/event_json.h"
#include "codec/rule_command.h"
#include "rules/testing.h"

namespace millstream::rules {
namespace {

using model::Comparison;
using model::Conclusions;
using model::Function;
using model::Rule;

using Lines = std::vector<std::string>;

Rule rule(const std::string& id, const std::string& field, Comparison op, double value, int64_t for_ms = 0) {
  Rule r = threshold_rule(id, "account:a", field, op, value, for_ms);
  r.name = "Rule " + r.id;
  return r;
}
Rule over_70(int64_t for_ms = 0) { return rule("hot", "T1", Comparison::gt, 70, for_ms); }

model::Topic topic_of(const std::string& device, const std::string& account = "a") {
  return *model::Topic::parse("account:" + account + "/site:s/device:" + device);
}

model::Event telemetry(const std::string& device, int64_t received_ms, int64_t ts_ms, model::Fields fields) {
  model::Event event;
  event.id = {received_ms, 0};
  event.ts_ms = ts_ms;
  event.topic = topic_of(device);
  event.fields = std::move(fields);
  return event;
}

model::Event status(const std::string& device, model::Presence presence, int64_t ts_ms) {
  model::Event event;
  event.ts_ms = ts_ms;
  event.topic = topic_of(device);
  event.type = model::EventType::device_status;
  event.data = codec::encode_device_status_data({event.topic.device, presence, "timeout", ts_ms});
  return event;
}

// Of account a.
model::Event command(const codec::RuleCommand& said) {
  model::Event event;
  event.topic.account = *model::AccountId::parse("a");
  event.type = model::EventType::system;
  event.data = codec::encode_rule_command(said);
  return event;
}

model::Alert alert_of(const model::Event& event) {
  EXPECT_EQ(event.type, model::EventType::alert);
  const Result<model::Alert> alert = codec::decode_alert_data(event.data);
  EXPECT_TRUE(alert.ok());
  return alert ? *alert : model::Alert{};
}

// "ts state alertId value", as short text; "ts data" of what is no alert.
Lines lines(const Conclusions& out) {
  Lines texts;
  for (const model::Event& event : out) {
    if (event.type == model::EventType::system) {
      EXPECT_FALSE(event.topic.is_device() || event.topic.account.empty());
      texts.push_back(std::to_string(event.ts_ms) + " " + event.data);
      continue;
    }
    const model::Alert alert = alert_of(event);
    EXPECT_EQ(alert.device, event.topic.device);
    std::string text = std::to_string(event.ts_ms) + " " + std::string(model::alert_state_name(alert.state)) + " " +
                       alert.alert_id + " ";
    codec::append_json_number(alert.value, text);
    if (alert.ended_at_ms) text += " until " + std::to_string(*alert.ended_at_ms);
    texts.push_back(std::move(text));
  }
  return texts;
}

// As the runner drives an engine.
struct Driver {
  explicit Driver(std::vector<Rule> rules, Limits in_force = {})
      : limits(in_force), engine(std::make_unique<RuleEngine>(Configuration{std::move(rules), {}, in_force})) {}

  void value(int64_t at_ms, double v) { value_at("d", at_ms, at_ms, v); }
  void late_value(int64_t at_ms, int64_t ts_ms, double v) { value_at("d", at_ms, ts_ms, v); }
  void value_at(const std::string& device, int64_t at_ms, int64_t ts_ms, double v) {
    event(at_ms, telemetry(device, at_ms, ts_ms, {{"T1", v}}));
  }
  void event(int64_t at_ms, const model::Event& e) {
    engine->advance(at_ms, out);
    engine->step(e, at_ms, out);
  }
  void until(int64_t at_ms) { engine->advance(at_ms, out); }
  Lines take() {
    const Lines texts = lines(out);
    out.clear();
    return texts;
  }
  // As a restart with these rules does.
  void restart(std::vector<Rule> rules, int64_t from_ms, int64_t now_ms) {
    auto next = std::make_unique<RuleEngine>(Configuration{std::move(rules), {}, limits});
    ASSERT_TRUE(next->load(engine->save()).ok());
    engine = std::move(next);
    engine->resume(from_ms, now_ms);
  }

  RuleStatus status_of(const std::string& rule_id) const {
    return engine->board().status(*model::AccountId::parse("a"), rule_id).value_or(RuleStatus{.devices = -1});
  }

  const Limits limits;
  std::unique_ptr<RuleEngine> engine;
  Conclusions out;
};

TEST(Rules, BreachWithoutForFiresAtOnceAndResolvesWhenItEnds) {
  Driver d({over_70()});
  d.value(1000, 70);
  EXPECT_EQ(d.take(), Lines{});
  d.value(2000, 71);
  d.value(3000, 90);
  EXPECT_EQ(d.take(), (Lines{"2000 firing hot.s.d.2000.1 71"}));
  d.value(4000, 70);
  d.value(5000, 60);
  EXPECT_EQ(d.take(), (Lines{"4000 resolved hot.s.d.2000.1 70 until 4000"}));
  d.value(6000, 71);
  EXPECT_EQ(d.take(), (Lines{"6000 firing hot.s.d.6000.1 71"}));
}

TEST(Rules, AlertsOfOneMillisecondHaveDistinctIds) {
  Driver d({over_70()});
  for (const double v : {80, 60, 80, 60, 80}) d.value(1000, v);
  EXPECT_EQ(d.take(), (Lines{"1000 firing hot.s.d.1000.1 80", "1000 resolved hot.s.d.1000.1 60 until 1000",
                             "1000 firing hot.s.d.1000.2 80", "1000 resolved hot.s.d.1000.2 60 until 1000",
                             "1000 firing hot.s.d.1000.3 80"}));
}

TEST(Rules, EveryComparisonFiresAndResolvesOnItsOwnSide) {
  struct Case {
    Comparison op;
    double clear;
    double calm, breach, inside, cleared;
  };
  for (const Case& c : {Case{Comparison::gt, 65, 70, 70.5, 65.5, 65}, Case{Comparison::ge, 65, 69.5, 70, 66, 65},
                        Case{Comparison::lt, 75, 70, 69.5, 74.5, 75}, Case{Comparison::le, 75, 70.5, 70, 74, 75},
                        Case{Comparison::gt, 70, 70, 70.5, 70.5, 70}, Case{Comparison::ge, 70, 69.5, 70, 70, 69.5},
                        Case{Comparison::lt, 70, 70, 69.5, 69.5, 70}, Case{Comparison::le, 70, 70.5, 70, 70, 70.5}}) {
    SCOPED_TRACE(std::string(model::comparison_text(c.op)) + " clear " + std::to_string(c.clear));
    Rule r = rule("r", "T1", c.op, 70);
    r.levels[0].clear = c.clear;
    Driver d({r});
    d.value(1, c.calm);
    EXPECT_EQ(d.take().size(), 0u);
    d.value(2, c.breach);
    EXPECT_EQ(d.take().size(), 1u);
    d.value(3, c.inside);
    EXPECT_EQ(d.take().size(), 0u);
    d.value(4, c.cleared);
    EXPECT_EQ(d.take().size(), 1u);
  }
}

TEST(Rules, ForIsFulfilledByTimeAloneAsOfItsDeadline) {
  Driver d({over_70(10'000)});
  d.value(1000, 80);
  d.value(5000, 85);
  d.until(10'999);
  EXPECT_EQ(d.take(), Lines{});
  d.until(50'000);
  EXPECT_EQ(d.take(), (Lines{"11000 firing hot.s.d.11000.1 85"}));
  d.value(51'000, 60);
  EXPECT_EQ(d.take(), (Lines{"51000 resolved hot.s.d.11000.1 60 until 51000"}));
}

TEST(Rules, CalmValueWithinForStartsItAgain) {
  Driver d({over_70(10'000)});
  d.value(1000, 80);
  d.value(9000, 60);
  d.value(9500, 80);
  d.until(19'499);
  EXPECT_EQ(d.take(), Lines{});
  d.until(19'500);
  EXPECT_EQ(d.take(), (Lines{"19500 firing hot.s.d.19500.1 80"}));
}

TEST(Rules, BreachOfTheDevicesOwnTimeFiresWhenItArrivesInOneGo) {
  Driver d({over_70(10'000)});
  d.late_value(100'000, 80'000, 80);
  d.late_value(100'001, 89'999, 81);
  EXPECT_EQ(d.take(), Lines{});
  d.late_value(100'002, 90'000, 82);
  EXPECT_EQ(d.take(), (Lines{"90000 firing hot.s.d.90000.1 82"}));
}

TEST(Rules, LateFirstBreachHasNotHeldForAnyTimeYet) {
  Driver d({over_70(10'000)});
  d.late_value(100'000, 75'000, 80);
  d.until(109'999);
  EXPECT_EQ(d.take(), Lines{});
  d.until(110'000);
  EXPECT_EQ(d.take(), (Lines{"110000 firing hot.s.d.85000.1 80"}));
}

TEST(Rules, DeviceClockFarBehindDoesNotDefeatFor) {
  Driver d({over_70(10'000)});
  for (int64_t at = 100'000; at < 109'000; at += 1000) d.late_value(at, at - 3'600'000, 80);
  d.late_value(109'500, 109'500 - 3'600'000, 60);
  d.until(200'000);
  EXPECT_EQ(d.take(), Lines{});
}

TEST(Rules, DeviceClockAheadCountsAsReceiveTime) {
  Driver d({over_70()});
  d.late_value(1000, 200'000, 80);
  EXPECT_EQ(d.take(), (Lines{"1000 firing hot.s.d.1000.1 80"}));
  d.value(2000, 60);
  EXPECT_EQ(d.take(), (Lines{"2000 resolved hot.s.d.1000.1 60 until 2000"}));
}

TEST(Rules, LateValueNeverChangesState) {
  Driver d({over_70()});
  d.value(100'000, 60);
  d.late_value(100'100, 99'999, 80);
  EXPECT_EQ(d.take(), Lines{});
  d.value(101'000, 80);
  d.take();
  d.late_value(101'100, 100'999, 60);
  EXPECT_EQ(d.take(), Lines{});
  d.late_value(101'200, 101'000, 60);
  EXPECT_EQ(d.take(), (Lines{"101000 resolved hot.s.d.101000.1 60 until 101000"}));
}

TEST(Rules, LateValueDoesNotEndPending) {
  Driver d({over_70(10'000)});
  d.value(100'000, 80);
  d.late_value(100'500, 99'000, 60);
  d.until(110'000);
  EXPECT_EQ(d.take(), (Lines{"110000 firing hot.s.d.110000.1 80"}));
}

TEST(Rules, EndIsNeverBeforeTheStart) {
  Driver d({over_70(10'000)});
  d.late_value(100'000, 100'000, 80);
  d.until(110'000);
  d.late_value(110'001, 100'001, 60);
  EXPECT_EQ(d.take(), (Lines{"110000 firing hot.s.d.110000.1 80", "110000 resolved hot.s.d.110000.1 60 until 110000"}));
}

TEST(Rules, OfflineMarksTheAlertStaleOnceAndDataBringsItBack) {
  Driver d({over_70()});
  d.value(1000, 80);
  d.take();
  d.event(61'005, status("d", model::Presence::stale, 16'000));
  EXPECT_EQ(d.take(), Lines{});
  d.event(61'005, status("d", model::Presence::offline, 61'000));
  d.event(61'006, status("d", model::Presence::offline, 61'001));
  EXPECT_EQ(d.take(), (Lines{"61000 stale hot.s.d.1000.1 80"}));
  d.until(100'000'000);
  EXPECT_EQ(d.take(), Lines{});
  d.event(100'000'000, status("d", model::Presence::online, 100'000'000));
  EXPECT_EQ(d.take(), Lines{});
  d.value(100'000'001, 81);
  d.value(100'000'002, 82);
  EXPECT_EQ(d.take(), (Lines{"100000001 updated hot.s.d.1000.1 81"}));
  d.event(100'100'000, status("d", model::Presence::offline, 100'060'002));
  d.value(100'100'001, 60);
  EXPECT_EQ(d.take(),
            (Lines{"100060002 stale hot.s.d.1000.1 82", "100100001 resolved hot.s.d.1000.1 60 until 100100001"}));
}

TEST(Rules, NewsOfSilenceOlderThanTheNewestValueIsOutdated) {
  Driver d({over_70()});
  d.value(1000, 80);
  d.value(61'002, 80);
  d.take();
  d.event(61'005, status("d", model::Presence::offline, 61'000));
  EXPECT_EQ(d.take(), Lines{});
}

TEST(Rules, AlertThatFiresInSilenceIsStaleAtOnce) {
  Driver d({over_70(300'000)});
  d.value(1000, 80);
  d.event(61'005, status("d", model::Presence::offline, 61'000));
  EXPECT_EQ(d.take(), Lines{});
  d.until(400'000);
  EXPECT_EQ(d.take(), (Lines{"301000 firing hot.s.d.301000.1 80", "301000 stale hot.s.d.301000.1 80"}));
}

TEST(Rules, StatusThatCannotBeReadIsIgnored) {
  Driver d({over_70()});
  d.value(1000, 80);
  d.take();
  model::Event event = status("d", model::Presence::offline, 61'000);
  event.data = "{";
  d.event(61'005, event);
  EXPECT_EQ(d.take(), Lines{});
}

TEST(Rules, OnlyNumbersOfTheFieldCount) {
  Driver d({over_70(), rule("door", "open", Comparison::ge, 1)});
  d.event(1, telemetry("d", 1, 1, {{"T1", std::string("99")}, {"T2", 99.0}, {"open", false}}));
  EXPECT_EQ(d.take(), Lines{});
  d.event(2, telemetry("d", 2, 2, {{"open", true}, {"T1", int64_t{99}}}));
  EXPECT_EQ(d.take(), (Lines{"2 firing door.s.d.2.1 1", "2 firing hot.s.d.2.1 99"}));
}

TEST(Rules, TextThatIsTooLongIsCutBetweenTwoCharacters) {
  Rule not_ok = rule("text", "T1", Comparison::ne, 0);
  not_ok.levels[0].value = std::string("ok");
  Driver driver({not_ok});
  const std::string begins(model::kRuleTextBytesMax - 1, 'a');
  driver.event(1000, telemetry("d", 1000, 1000, {{"T1", begins + "é"}}));
  ASSERT_EQ(driver.out.size(), 1u);
  EXPECT_TRUE(is_utf8(driver.out[0].data));
  EXPECT_EQ(alert_of(driver.out[0]).message, "d T1=" + begins + " != ok");
}

TEST(Rules, AMessageThatNamesALongTextOftenIsCut) {
  Rule wordy = rule("text", "T1", Comparison::ne, 0);
  wordy.levels[0].value = std::string("ok");
  wordy.message = "é{{value}}{{value}}{{value}}{{value}}{{value}}{{value}}{{value}}{{value}}{{value}}";
  Driver driver({wordy});
  std::string text;
  while (text.size() < model::kRuleTextBytesMax) text += "é";
  driver.event(1000, telemetry("d", 1000, 1000, {{"T1", "d" + text}}));
  ASSERT_EQ(driver.out.size(), 1u);
  EXPECT_TRUE(is_utf8(driver.out[0].data));
  const std::string message = alert_of(driver.out[0]).message;
  EXPECT_LE(message.size(), 4096u);
  EXPECT_GE(message.size(), 4095u);
}

TEST(Rules, WhatNoDoubleCanHoldIsTheLargestNumber) {
  for (const Function fn : {Function::sum, Function::stddev, Function::avg, Function::delta, Function::rate}) {
    Rule large = rule("large", "T1", Comparison::gt, 1.75e308);
    large.when[0].fn = fn;
    large.when[0].window_ms = 60'000;
    Driver driver({large});
    int64_t now_ms = 0;
    for (const double value : {-1.7e308, 1.7e308, 1.7e308, -1.7e308, 1.0}) driver.value(now_ms += 1000, value);
    for (const model::Event& event : driver.out) EXPECT_LE(alert_of(event).value, std::numeric_limits<double>::max());
  }
}

TEST(Rules, OneNumberBeyondAllBoundsDoesNotSpoilTheBaseline) {
  Rule strange = rule("strange", "T1", Comparison::gt, 5);
  strange.when[0].fn = Function::zscore;
  strange.when[0].baseline.warmup = 10;
  Driver driver({strange});
  int64_t now_ms = 0;
  const auto calm = [&](int values) {
    for (int i = 0; i < values; ++i) driver.value(now_ms += 1000, i % 2 == 0 ? 20 : 21);
  };
  calm(20);
  driver.value(now_ms += 1000, 1e200);
  EXPECT_EQ(driver.take().size(), 1u);
  calm(20);
  EXPECT_EQ(driver.take().size(), 1u);
  driver.value(now_ms += 1000, 100);
  EXPECT_EQ(driver.take().size(), 1u);
}

TEST(Rules, ScopeAndEnabledDecideWhoIsWatched) {
  Rule other_account = over_70();
  other_account.id = "other_account";
  other_account.scope = *model::TopicPattern::parse("account:b");
  Rule other_site = over_70();
  other_site.id = "other_site";
  other_site.scope = *model::TopicPattern::parse("account:a/site:t/device:*");
  Rule this_device = over_70();
  this_device.id = "this_device";
  this_device.scope = *model::TopicPattern::parse("account:a/site:*/device:d");
  Rule disabled = over_70();
  disabled.id = "disabled";
  disabled.enabled = false;
  Driver d({other_account, other_site, disabled, this_device, over_70()});
  d.value_at("d", 1, 1, 80);
  d.value_at("e", 2, 2, 80);
  EXPECT_EQ(d.take(), (Lines{"1 firing hot.s.d.1.1 80", "1 firing this_device.s.d.1.1 80", "2 firing hot.s.e.2.1 80"}));
}

TEST(Rules, DeadlinesComeByTimeThenTopicThenRule) {
  Driver d({over_70(1000), rule("warm", "T1", Comparison::gt, 50, 1000), rule("quick", "T1", Comparison::gt, 50, 500)});
  d.value_at("b", 1000, 1000, 80);
  d.value_at("a", 1000, 1000, 80);
  d.until(9000);
  EXPECT_EQ(d.take(), (Lines{"1500 firing quick.s.a.1500.1 80", "1500 firing quick.s.b.1500.1 80",
                             "2000 firing hot.s.a.2000.1 80", "2000 firing warm.s.a.2000.1 80",
                             "2000 firing hot.s.b.2000.1 80", "2000 firing warm.s.b.2000.1 80"}));
}

TEST(Rules, AlertCarriesTheRule) {
  Rule r = over_70();
  r.levels[0].severity = model::Severity::critical;
  Driver d({r});
  d.value(1000, 71.5);
  const model::Alert alert = alert_of(d.out.at(0));
  EXPECT_EQ(alert.rule_id, "hot");
  EXPECT_EQ(alert.rule_name, "Rule hot");
  EXPECT_EQ(alert.severity, model::Severity::critical);
  EXPECT_EQ(alert.message, "d T1=71.5 > 70");
  EXPECT_EQ(alert.field, "T1");
  EXPECT_EQ(alert.threshold, 70);
  EXPECT_EQ(alert.started_at_ms, 1000);
  EXPECT_FALSE(alert.ended_at_ms);
}

TEST(AlertMessage, PlaceholdersAreReplacedOnceAndTheRestStays) {
  const auto message = [&](std::string text) {
    Rule r = over_70();
    r.name = "{{device}}";
    r.message = std::move(text);
    Driver d({r});
    d.value(1000, 71.25);
    return alert_of(d.out.at(0)).message;
  };
  EXPECT_EQ(message("{{device}}@{{site}}: {{field}} {{value}} {{op}} {{threshold}}"), "d@s: T1 71.25 > 70");
  EXPECT_EQ(message("{{rule}} {{fn}} {{severity}} {{duration}}"), "{{device}} last warning 0s");
  EXPECT_EQ(message("{{colour}} {{ value }} {{{value}}} {{"), "{{colour}} {{ value }} {71.25} {{");
  EXPECT_EQ(message("{{{{device}}"), "{{d");
}

TEST(Rules, OwnDowntimeDoesNotCountForFor) {
  Driver d({over_70(10'000)});
  d.value(1000, 80);
  d.until(4000);
  d.engine->resume(4000, 1'000'000);
  d.until(1'000'000);
  d.value(1'000'001, 80);
  EXPECT_EQ(d.take(), Lines{});
  d.until(1'006'999);
  EXPECT_EQ(d.take(), Lines{});
  d.until(1'007'000);
  EXPECT_EQ(d.take(), (Lines{"1007000 firing hot.s.d.1007000.1 80"}));
}

TEST(Rules, LoadedStateKeepsItsRulesUntilResume) {
  Driver d({over_70(10'000)});
  d.value(1000, 80);
  RuleEngine changed(Configuration{{rule("hot", "T1", Comparison::gt, 90, 10'000)}, {}});
  ASSERT_TRUE(changed.load(d.engine->save()).ok());
  Conclusions out;
  changed.advance(11'000, out);
  EXPECT_EQ(lines(out), (Lines{"11000 firing hot.s.d.11000.1 80"}));
  out.clear();
  changed.resume(11'000, 11'000);
  changed.advance(11'000, out);
  ASSERT_EQ(lines(out), (Lines{"11000 resolved hot.s.d.11000.1 80 until 11000"}));
  EXPECT_EQ(alert_of(out[0]).reason, "rule_changed");
  out.clear();
  changed.step(telemetry("d", 12'000, 12'000, {{"T1", 85.0}}), 12'000, out);
  changed.advance(100'000, out);
  EXPECT_TRUE(out.empty());
}

TEST(Rules, OpenAlertsOfRulesNoLongerInForceAreResolvedWithTheReason) {
  std::vector<Rule> before;
  for (const char* id : {"kept", "removed", "disabled", "changed", "moved", "renamed"}) {
    before.push_back(over_70());
    before.back().id = id;
  }
  std::vector<Rule> after = before;
  after.erase(after.begin() + 1);
  after[1].enabled = false;
  after[2].levels[0].clear = 60.0;
  after[3].scope = *model::TopicPattern::parse("account:a/site:elsewhere");
  after[4].message = "new words {{value}}";
  std::reverse(after.begin(), after.end());
  Driver d(before);
  d.value(1000, 80);
  d.take();
  d.restart(after, 1000, 5000);
  d.until(6000);
  Lines reasons;
  for (const model::Event& event : d.out) reasons.push_back(alert_of(event).rule_id + ": " + alert_of(event).reason);
  EXPECT_EQ(reasons, (Lines{"moved: device_not_covered", "changed: rule_changed", "disabled: rule_disabled",
                            "removed: rule_deleted"}));
  for (const model::Event& event : d.out) {
    EXPECT_EQ(event.ts_ms, 5000);
    EXPECT_EQ(alert_of(event).ended_at_ms, 5000);
  }
  d.out.clear();
  d.value(7000, 60);
  ASSERT_EQ(d.out.size(), 2u);
  EXPECT_EQ(alert_of(d.out[0]).rule_id, "kept");
  EXPECT_EQ(alert_of(d.out[1]).rule_id, "renamed");
  EXPECT_EQ(alert_of(d.out[1]).message, "new words 60");
  EXPECT_EQ(alert_of(d.out[1]).started_at_ms, 1000);
}

TEST(Rules, ADeletedDeviceTakesItsAlertAlongAndIsANewOneWhenItSpeaksAgain) {
  Driver driver({over_70(), rule("other", "T1", Comparison::gt, 90)});
  driver.value(1000, 75);
  model::Event deleted = telemetry("d", 2000, 2000, {});
  deleted.type = model::EventType::system;
  deleted.data = codec::encode_device_command(deleted.topic.device, codec::DeleteDevice{"anna"});
  driver.event(2000, deleted);
  ASSERT_EQ(driver.out.size(), 2u);
  EXPECT_EQ(alert_of(driver.out[1]).reason, "device_deleted");
  EXPECT_EQ(driver.take(), (Lines{"1000 firing hot.s.d.1000.1 75", "2000 resolved hot.s.d.1000.1 75 until 2000"}));
  EXPECT_EQ(driver.status_of("hot").devices, 0);
  driver.event(2500, deleted);
  EXPECT_EQ(driver.take(), Lines{});
  driver.value(3000, 75);
  EXPECT_EQ(driver.take(), (Lines{"3000 firing hot.s.d.3000.1 75"}));
}

// The same point again, whatever the alert before it ended by: another alert, and so another id.
TEST(Rules, APointSentAgainAfterItsAlertWasEndedFiresUnderAnotherId) {
  Driver d({over_70()});
  const auto again = [&](int64_t at_ms, const char* reason) {
    EXPECT_EQ(alert_of(d.out.at(0)).reason, reason);
    d.out.clear();
    const int64_t now_ms = at_ms + 1;
    d.restart({over_70()}, now_ms, now_ms);
    d.out.clear();
    d.late_value(now_ms, 1000, 85);
    return d.take();
  };
  d.value(1000, 85);
  EXPECT_EQ(d.take(), (Lines{"1000 firing hot.s.d.1000.1 85"}));
  d.event(2000, command(codec::SaveRule{rule("hot", "T1", Comparison::gt, 80), "anna"}));
  // Back to what is configured, which is another change.
  EXPECT_EQ(again(2000, "rule_changed"), (Lines{"1000 firing hot.s.d.1000.2 85"}));
  d.event(3000, command(codec::DeleteRule{"hot", "anna"}));
  EXPECT_EQ(again(3000, "rule_deleted"), (Lines{"1000 firing hot.s.d.1000.3 85"}));
  model::Event deleted = telemetry("d", 4000, 4000, {});
  deleted.type = model::EventType::system;
  deleted.data = codec::encode_device_command(deleted.topic.device, codec::DeleteDevice{"anna"});
  d.event(4000, deleted);
  EXPECT_EQ(again(4000, "device_deleted"), (Lines{"1000 firing hot.s.d.1000.4 85"}));
}

TEST(Rules, WhatKeepsIdsApartIsForgottenWithTheDay) {
  Driver d({over_70()});
  d.value_at("gone", 1000, 1000, 85);
  d.event(2000, command(codec::DeleteRule{"hot", "anna"}));
  d.take();
  const auto knows = [&] { return d.engine->save().find("device:gone") != std::string::npos; };
  EXPECT_TRUE(knows());
  d.until(kDayMs + kHourMs);
  EXPECT_FALSE(knows());
}

TEST(Rules, PendingSurvivesAChangeOfWordsAndEndsWithItsRule) {
  Driver d({over_70(10'000), rule("gone", "T1", Comparison::gt, 70, 10'000)});
  d.value(1000, 80);
  Rule renamed = over_70(10'000);
  renamed.name = "Hotter";
  d.restart({renamed}, 1000, 1000);
  d.until(20'000);
  EXPECT_EQ(d.take(), (Lines{"11000 firing hot.s.d.11000.1 80"}));
}

TEST(Rules, FarewellsSurviveASave) {
  Driver d({over_70()});
  d.value(1000, 80);
  d.take();
  d.restart({}, 1000, 2000);
  RuleEngine again(Configuration{});
  ASSERT_TRUE(again.load(d.engine->save()).ok());
  Conclusions out;
  again.advance(3000, out);
  EXPECT_EQ(lines(out), (Lines{"2000 resolved hot.s.d.1000.1 80 until 2000"}));
  EXPECT_NE(again.save().size(), d.engine->save().size());
}

TEST(Rules, DamagedStateIsRefusedAndLeavesTheEngineAsItWas) {
  Driver d({over_70(10'000), rule("warm", "T1", Comparison::gt, 50)});
  d.value(1000, 80);
  const std::string state = d.engine->save();
  for (size_t size = 0; size < state.size(); ++size) {
    EXPECT_FALSE(d.engine->load(std::string_view(state).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(d.engine->load(state + "1 ").ok());
  EXPECT_EQ(d.engine->save(), state);
  EXPECT_TRUE(d.engine->load(state).ok());
  EXPECT_EQ(d.engine->save(), state);
  // One device named twice.
  const size_t device = state.find("25:account");
  ASSERT_NE(device, std::string::npos);
  ASSERT_EQ(state.substr(device - 2, 2), "1 ");
  const std::string body = state.substr(device);
  EXPECT_FALSE(d.engine->load(state.substr(0, device - 2) + "2 " + body + body).ok());
}

TEST(Rules, IdleDevicesAreForgottenAfterADayButNeverAnOpenAlert) {
  Driver d({over_70()});
  const auto knows_calm = [&] { return d.engine->save().find("device:calm") != std::string::npos; };
  d.value_at("calm", 1000, 1000, 60);
  EXPECT_TRUE(knows_calm());
  d.until(kDayMs);
  EXPECT_TRUE(knows_calm());
  d.until(kDayMs + kHourMs);
  EXPECT_FALSE(knows_calm());
  d.value_at("hot", kDayMs + kHourMs, kDayMs + kHourMs, 80);
  d.take();
  d.until(9 * kDayMs);
  d.value_at("hot", 9 * kDayMs, 9 * kDayMs, 60);
  EXPECT_EQ(d.take().size(), 1u);
}

// The same random life told with time at other moments, and with saves and loads in between, ends in the same alerts.
TEST(Rules, ConclusionsDoNotDependOnHowOftenTimeIsToldNorOnRestarts) {
  for (unsigned seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::vector<Rule> rules;
    for (int i = 0; i < 6; ++i) {
      rules.push_back(rule("r" + std::to_string(i), i % 2 ? "T1" : "T2", static_cast<Comparison>(random() % 4),
                           static_cast<double>(random() % 8), static_cast<int64_t>(random() % 3 * 150)));
      model::Level& level = rules.back().levels[0];
      level.clear =
          std::get<double>(level.value) + (level.op <= Comparison::ge ? -1.0 : 1.0) * static_cast<double>(random() % 2);
      rules.back().max_lateness_ms = 200;
    }
    // In some lives there is not enough for all of it.
    Limits limits;
    if (seed % 3 == 1) limits.rule_instances_per_account_max = 4 + static_cast<int64_t>(random() % 8);
    if (seed % 3 == 2) limits.rule_evaluations_per_second_max = 40 + static_cast<int64_t>(random() % 60);
    Driver plain(rules, limits);
    Driver restless(rules, limits);
    int64_t now = 1;
    for (int turn = 0; turn < 200; ++turn) {
      const int64_t before = now;
      now += static_cast<int64_t>(random() % 80);
      const std::string device(1, static_cast<char>('a' + random() % 3));
      const int64_t ts = random() % 4 == 0 ? now - static_cast<int64_t>(random() % 400) : now;
      const model::Event event =
          random() % 10 == 0
              ? status(device, model::Presence::offline, now - 5)
              : telemetry(device, now, ts,
                          {{"T1", static_cast<double>(random() % 8)}, {"T2", static_cast<int64_t>(random() % 8)}});
      plain.event(now, event);
      if (random() % 2 == 0) restless.until(before + (now - before) / 2);
      if (random() % 5 == 0) restless.restart(rules, now, now);
      restless.event(now, event);
      if (random() % 2 == 0) restless.until(now);
    }
    plain.until(now + 10'000);
    restless.until(now + 10'000);
    const Lines expected = plain.take();
    ASSERT_FALSE(expected.empty());
    ASSERT_EQ(restless.take(), expected);
  }
}

// A state machine of one line for rules without `for`, on time: firing while breaching, one open alert at a time.
TEST(Rules, OneOpenAlertPerRuleAndDeviceAndEveryAlertEnds) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Driver d({over_70(), rule("cold", "T1", Comparison::lt, 50, 100)});
    int64_t now = 1;
    for (int turn = 0; turn < 300; ++turn) {
      now += 1 + static_cast<int64_t>(random() % 60);
      d.value_at(std::string(1, static_cast<char>('a' + random() % 3)), now, now - static_cast<int64_t>(random() % 90),
                 static_cast<double>(40 + random() % 40));
    }
    for (const char* device : {"a", "b", "c"}) d.value_at(device, now + 1, now + 1, 60);
    std::map<std::string, std::string> open;  // rule and device -> alert id
    for (const model::Event& event : d.out) {
      const model::Alert alert = alert_of(event);
      std::string& id = open[alert.rule_id + alert.device.text()];
      if (alert.state == model::AlertState::firing) {
        ASSERT_EQ(id, "");
        id = alert.alert_id;
      } else {
        ASSERT_EQ(alert.state, model::AlertState::resolved);
        ASSERT_EQ(id, alert.alert_id);
        ASSERT_GE(*alert.ended_at_ms, alert.started_at_ms);
        id.clear();
      }
    }
    for (const auto& [who, id] : open) EXPECT_EQ(id, "") << who;
  }
}

// ---- limits ----

constexpr int64_t kNow = 1'769'517'296'000;

std::string limited(int64_t ms, std::string_view limit, int64_t max) {
  return std::to_string(ms) + R"( {"kind":"rules_limited","limit":")" + std::string(limit) + R"(","max":)" +
         std::to_string(max) + "}";
}

TEST(RuleLimits, DevicesBeyondTheInstancesOfAnAccountAreNotWatchedUntilThereIsRoom) {
  Driver d({over_70(), rule("cold", "T1", Comparison::lt, 0)}, {.rule_instances_per_account_max = 3});
  d.value_at("a", kNow, kNow, 20);
  d.value_at("b", kNow, kNow, 20);  // one of its two
  EXPECT_EQ(d.take(), (Lines{limited(kNow, kInstancesLimit, 3)}));
  d.value_at("c", kNow + 1, kNow + 1, 80);
  EXPECT_EQ(d.take(), Lines{}) << "neither an alert nor a second word";
  EXPECT_EQ(d.status_of("cold"), (RuleStatus{.devices = 2, .limited = true}));
  EXPECT_EQ(d.status_of("hot"), (RuleStatus{.devices = 1, .limited = true}));
  EXPECT_GE(d.engine->board().instances_refused(), 2);
  d.event(kNow + 2, command(codec::DeleteRule{"cold", "anna"}));
  d.value_at("c", kNow + 3, kNow + 3, 80);
  EXPECT_EQ(d.take().size(), 1u);
  EXPECT_EQ(d.status_of("hot"), (RuleStatus{.devices = 2, .firing = 1}));
}

TEST(RuleLimits, ASpentBudgetNeitherEndsAnAlertNorFiresOneAndIsToldOnceAMinute) {
  Driver d({over_70()}, {.rule_evaluations_per_second_max = 10});
  d.value(kNow, 80);  // an evaluation and an alert: nine of ten
  d.value(kNow, 81);
  EXPECT_EQ(d.take(), (Lines{std::to_string(kNow) + " firing hot.s.d." + std::to_string(kNow) + ".1 80"}));
  d.value(kNow, 60);
  d.value_at("e", kNow, kNow, 80);
  EXPECT_EQ(d.take(), (Lines{limited(kNow, kEvaluationsLimit, 10)}));
  EXPECT_EQ(d.engine->board().events_shed(), 2);
  EXPECT_EQ(d.status_of("hot"), (RuleStatus{.devices = 1, .firing = 1}));
  d.value(kNow + 1000, 60);
  EXPECT_EQ(d.take().size(), 1u) << "a second later it is looked at, and resolves";
  for (int64_t at = kNow + 1000; at < kNow + 2000; at += 10) d.value(at, 80);
  for (const std::string& line : d.take()) EXPECT_EQ(line.find("rules_limited"), std::string::npos) << line;
  for (int i = 0; i < 20; ++i) d.value(kNow + 60'000, 60);
  EXPECT_EQ(d.take().back(), limited(kNow + 60'000, kEvaluationsLimit, 10));
}

TEST(RuleLimits, TimeAloneEndsAndFiresNothingWhileTheNewestValuesWereNotLookedAt) {
  Rule keeps = over_70();
  keeps.keep_firing_ms = 5000;
  Driver d({keeps, rule("slow", "T2", Comparison::gt, 70, 5000)}, {.rule_evaluations_per_second_max = 100});
  const auto both = [&](int64_t at_ms, double t1, double t2) {
    d.event(at_ms, telemetry("d", at_ms, at_ms, {{"T1", t1}, {"T2", t2}}));
  };
  both(kNow, 80, 20);
  both(kNow + 1000, 60, 80);  // one recovers, one is pending
  EXPECT_EQ(d.take().size(), 1u);
  for (int i = 0; i < 200; ++i) d.value_at("noise", kNow + 1001, kNow + 1001, 20);
  both(kNow + 1001, 80, 20);  // not looked at: it would have fired again, and calmed down
  d.take();
  d.until(kNow + 60'000);
  EXPECT_EQ(d.take(), Lines{});
  EXPECT_EQ(d.status_of("hot").firing, 1);
  EXPECT_EQ(d.status_of("slow").pending, 1);
  both(kNow + 60'001, 60, 20);
  EXPECT_EQ(d.take().size(), 1u) << "the one resolves, the other has calmed down";
  EXPECT_EQ(d.status_of("hot").firing, 0);
  EXPECT_EQ(d.status_of("slow").pending, 0);
}

TEST(RuleLimits, ADeviceThatIsNotLookedAtIsNotSilent) {
  Rule resolves = over_70();
  resolves.no_data = model::NoData{10'000, model::NoDataDo::ok};
  Rule missing = rule("missing", "T1", Comparison::gt, 0, 10'000);
  missing.when[0].fn = model::Function::missing;
  Driver d({resolves, missing}, {.rule_evaluations_per_second_max = 100});
  d.value(kNow, 80);
  EXPECT_EQ(d.take().size(), 1u);
  for (int64_t at = kNow + 1000; at <= kNow + 30'000; at += 1000) {
    for (int i = 0; i < 200; ++i) d.value_at("noise", at, at, 20);
    d.value(at, 80);
  }
  for (const std::string& line : d.take()) EXPECT_NE(line.find("rules_limited"), std::string::npos) << line;
  d.until(kNow + 39'999);
  EXPECT_EQ(d.take(), Lines{});
  d.until(kNow + 40'000);
  const Lines ended = d.take();
  ASSERT_GE(ended.size(), 2u) << "now it is";
  EXPECT_NE(ended[0].find("resolved hot.s.d"), std::string::npos) << ended[0];
}

TEST(RuleLimits, NoAlertEndsByAWindowThatValuesAreMissingFrom) {
  Rule busy = rule("busy", "T1", Comparison::ge, 5);
  busy.when[0].fn = model::Function::count;
  busy.when[0].window_ms = 10'000;
  busy.max_lateness_ms = 0;
  Driver d({busy}, {.rule_evaluations_per_second_max = 100});
  int64_t at = kNow;
  for (; at < kNow + 10'000; at += 1000) d.value(at, 1);
  EXPECT_EQ(d.take().size(), 1u);
  for (; at < kNow + 30'000; at += 1000) {
    for (int i = 0; i < 200; ++i) d.value_at("noise" + std::to_string(i), at, at, 1);
    d.value(at, 1);
  }
  d.take();
  d.value(at, 1);  // the only one of its window that is looked at
  for (const std::string& line : d.take()) EXPECT_EQ(line.find("resolved busy.s.d."), std::string::npos) << line;
  d.value(at + 30'000, 1);
  EXPECT_EQ(d.take().size(), 1u) << "a whole window later it has ended";
}

TEST(RuleLimits, AnAccountOfALotOfNoiseChangesNothingForTheOneBesideIt) {
  const auto life = [](bool noise) {
    Rule loud = threshold_rule("loud", "account:b", "T1", Comparison::gt, 70);
    Driver d({over_70(3000), rule("cold", "T1", Comparison::lt, 10), loud}, {.rule_evaluations_per_second_max = 500});
    std::mt19937_64 random(7);
    for (int64_t at = kNow; at < kNow + 120'000; at += 500) {
      d.value_at(std::string(1, static_cast<char>('a' + random() % 3)), at, at, static_cast<double>(random() % 100));
      for (int i = 0; noise && i < 300; ++i) {
        model::Event event = telemetry("x", at, at, {{"T1", static_cast<double>(i % 2 * 100)}});
        event.topic = topic_of("x" + std::to_string(i), "b");
        d.event(at, event);
      }
    }
    EXPECT_EQ(d.engine->board().events_shed() > 10'000, noise);
    std::erase_if(d.out, [](const model::Event& event) { return event.topic.account.text() != "a"; });
    return d.take();
  };
  const Lines quiet = life(false);
  EXPECT_GT(quiet.size(), 20u);
  EXPECT_EQ(life(true), quiet);
}

// Counted step by step, and anew from the saved state.
TEST(RuleLimits, WhatTheBoardCountsIsWhatThereIs) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::vector<Rule> rules = {over_70(200), rule("cold", "T1", Comparison::lt, 50),
                               rule("off", "T2", Comparison::gt, 1)};
    rules[1].tags = {{"model", "x"}};
    Driver d(rules, {.rule_instances_per_account_max = 7});
    for (int64_t now = 1; now < 8000; now += static_cast<int64_t>(random() % 100)) {
      const std::string device(1, static_cast<char>('a' + random() % 4));
      model::Event event = telemetry(device, now, now, {{"T1", static_cast<double>(40 + random() % 40)}, {"T2", 3.0}});
      event.data = random() % 2 ? R"({"fields":{},"tags":{"model":"x"}})" : R"({"fields":{}})";
      Rule& changed = rules[random() % rules.size()];
      switch (random() % 16) {
        case 0: changed.enabled = !changed.enabled; [[fallthrough]];
        case 1:
          changed.name += "x";
          d.event(now, command(codec::SaveRule{changed, "anna"}));
          break;
        case 2: d.event(now, command(codec::DeleteRule{changed.id, "anna"})); break;
        case 3:
          d.event(now, status(device, random() % 2 ? model::Presence::offline : model::Presence::online, now));
          break;
        default: d.event(now, event);
      }
    }
    std::map<std::string, int64_t> open;
    for (const model::Event& event : d.out) {
      if (event.type != model::EventType::alert) continue;
      const model::Alert alert = alert_of(event);
      if (alert.state == model::AlertState::firing) ++open[alert.rule_id];
      if (alert.state == model::AlertState::resolved) --open[alert.rule_id];
    }
    RuleEngine again({});
    ASSERT_TRUE(again.load(d.engine->save()).ok());
    int64_t devices = 0;
    for (const Rule& rule : rules) {
      const auto status = d.engine->board().status(*model::AccountId::parse("a"), rule.id);
      auto fresh = again.board().status(*model::AccountId::parse("a"), rule.id);
      ASSERT_EQ(status.has_value(), fresh.has_value());
      if (!status) continue;
      fresh->limited = status->limited;  // found out anew by the next value
      EXPECT_EQ(*status, *fresh) << rule.id;
      EXPECT_EQ(status->firing, open[rule.id]) << rule.id;
      devices += status->devices;
    }
    EXPECT_LE(devices, 7);
  }
}

}  // namespace
}  // namespace millstream::rules
