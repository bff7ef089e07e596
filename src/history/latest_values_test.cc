#include "history/latest_values.h"

#include <gtest/gtest.h>

#include <map>

#include "codec/device_settings_json.h"
#include "codec/event_json.h"

namespace millstream::history {
namespace {

using model::Event;
using model::EventId;
using model::EventType;

constexpr int64_t kNow = 1'770'000'000'000;
const std::vector<model::TopicPattern> kAll = {*model::TopicPattern::parse("account:1")};

Event telemetry(const std::string& device, EventId id, int64_t ts_ms, model::Fields fields, model::Tags tags = {}) {
  Event e{.id = id, .ts_ms = ts_ms, .topic = *model::Topic::parse("account:1/site:s/device:" + device)};
  e.data = codec::encode_telemetry_data(e.topic.device, fields, tags);
  e.fields = std::move(fields);
  return e;
}

Event status(const std::string& device, EventId id, model::Presence presence) {
  Event e{.id = id,
          .ts_ms = id.ms,
          .topic = *model::Topic::parse("account:1/site:s/device:" + device),
          .type = EventType::device_status};
  e.data = codec::encode_device_status_data({e.topic.device, presence, "data", id.ms});
  return e;
}

Event alert(const std::string& alert_id, EventId id, model::AlertState state) {
  Event e{
      .id = id, .ts_ms = id.ms, .topic = *model::Topic::parse("account:1/site:s/device:d"), .type = EventType::alert};
  model::Alert a{.alert_id = alert_id,
                 .rule_id = "r",
                 .rule_name = "R",
                 .device = e.topic.device,
                 .state = state,
                 .field = "t",
                 .started_at_ms = kNow};
  if (state == model::AlertState::resolved) a.ended_at_ms = id.ms;
  e.data = codec::encode_alert_data(a);
  return e;
}

class LatestValuesTest : public ::testing::Test {
 protected:
  void step(const Event& event) { latest.step(event, event.id.ms, none); }
  LatestValues latest{kDay};
  model::Conclusions none;
  static constexpr int64_t kDay = 86'400'000;
};

// What presence says of a gateway that has gone, or is back, with so many behind it.
Event gateway_status(const std::string& device, EventId id, model::Presence presence, size_t devices) {
  Event e = status(device, id, presence);
  e.data = codec::encode_device_status_data({e.topic.device, presence, "last_will", id.ms, devices});
  return e;
}

TEST(LatestValuesGateway, DevicesBehindOneThatHasGoneAreShownOfflineUntilTheyTellOfThemselves) {
  LatestValues latest(86'400'000, 100, [](const model::Topic& device) -> std::optional<model::Topic> {
    if (device.device.text().front() != 'd') return std::nullopt;
    return *model::Topic::parse("account:1/site:s/device:gw");
  });
  model::Conclusions none;
  const auto step = [&](const Event& event) { latest.step(event, event.id.ms, none); };
  // "status reason event" of each device by topic, whatever else the viewer may see.
  const auto shown = [&](const char* pattern) {
    std::vector<std::string> out;
    for (const LatestDevice& device : latest.snapshot({*model::TopicPattern::parse(pattern)}).devices) {
      out.push_back(std::string(model::presence_name(device.status->status)) + " " + device.status->reason + " " +
                    std::to_string(device.status_event.ms - kNow));
    }
    return out;
  };
  using Shown = std::vector<std::string>;
  for (const char* device : {"d1", "d2", "other"}) step(status(device, {kNow, 0}, model::Presence::online));
  step(status("d3", {kNow, 0}, model::Presence::offline));
  step(status("gw", {kNow, 0}, model::Presence::online));
  step(gateway_status("gw", {kNow + 5, 0}, model::Presence::offline, 2));
  EXPECT_EQ(shown("account:1"), (Shown{"offline gateway 5", "offline gateway 5", "offline data 0",
                                       "offline last_will 5", "online data 0"}));
  EXPECT_EQ(shown("account:1/site:s/device:d1"), (Shown{"offline gateway 5"}))
      << "though the gateway is not its to see";
  step(status("d2", {kNow + 6, 0}, model::Presence::online));
  EXPECT_EQ(shown("account:1/site:s/device:d2"), (Shown{"online data 6"}));
  step(gateway_status("gw", {kNow + 7, 0}, model::Presence::online, 1));
  EXPECT_EQ(shown("account:1/site:s/device:d1"), (Shown{"online data 0"}));
  step(gateway_status("gw", {kNow + 8, 0}, model::Presence::offline, 0));  // it took nobody with it
  EXPECT_EQ(shown("account:1/site:s/device:d1"), (Shown{"online data 0"}));
}

TEST_F(LatestValuesTest, ADeletedDeviceIsNotShownUntilItSpeaksAgain) {
  step(telemetry("d", {kNow, 0}, kNow, {{"a", 1.0}}));
  Event event{.id = {kNow + 1, 0}, .ts_ms = kNow + 1, .topic = *model::Topic::parse("account:1/site:s/device:d")};
  event.type = EventType::system;
  event.data = codec::encode_device_command(event.topic.device, codec::SaveDevice{});
  step(event);
  EXPECT_EQ(latest.snapshot(kAll).devices.size(), 1u);
  event.data = codec::encode_device_command(event.topic.device, codec::DeleteDevice{"user:a"});
  step(event);
  EXPECT_TRUE(latest.snapshot(kAll).devices.empty());
  EXPECT_EQ(latest.device_count(), 0u);
  step(telemetry("d", {kNow + 2, 0}, kNow, {{"a", 1.0}}));
  EXPECT_EQ(latest.snapshot(kAll).devices.size(), 1u);
}

TEST_F(LatestValuesTest, FieldsOfSeveralEventsAreMergedAndTheNewestWins) {
  step(telemetry("d", {kNow, 0}, kNow, {{"a", 1.0}, {"b", int64_t{2}}}, {{"model", "x"}}));
  step(telemetry("d", {kNow + 1, 0}, kNow + 1, {{"a", 3.0}, {"c", true}}));
  const LatestSnapshot s = latest.snapshot(kAll);
  ASSERT_EQ(s.devices.size(), 1u);
  const LatestDevice& d = s.devices[0];
  EXPECT_EQ(d.fields.at("a").value, model::FieldValue(3.0));
  EXPECT_EQ(d.fields.at("b").value, model::FieldValue(int64_t{2}));
  EXPECT_EQ(d.fields.at("c").value, model::FieldValue(true));
  EXPECT_EQ(d.telemetry, (EventId{kNow + 1, 0}));
  EXPECT_EQ(d.tags, (model::Tags{{"model", "x"}}));
  EXPECT_EQ(s.as_of, (EventId{kNow + 1, 0}));
}

TEST_F(LatestValuesTest, FieldsAndTagsMayComeInAnyOrderAndChangeAtAnyTime) {
  const model::Tags north = {{"line", "north"}}, odd = {{"line", R"(,"tags":{)"}};
  const std::pair<model::Fields, model::Tags> events[] = {
      {{{"a", 1.0}, {"b", 2.0}}, north}, {{{"b", 3.0}, {"a", 4.0}, {"c", 5.0}}, odd}, {{{"a", 6.0}}, north},
      {{{"b", 7.0}, {"d", 8.0}}, odd},   {{{"c", R"(","tags":{"x":"y"})"}}, {}},      {{{"d", 9.0}}, {}}};
  std::map<std::string, model::FieldValue> fields;
  model::Tags tags;
  int64_t ms = kNow;
  for (const auto& [new_fields, new_tags] : events) {
    for (const model::Field& field : new_fields) fields[field.name] = field.value;
    if (!new_tags.empty()) tags = new_tags;
    ++ms;
    step(telemetry("d", {ms, 0}, ms, new_fields, new_tags));
    const LatestDevice device = latest.snapshot(kAll).devices.at(0);
    ASSERT_EQ(device.fields.size(), fields.size());
    for (const auto& [name, value] : fields) EXPECT_EQ(device.fields.at(name).value, value) << name;
    EXPECT_EQ(device.tags, tags);
  }
}

TEST_F(LatestValuesTest, ALatePointDoesNotReplaceANewerOneButTheSameTimeDoes) {
  step(telemetry("d", {kNow, 0}, kNow, {{"a", 1.0}}));
  step(telemetry("d", {kNow + 1, 0}, kNow - 1000, {{"a", 2.0}, {"late", 5.0}}));
  EXPECT_EQ(latest.snapshot(kAll).devices[0].fields.at("a").value, model::FieldValue(1.0));
  EXPECT_EQ(latest.snapshot(kAll).devices[0].fields.at("late").value, model::FieldValue(5.0));
  step(telemetry("d", {kNow + 2, 0}, kNow, {{"a", 3.0}}));
  EXPECT_EQ(latest.snapshot(kAll).devices[0].fields.at("a").value, model::FieldValue(3.0));
}

TEST_F(LatestValuesTest, AResolvedAlertIsNoLongerOpen) {
  step(alert("x", {kNow, 0}, model::AlertState::firing));
  step(alert("y", {kNow, 1}, model::AlertState::firing));
  step(alert("x", {kNow + 5, 0}, model::AlertState::stale));
  ASSERT_EQ(latest.snapshot(kAll).alerts.size(), 2u);
  EXPECT_EQ(latest.snapshot(kAll).alerts[1].alert.state, model::AlertState::stale);
  step(alert("x", {kNow + 6, 0}, model::AlertState::resolved));
  ASSERT_EQ(latest.snapshot(kAll).alerts.size(), 1u);
  EXPECT_EQ(latest.snapshot(kAll).alerts[0].alert.alert_id, "y");
}

TEST_F(LatestValuesTest, PatternsAndTypesChooseWhatASnapshotHolds) {
  step(telemetry("d1", {kNow, 0}, kNow, {{"a", 1.0}}));
  step(status("d1", {kNow, 1}, model::Presence::online));
  step(telemetry("d2", {kNow, 2}, kNow, {{"a", 1.0}}));
  EXPECT_EQ(latest.snapshot({*model::TopicPattern::parse("account:1/site:*/device:d2")}).devices.size(), 1u);
  EXPECT_TRUE(latest.snapshot({*model::TopicPattern::parse("account:2")}).devices.empty());
  const LatestSnapshot only_status = latest.snapshot(kAll, model::EventTypes::none().with(EventType::device_status));
  EXPECT_TRUE(only_status.devices[0].fields.empty());
  EXPECT_EQ(only_status.devices[0].status->status, model::Presence::online);
}

TEST_F(LatestValuesTest, DevicesSilentForTheWholeRetentionAreForgotten) {
  step(telemetry("old", {kNow, 0}, kNow, {{"a", 1.0}}));
  step(telemetry("new", {kNow + kDay, 0}, kNow + kDay, {{"a", 1.0}}));
  latest.advance(kNow + kDay + 1, none);
  ASSERT_EQ(latest.snapshot(kAll).devices.size(), 1u);
  EXPECT_EQ(latest.snapshot(kAll).devices[0].topic.device.text(), "new");
  EXPECT_EQ(latest.device_count(), 1u);
}

TEST_F(LatestValuesTest, SavedStateLoadsToTheSameSnapshotAndDamagedStateIsRefused) {
  step(telemetry("d", {kNow, 0}, kNow, {{"a", 1.5}, {"b", int64_t{-7}}, {"c", false}, {"s", std::string("text")}},
                 {{"m", "x"}}));
  step(status("d", {kNow, 1}, model::Presence::stale));
  step(alert("x", {kNow, 2}, model::AlertState::firing));
  const std::string state = latest.save();
  LatestValues other(kDay);
  ASSERT_TRUE(other.load(state).ok());
  EXPECT_EQ(other.save(), state);
  EXPECT_EQ(other.device_count(), 1u);
  EXPECT_EQ(other.snapshot(kAll).devices[0].fields.at("s").value, model::FieldValue(std::string("text")));
  for (size_t cut = 0; cut < state.size(); ++cut)
    EXPECT_FALSE(LatestValues(kDay).load(state.substr(0, cut)).ok()) << cut;
  EXPECT_FALSE(LatestValues(kDay).load(state + "x").ok());
}

TEST_F(LatestValuesTest, AnAlertIsItsTopicAndItsId) {
  for (const char* id : {"rule.s.d.1.1", "scada:1"}) {
    step(alert(id, {kNow, 0}, model::AlertState::firing));
    Event elsewhere = alert(id, {kNow, 1}, model::AlertState::firing);
    elsewhere.topic = *model::Topic::parse("account:2/site:s/device:d");
    step(elsewhere);
    ASSERT_EQ(latest.snapshot(kAll).alerts.size(), 1u) << id;
    step(alert(id, {kNow, 3}, model::AlertState::resolved));
    EXPECT_TRUE(latest.snapshot(kAll).alerts.empty()) << id;
    EXPECT_EQ(latest.snapshot({*model::TopicPattern::parse("account:2")}).alerts.size(), 1u) << id;
    elsewhere.data = alert(id, {kNow, 4}, model::AlertState::resolved).data;
    step(elsewhere);
  }
}

TEST_F(LatestValuesTest, PublishedAlertsAreCountedByAccountThroughEveryEnding) {
  const model::AccountId one = *model::AccountId::parse("1");
  step(alert("x", {kNow, 0}, model::AlertState::firing));
  EXPECT_EQ(latest.published_alerts(one), 0u);
  step(alert("o:p", {kNow, 1}, model::AlertState::firing));
  step(alert("o:p", {kNow, 2}, model::AlertState::updated));
  step(alert("o:q", {kNow + 5, 0}, model::AlertState::firing));
  EXPECT_EQ(latest.published_alerts(one), 2u);
  LatestValues other(kDay);
  ASSERT_TRUE(other.load(latest.save()).ok());
  EXPECT_EQ(other.save(), latest.save());
  EXPECT_EQ(other.published_alerts(one), 2u);
  other.step(alert("o:q", {kNow + 6, 0}, model::AlertState::resolved), kNow + 6, none);
  other.step(alert("o:q", {kNow + 7, 0}, model::AlertState::resolved), kNow + 7, none);
  EXPECT_EQ(other.published_alerts(one), 1u);
  other.advance(kNow + kDay + 1, none);
  EXPECT_EQ(other.published_alerts(one), 0u) << "the log has forgotten it too";
  ASSERT_EQ(other.snapshot(kAll).alerts.size(), 1u) << "an engine's alert is not ended by silence";
  EXPECT_EQ(other.snapshot(kAll).alerts[0].alert.alert_id, "x");
}

TEST_F(LatestValuesTest, NoMoreThanTheMaximumOfDevicesIsKept) {
  LatestValues small(kDay, 2);
  for (int i = 0; i < 5; ++i) {
    const Event e = telemetry("d" + std::to_string(i), {kNow, static_cast<uint32_t>(i)}, kNow, {{"a", 1.0}});
    small.step(e, kNow, none);
  }
  EXPECT_EQ(small.device_count(), 2u);
}

}  // namespace
}  // namespace millstream::history
