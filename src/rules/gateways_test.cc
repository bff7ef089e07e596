// Alerts of devices behind a gateway that goes and comes.
#include <gtest/gtest.h>

#include <memory>

#include "codec/device_settings_json.h"
#include "codec/event_json.h"
#include "rules/rule_engine.h"
#include "rules/testing.h"

namespace millstream::rules {
namespace {

using model::Comparison;
using model::DeviceId;
using model::Presence;
using model::Rule;
using Lines = std::vector<std::string>;

Rule over_70(int64_t for_ms = 0) { return threshold_rule("hot", "account:a", "T1", Comparison::gt, 70, for_ms); }

model::Topic topic_of(const std::string& device) { return *model::Topic::parse("account:a/site:s/device:" + device); }
DeviceId id_of(const std::string& device) { return topic_of(device).device; }

struct Driver {
  explicit Driver(Rule watched) : rule(std::move(watched)), engine(make({})) {}

  std::unique_ptr<RuleEngine> make(std::map<model::Topic, DeviceId> gateways) const {
    return std::make_unique<RuleEngine>(Configuration{.rules = {rule}, .gateways = std::move(gateways)});
  }
  void event(const std::string& device, model::EventType type, int64_t at_ms, std::string data,
             model::Fields fields = {}) {
    model::Event event = new_event(type, topic_of(device), std::move(data), at_ms);
    event.id = {at_ms, 0};
    event.fields = std::move(fields);
    engine->advance(at_ms, out);
    engine->step(event, at_ms, out);
  }
  void value(const std::string& device, int64_t at_ms, double value) {
    event(device, model::EventType::telemetry, at_ms, "", {{"T1", value}});
  }
  void status(const std::string& device, int64_t at_ms, Presence status, size_t devices) {
    event(device, model::EventType::device_status, at_ms,
          codec::encode_device_status_data({id_of(device), status, "timeout", at_ms, devices}));
  }
  void says(const std::string& device, int64_t at_ms, const codec::DeviceCommand& command) {
    event(device, model::EventType::system, at_ms, codec::encode_device_command(id_of(device), command));
  }
  void put_behind(const std::string& device, const DeviceId& gateway, int64_t at_ms) {
    codec::SaveDevice saved;
    saved.settings.parent = gateway;
    says(device, at_ms, saved);
  }
  // An alert of each of these devices, behind the gateway "gw", which goes at 10 s.
  void lose_gateway(const std::vector<std::string>& devices) {
    for (const std::string& device : devices) put_behind(device, id_of("gw"), 0);
    for (const std::string& device : devices) value(device, 1000, 80);
    take();
    status("gw", 10'000, Presence::offline, devices.size());
  }
  // "ts state device reason"
  Lines take() {
    Lines texts;
    for (const model::Event& event : out) {
      const Result<model::Alert> alert = codec::decode_alert_data(event.data);
      EXPECT_TRUE(alert.ok());
      if (!alert) continue;
      texts.push_back(std::to_string(event.ts_ms) + " " + std::string(model::alert_state_name(alert->state)) + " " +
                      alert->device.text() + (alert->reason.empty() ? "" : " " + alert->reason));
    }
    out.clear();
    return texts;
  }

  const Rule rule;
  std::unique_ptr<RuleEngine> engine;
  model::Conclusions out;
};

TEST(RuleGateways, OpenAlertsOfThoseBehindItAreStaleUntilItIsBack) {
  Driver d(over_70());
  d.value("alone", 500, 80);
  d.lose_gateway({"b", "a"});
  EXPECT_EQ(d.take(), (Lines{"10000 stale a gateway", "10000 stale b gateway"}));
  d.status("gw", 20'000, Presence::online, 2);
  EXPECT_EQ(d.take(), (Lines{"20000 updated a gateway", "20000 updated b gateway"}));
  d.status("gw", 21'000, Presence::online, 0);
  EXPECT_EQ(d.take(), Lines{});
}

TEST(RuleGateways, OneThatWasNeverHeardTakesNobodyAlong) {
  Driver d(over_70());
  d.put_behind("a", id_of("gw"), 0);
  d.value("a", 1000, 80);
  d.take();
  d.status("gw", 10'000, Presence::offline, 0);
  EXPECT_EQ(d.take(), Lines{});
}

TEST(RuleGateways, AValueThatIsNewerThanItsGoingKeepsTheAlertAsItIs) {
  Driver d(over_70());
  d.put_behind("a", id_of("gw"), 0);
  d.value("a", 10'001, 80);
  d.take();
  d.event("gw", model::EventType::device_status, 10'002, "");  // not understood
  model::Event gone =
      new_event(model::EventType::device_status, topic_of("gw"),
                codec::encode_device_status_data({id_of("gw"), Presence::offline, "timeout", 1, 1}), 10'000);
  d.engine->step(gone, 10'003, d.out);
  EXPECT_EQ(d.take(), Lines{});
}

TEST(RuleGateways, SilenceOfTheDeviceItselfOutlastsItsGateways) {
  Driver d(over_70());
  d.put_behind("gone_before", id_of("gw"), 0);
  d.value("gone_before", 1000, 80);
  d.status("gone_before", 5000, Presence::offline, 0);
  d.lose_gateway({"gone_after", "back"});
  d.take();
  d.status("gone_after", 15'000, Presence::offline, 0);
  d.status("gw", 20'000, Presence::online, 2);
  EXPECT_EQ(d.take(), (Lines{"20000 updated back gateway"}));
  d.status("back", 30'000, Presence::offline, 0);
  EXPECT_EQ(d.take(), (Lines{"30000 stale back offline"}));
}

TEST(RuleGateways, WhatFiresOnWhatWasLastHeardIsStaleToo) {
  Driver d(over_70(15'000));
  d.lose_gateway({"a"});
  EXPECT_EQ(d.take(), Lines{});
  d.engine->advance(16'000, d.out);
  EXPECT_EQ(d.take(), (Lines{"16000 firing a", "16000 stale a gateway"}));
}

TEST(RuleGateways, KeepFiringCountsAnewWhenItIsBack) {
  Rule rule = over_70();
  rule.keep_firing_ms = 30'000;
  Driver d(rule);
  d.put_behind("a", id_of("gw"), 0);
  d.value("a", 1000, 80);
  d.value("a", 2000, 60);
  d.status("gw", 10'000, Presence::offline, 1);
  d.take();
  d.status("gw", 3'600'000, Presence::online, 1);
  d.engine->advance(3'629'999, d.out);
  EXPECT_EQ(d.take(), (Lines{"3600000 updated a gateway"}));
  d.engine->advance(3'630'000, d.out);
  EXPECT_EQ(d.take(), (Lines{"32000 resolved a"}));
}

TEST(RuleGateways, NoDataThatCameDueMeanwhileStaysUntilThereIsData) {
  Rule rule = over_70();
  rule.no_data = {60'000, model::NoDataDo::keep};
  Driver d(rule);
  d.lose_gateway({"a"});
  d.status("gw", 100'000, Presence::online, 1);
  EXPECT_EQ(d.take(), (Lines{"10000 stale a gateway"}));
  d.value("a", 101'000, 80);
  EXPECT_EQ(d.take(), (Lines{"101000 updated a data"}));
}

TEST(RuleGateways, OneThatIsTakenAwayOrDeletedLetsItsDevicesGo) {
  for (const bool deleted : {false, true}) {
    SCOPED_TRACE(deleted);
    Driver d(over_70());
    d.lose_gateway({"a"});
    d.take();
    if (deleted) d.says("gw", 20'000, codec::DeleteDevice{});
    if (!deleted) d.put_behind("a", {}, 20'000);
    EXPECT_EQ(d.take(), (Lines{"20000 updated a gateway"}));
    d.status("gw", 30'000, Presence::online, 0);
    EXPECT_EQ(d.take(), Lines{});
  }
}

TEST(RuleGateways, WhatIsConfiguredCountsFromTheStartOn) {
  for (const bool still : {true, false}) {
    SCOPED_TRACE(still);
    Driver d(over_70());
    d.lose_gateway({"a"});
    d.take();
    auto next = still ? d.make({{topic_of("a"), id_of("gw")}}) : d.make({});
    ASSERT_TRUE(next->load(d.engine->save()).ok());
    EXPECT_EQ(next->save(), d.engine->save());
    d.engine = std::move(next);
    d.engine->resume(20'000, 50'000);
    d.engine->advance(50'000, d.out);
    EXPECT_EQ(d.take(), still ? Lines{} : Lines{"50000 updated a gateway"});
    d.status("gw", 60'000, Presence::online, 1);
    EXPECT_EQ(d.take(), still ? Lines{"60000 updated a gateway"} : Lines{});
  }
}

}  // namespace
}  // namespace millstream::rules
