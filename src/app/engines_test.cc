// Presence, rules and latest values over one log: what people see of a gateway that drops.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "codec/device_settings_json.h"
#include "codec/event_json.h"
#include "codec/rule_json.h"
#include "history/latest_values.h"
#include "presence/presence_engine.h"
#include "rules/rule_engine.h"
#include "rules/testing.h"

namespace millstream::app {
namespace {

using model::Event;
using model::EventType;

constexpr int64_t kBegin = 1'769'517'296'000;

model::Topic topic_of(const std::string& device) { return *model::Topic::parse("account:a/site:s/device:" + device); }

rules::Configuration offline_and_hot_rules() {
  const auto gone = codec::parse_rule(
      R"({"id":"gone","scope":{"topic":"account:a"},"when":{"all":[{"fn":"offline"}]},"levels":[{"severity":"critical","for":"1m"}]})",
      *model::AccountId::parse("a"));
  EXPECT_TRUE(gone.ok()) << gone.error().detail;
  return {{*gone, rules::threshold_rule("hot", "account:a", "T1", model::Comparison::gt, 70)}, {}};
}

// The engines' thread and the log in one: what is concluded comes round like every event.
struct World {
  std::map<model::Topic, model::Topic> gateways;
  history::LatestValues latest{86'400'000, 10'000, [this](const model::Topic& device) {
                                 const auto found = gateways.find(device);
                                 return found == gateways.end() ? std::nullopt : std::optional(found->second);
                               }};
  presence::PresenceEngine presence{presence::PresenceOptions{}};
  rules::RuleEngine rules{offline_and_hot_rules()};
  std::vector<Event> concluded;
  model::EventId last;

  std::vector<model::Engine*> engines() { return {&latest, &presence, &rules}; }

  void append(Event event, int64_t now_ms) {
    last = now_ms > last.ms ? model::EventId{now_ms, 0} : model::EventId{last.ms, last.seq + 1};
    event.id = last;
    model::Conclusions out;
    for (model::Engine* engine : engines()) engine->advance(last.ms, out);
    for (model::Engine* engine : engines()) engine->step(event, last.ms, out);
    take(out, now_ms);
  }
  void until(int64_t now_ms) {
    model::Conclusions out;
    for (model::Engine* engine : engines()) engine->advance(now_ms, out);
    take(out, now_ms);
  }
  void take(model::Conclusions& out, int64_t now_ms) {
    for (Event& event : out) {
      event.conclusion = concluded.size() + 1;
      concluded.push_back(event);
      append(event, now_ms);
    }
  }
  void says(const std::string& device, EventType type, std::string data, int64_t now_ms, model::Fields fields = {}) {
    Event event;
    event.fields = std::move(fields);
    event.ts_ms = now_ms;
    event.topic = topic_of(device);
    event.type = type;
    event.data = std::move(data);
    append(std::move(event), now_ms);
  }
  void data(const std::string& device, int64_t now_ms) {
    says(device, EventType::telemetry, R"({"deviceId":")" + device + R"(","fields":{}})", now_ms);
  }
  void heat(const std::string& device, double degrees, int64_t now_ms) {
    const model::Fields fields = {{"T1", degrees}};
    says(device, EventType::telemetry, codec::encode_telemetry_data(topic_of(device).device, fields, {}), now_ms,
         fields);
  }
  void put_behind(const std::string& device, const std::string& gateway, int64_t now_ms) {
    gateways[topic_of(device)] = topic_of(gateway);
    codec::SaveDevice saved;
    saved.settings.parent = topic_of(gateway).device;
    says(device, EventType::system, codec::encode_device_command(topic_of(device).device, saved), now_ms);
  }
  size_t shown_as(model::Presence status, const std::string& reason) const {
    const history::LatestSnapshot snapshot = latest.snapshot({*model::TopicPattern::parse("account:a")});
    return static_cast<size_t>(std::count_if(snapshot.devices.begin(), snapshot.devices.end(), [&](const auto& d) {
      return d.status && d.status->status == status && d.status->reason == reason;
    }));
  }
};

TEST(Engines, AGatewayThatDropsWithFiveHundredDevicesIsOneEventAndOneAlert) {
  World world;
  world.data("gw", kBegin - 5'000);
  for (int i = 0; i < 500; ++i) {
    world.put_behind("d" + std::to_string(i), "gw", kBegin - 5'000);
    world.data("d" + std::to_string(i), kBegin - 4'000 + i);
  }
  EXPECT_EQ(world.concluded.size(), 501u);
  EXPECT_EQ(world.shown_as(model::Presence::online, "data"), 501u);
  world.concluded.clear();

  world.says("gw", EventType::system,
             codec::encode_presence_report_data({topic_of("gw").device, model::Presence::offline, "last_will", false}),
             kBegin);
  for (int64_t now = kBegin; now < kBegin + 600'000; now += 1'000) world.until(now);
  ASSERT_EQ(world.concluded.size(), 2u);
  const Result<model::DeviceStatus> status = codec::decode_device_status_data(world.concluded[0].data);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(*status,
            (model::DeviceStatus{topic_of("gw").device, model::Presence::offline, "last_will", kBegin - 5'000, 500}));
  const Result<model::Alert> alert = codec::decode_alert_data(world.concluded[1].data);
  ASSERT_TRUE(alert.ok());
  EXPECT_EQ(alert->device.text(), "gw");
  EXPECT_EQ(alert->state, model::AlertState::firing);
  EXPECT_EQ(world.shown_as(model::Presence::offline, "gateway"), 500u);

  world.concluded.clear();
  world.data("gw", kBegin + 600'000);
  ASSERT_EQ(world.concluded.size(), 2u) << "it is online, and its alert resolved";
  EXPECT_EQ(codec::decode_alert_data(world.concluded[1].data)->state, model::AlertState::resolved);
  EXPECT_EQ(world.shown_as(model::Presence::online, "data"), 501u);
}

TEST(Engines, AnAlertBehindAGatewayIsStaleAsLongAsItsDeviceIsShownOffline) {
  World world;
  world.data("gw", kBegin - 5'000);
  world.put_behind("d", "gw", kBegin - 5'000);
  world.heat("d", 80, kBegin - 4'000);
  const auto alerts_told = [&world] {
    std::vector<std::string> told;
    for (const Event& event : world.concluded) {
      if (event.type != EventType::alert || event.topic != topic_of("d")) continue;
      const Result<model::Alert> alert = codec::decode_alert_data(event.data);
      told.push_back(std::string(model::alert_state_name(alert->state)) + " " + alert->reason);
    }
    world.concluded.clear();
    return told;
  };
  using Told = std::vector<std::string>;
  EXPECT_EQ(alerts_told(), Told{"firing "});

  world.until(kBegin + 600'000);
  EXPECT_EQ(alerts_told(), Told{"stale gateway"});
  EXPECT_EQ(world.shown_as(model::Presence::offline, "gateway"), 1u);

  world.data("gw", kBegin + 600'000);
  EXPECT_EQ(alerts_told(), Told{"updated gateway"});
  EXPECT_EQ(world.shown_as(model::Presence::offline, "gateway"), 0u);

  for (int64_t now = kBegin + 600'000; now < kBegin + 700'000; now += 5'000) world.data("gw", now);
  EXPECT_EQ(alerts_told(), Told{"stale offline"}) << "it did not come back with its gateway";
}

}  // namespace
}  // namespace millstream::app
