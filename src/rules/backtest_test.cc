#include "rules/backtest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "base/limits.h"
#include "codec/event_json.h"
#include "codec/rule_json.h"
#include "rules/testing.h"

namespace millstream::rules {
namespace {

using model::Comparison;
using model::Function;
using model::Rule;

constexpr int64_t kBegin = 1'770'000'000'000;

model::Topic topic_of(const std::string& device) { return *model::Topic::parse("account:a/site:s/device:" + device); }

Rule over_70() { return threshold_rule("hot", "account:a", "T1", Comparison::gt, 70); }

FieldExtremes between(double low, double high) { return {{"T1", {low, high}}}; }

model::Event alert_at(const std::string& device, int64_t ts_ms, model::AlertState state) {
  model::Alert alert;
  alert.alert_id = "x." + device;
  alert.rule_id = alert.rule_name = "x";
  alert.device = topic_of(device).device;
  alert.state = state;
  return {.ts_ms = ts_ms,
          .topic = topic_of(device),
          .type = model::EventType::alert,
          .data = codec::encode_alert_data(alert)};
}

TEST(Backtest, BoundsRuleOutWhatNoValueWithinThemReaches) {
  EXPECT_FALSE(may_fire(over_70(), {}, {})) << "no values at all";
  EXPECT_FALSE(may_fire(over_70(), {}, between(0, 69)));
  EXPECT_TRUE(may_fire(over_70(), {}, between(0, 71)));
  Rule below = threshold_rule("cold", "account:a", "T1", Comparison::le, 5);
  EXPECT_FALSE(may_fire(below, {}, between(5.5, 70)));
  EXPECT_TRUE(may_fire(below, {}, between(5, 70)));
  Rule outside = over_70();
  outside.levels[0].op = Comparison::outside;
  outside.levels[0].value = model::Range{10, 20};
  EXPECT_FALSE(may_fire(outside, {}, between(10.5, 19.5)));
  EXPECT_TRUE(may_fire(outside, {}, between(9, 15)));
}

TEST(Backtest, BoundsAreComparedWithTheLimitsOfTheDevice) {
  Rule rule = over_70();
  rule.levels[0].value = model::AttributeLimit{"T1_warn", 70};
  EXPECT_FALSE(may_fire(rule, {}, between(0, 65)));
  EXPECT_TRUE(may_fire(rule, {{"T1_warn", 60}}, between(0, 65)));
}

TEST(Backtest, AllConditionsMustBePossibleOrAnyOfThem) {
  Rule rule = over_70();
  model::Condition guard;
  guard.field = "pump";
  guard.op = Comparison::eq;
  guard.value = 1.0;
  rule.when.push_back(guard);
  FieldExtremes seen = between(60, 80);
  seen["pump"] = {0, 0};
  EXPECT_FALSE(may_fire(rule, {}, seen));
  rule.any = true;
  EXPECT_TRUE(may_fire(rule, {}, seen));
}

TEST(Backtest, BoundsSayNothingOfTextsRatesAndSilence) {
  Rule unlike = over_70();
  unlike.levels[0].op = Comparison::ne;
  EXPECT_TRUE(may_fire(unlike, {}, between(70, 70))) << "a text is unlike 70";
  for (const Function fn : {Function::rate, Function::sum, Function::stddev, Function::zscore, Function::missing}) {
    Rule rule = over_70();
    rule.when[0].fn = fn;
    EXPECT_TRUE(may_fire(rule, {}, between(0, 1))) << model::function_name(fn);
  }
  Rule silent = over_70();
  silent.no_data = model::NoData{60'000, model::NoDataDo::alert};
  EXPECT_TRUE(may_fire(silent, {}, between(0, 1)));
}

TEST(Backtest, TheFirstAlertEventsOfAllDevicesAreKeptAndTheOthersCounted) {
  PastAlerts alerts(3);
  alerts.add({alert_at("a", 1000, model::AlertState::firing), alert_at("a", 9000, model::AlertState::resolved)});
  // Told at once, and so not before what came before it.
  int64_t at_ms = std::numeric_limits<int64_t>::min();
  alerts.add({alert_at("b", 4000, model::AlertState::firing)}, at_ms);
  alerts.add({alert_at("b", 3000, model::AlertState::resolved)}, at_ms);
  for (int i = 0; i < 10; ++i) alerts.add({alert_at("c", 5000 + i, model::AlertState::firing)});
  alerts.add({alert_at("d", 2000, model::AlertState::firing)});
  EXPECT_EQ(alerts.fired(), 13u);
  EXPECT_EQ(alerts.left_out(), 12u);
  EXPECT_EQ(alerts.devices().size(), 4u);
  std::string order;
  for (const model::Event& event : std::move(alerts).first()) order += event.topic.device.text();
  EXPECT_EQ(order, "adb");
}

// ---- the same as live, by random rules over a random past ----

class RandomPast {
 public:
  explicit RandomPast(uint64_t seed) : random_(seed) {}

  Rule rule() {
    const std::string when = pick({R"({"field":"T1"})", R"({"field":"T1","fn":"avg","window":"30s"})",
                                   R"({"field":"T1","fn":"max","window":"1m"})", R"({"field":"T1","fn":"missing"})",
                                   R"({"field":"T1","fn":"ewma","halfLife":"10s","warmup":3})", R"({"fn":"offline"})",
                                   R"({"field":"T1","fn":"rate","window":"30s"})"});
    const bool silence = when.find("missing") != std::string::npos || when.find("offline") != std::string::npos;
    std::string json = R"({"id":"r","scope":{"topic":"account:a"},"when":{"all":[)" + when;
    if (!silence && chance(3)) json += R"(,{"field":"pump","op":"==","value":true})";
    json += R"(]},"levels":[)";
    const std::string limit = pick({"70", "85", R"({"attr":"T1_warn","default":90})"});
    json += silence ? R"({"severity":"warning","for":"20s"})"
                    : R"({"severity":"warning","op":")" + pick({">", "<=", "=="}) + R"(","value":)" + limit + "}";
    json += R"(],"maxLateness":"5s")";
    if (chance(2)) json += R"(,"for":"7s")";
    if (chance(3)) json += R"(,"minSamples":2)";
    if (chance(2)) json += R"(,"keepFiring":"11s")";
    if (!silence && chance(3)) json += R"(,"noData":{"after":"25s","do":")" + pick({"keep", "ok", "alert"}) + "\"}";
    if (!silence && chance(4)) json += R"(,"flap":{"history":9,"high":0.5,"low":0.25})";
    if (chance(5)) json += R"(,"schedule":{"tz":"UTC","active":[{"from":"02:41","to":"02:43"}]})";
    const Result<Rule> parsed = codec::parse_rule(json + "}", *model::AccountId::parse("a"));
    EXPECT_TRUE(parsed.ok()) << json << ": " << parsed.error().detail;
    return *parsed;
  }

  std::vector<model::Event> events() {
    std::vector<model::Event> events;
    int64_t now_ms = kBegin;
    for (int i = 0; i < 400; ++i) {
      now_ms += static_cast<int64_t>(random_() % (chance(20) ? 60'000 : 1500));
      model::Event event{.id = {now_ms, static_cast<uint32_t>(i)}, .ts_ms = now_ms};
      event.topic = topic_of("d" + std::to_string(random_() % 4));
      if (chance(15)) {
        event.type = model::EventType::device_status;
        const auto status = chance(2) ? model::Presence::offline : model::Presence::online;
        event.data = codec::encode_device_status_data({event.topic.device, status, "timeout", now_ms});
      } else {
        event.ts_ms -= chance(4) ? static_cast<int64_t>(random_() % 8000) : 40;
        // Of a few values, so that limits are met exactly, and long runs within them come too.
        event.fields = {{"T1", static_cast<double>(60 + random_() % (event.topic.device.text() == "d3" ? 9 : 40))}};
        if (chance(5)) event.fields[0].value = std::string("off");
        event.fields.push_back({"pump", chance(2)});
        event.data = codec::encode_telemetry_data(event.topic.device, event.fields, {});
      }
      events.push_back(std::move(event));
    }
    return events;
  }

 private:
  bool chance(uint64_t one_in) { return random_() % one_in == 0; }
  std::string pick(std::vector<std::string> from) { return from[random_() % from.size()]; }
  std::mt19937_64 random_;
};

// Each alert event as its time and its data.
using Told = std::vector<std::pair<int64_t, std::string>>;

Told told_of(const model::Conclusions& concluded, const model::Topic& device) {
  Told told;
  for (const model::Event& event : concluded) {
    if (event.topic == device) told.emplace_back(event.ts_ms, event.data);
  }
  return told;
}

model::Conclusions live_alerts(const Rule& rule, const Attributes& of_d1, const std::vector<model::Event>& events,
                               int64_t until_ms) {
  RuleEngine live({.rules = {rule}, .attributes = {{topic_of("d1"), of_d1}}});
  model::Conclusions concluded;
  for (const model::Event& event : events) {
    live.advance(event.id.ms, concluded);
    live.step(event, event.id.ms, concluded);
  }
  live.advance(until_ms, concluded);
  return concluded;
}

TEST(Backtest, GivesForEachDeviceWhatTheEngineThatWatchedAllOfThemGave) {
  const uint64_t first = std::random_device{}();
  size_t alert_events = 0, passed_over = 0;
  for (uint64_t seed = first; seed < first + 80; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomPast past(seed);
    const Rule rule = past.rule();
    const std::vector<model::Event> events = past.events();
    const Attributes attributes = {{"T1_warn", 80}};
    const int64_t until_ms = events.back().id.ms + 30'000;

    const model::Conclusions live = live_alerts(rule, attributes, events, until_ms);

    for (const std::string device : {"d0", "d1", "d2", "d3"}) {
      const Attributes of_device = device == "d1" ? attributes : Attributes();
      DeviceBacktest test(rule, topic_of(device), of_device);
      FieldExtremes seen;
      for (const model::Event& event : events) {
        if (event.topic != topic_of(device)) continue;
        model::Event read = event;
        if (read.type == model::EventType::telemetry) {
          read.fields = *codec::decode_telemetry_fields(read.data, fields_of(rule));
        }
        test.take(read);
        for (const model::Field& field : read.fields) {
          if (const auto number = model::as_number(field.value)) seen[field.name].add(*number);
        }
      }
      const Told got = told_of(std::move(test).end(until_ms), topic_of(device));
      ASSERT_EQ(got, told_of(live, topic_of(device))) << codec::encode_rule(rule);
      if (!may_fire(rule, of_device, seen)) {
        ASSERT_TRUE(got.empty()) << codec::encode_rule(rule);
        ++passed_over;
      }
      alert_events += got.size();
    }
  }
  EXPECT_GT(alert_events, 300u);
  EXPECT_GT(passed_over, 10u);
}

}  // namespace
}  // namespace millstream::rules
