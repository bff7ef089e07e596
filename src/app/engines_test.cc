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

namespace millstream::app {
namespace {

using model::Event;
using model::EventType;

constexpr int64_t kBegin = 1'769'517'296'000;

model::Topic topic_of(const std::string& device) { return *model::Topic::parse("account:a/site:s/device:" + device); }

rules::Configuration offline_rule() {
  const auto rule = codec::parse_rule(
      R"({"id":"gone","scope":{"topic":"account:a"},"when":{"all":[{"fn":"offline"}]},"levels":[{"severity":"critical","for":"1m"}]})",
      *model::AccountId::parse("a"));
  EXPECT_TRUE(rule.ok()) << rule.error().detail;
  return {{*rule}, {}};
}

// The engines' thread and the log in one: what is concluded comes round like every event.
struct World {
  std::map<model::Topic, model::Topic> gateways;
  history::LatestValues latest{86'400'000, 10'000, [this](const model::Topic& device) {
                                 const auto found = gateways.find(device);
                                 return found == gateways.end() ? std::nullopt : std::optional(found->second);
                               }};
  presence::PresenceEngine presence{presence::PresenceOptions{}};
  rules::RuleEngine rules{offline_rule()};
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
  void says(const std::string& device, EventType type, std::string data, int64_t now_ms) {
    Event event;
    event.ts_ms = now_ms;
    event.topic = topic_of(device);
    event.type = type;
    event.data = std::move(data);
    append(std::move(event), now_ms);
  }
  void data(const std::string& device, int64_t now_ms) {
    says(device, EventType::telemetry, R"({"deviceId":")" + device + R"(","fields":{}})", now_ms);
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

}  // namespace
}  // namespace millstream::app
