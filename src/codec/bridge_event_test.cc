#include "codec/bridge_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "codec/event_json.h"

namespace millstream::codec {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kNowMs = 1'769'517'296'789;  // 2026-01-27T12:34:56.789Z
constexpr int64_t kTsMs = 1'769'517'290'000;
constexpr std::string_view kTopic = "account:123/site:1/device:elink-99";

std::string message(std::string_view type, std::string_view data, std::string_view topic = kTopic) {
  return R"({"id":"1769517290000-ab12","ts":"2026-01-27T12:34:50.000Z","topic":")" + std::string(topic) +
         R"(","type":")" + std::string(type) + R"(","data":)" + std::string(data) + "}";
}

Result<BridgeEvent> parse(std::string_view json) { return parse_bridge_event(json, "nest", kNowMs); }

template <class T>
T said(std::string_view json) {
  Result<BridgeEvent> event = parse(json);
  EXPECT_TRUE(event.ok()) << event.error().detail;
  if (!event || !std::holds_alternative<T>(event->said)) {
    ADD_FAILURE() << "not that kind of event: " << json;
    return {};
  }
  return std::get<T>(std::move(event->said));
}

TEST(BridgeEvent, TelemetryIsAPointOfTheTopicsDevice) {
  const std::string json = message("telemetry", R"({"deviceId":"elink-99","fields":{"T1":247,"OPM":3}})");
  EXPECT_EQ(parse(json)->publisher_id, "1769517290000-ab12");
  EXPECT_EQ(parse(json)->topic.text(), kTopic);
  const auto points = said<ParsedPoints>(json);
  ASSERT_EQ(points.points.size(), 1u);
  EXPECT_EQ(points.points[0].device, "elink-99");
  EXPECT_EQ(points.points[0].site, "1");
  EXPECT_EQ(points.points[0].ts_ms, kTsMs);
  EXPECT_EQ(points.points[0].fields.size(), 2u);
  EXPECT_EQ(said<ParsedPoints>(message("telemetry", R"({"fields":{"T1":1}})")).points[0].device, "elink-99");
}

TEST(BridgeEvent, TimeThatIsNoneCountsAsNotGivenAndAnIdMayBeANumber) {
  const std::string rest =
      R"(,"topic":")" + std::string(kTopic) + R"(","type":"telemetry","data":{"fields":{"T1":1}}})";
  EXPECT_FALSE(said<ParsedPoints>(R"({"id":7,"ts":"yesterday")" + rest).points[0].ts_ms.has_value());
  EXPECT_EQ(parse(R"({"id":7,"ts":null)" + rest)->publisher_id, "7");
  EXPECT_EQ(parse(R"({"id":")" + std::string(kPublisherIdBytesMax + 1, 'x') + "\"" + rest)->publisher_id, "");
}

TEST(BridgeEvent, AnAlertAsTheBridgeSendsItBecomesAWholeOne) {
  const auto event = said<PublishedEvent>(
      message("alert", R"({"ruleId":12,"severity":"critical","message":"too hot","fields":{"on":true,"T1":99.5}})"));
  EXPECT_TRUE(event.opens_alert);
  EXPECT_EQ(event.ts_ms, kTsMs);
  const auto alert = decode_alert_data(event.data);
  ASSERT_TRUE(alert.ok()) << alert.error().detail;
  EXPECT_EQ(alert->alert_id, "nest:12.1.elink-99");
  EXPECT_EQ(alert->rule_id, "nest:12");
  EXPECT_EQ(alert->rule_name, "12");
  EXPECT_EQ(alert->device.text(), "elink-99");
  EXPECT_EQ(alert->state, model::AlertState::firing);
  EXPECT_EQ(alert->severity, model::Severity::critical);
  EXPECT_EQ(alert->message, "too hot");
  EXPECT_EQ(alert->field, "T1");
  EXPECT_EQ(alert->value, 99.5);
  EXPECT_EQ(alert->started_at_ms, kTsMs);
  EXPECT_FALSE(alert->ended_at_ms.has_value());
}

TEST(BridgeEvent, AResolvedAlertEndsTheOneThatItsRuleOpened) {
  const auto event = said<PublishedEvent>(message("alert", R"({"ruleId":"hot","state":"resolved","extra":[1]})"));
  EXPECT_FALSE(event.opens_alert);
  EXPECT_EQ(event.alert_id, "nest:hot.1.elink-99");
  EXPECT_EQ(decode_alert_data(event.data)->ended_at_ms, kTsMs);
}

TEST(BridgeEvent, AWholeAlertStaysAsItIs) {
  const auto event = said<PublishedEvent>(message(
      "alert",
      R"({"alertId":"plc:7","ruleId":"plc:r","ruleName":"R","deviceId":"elink-99","state":"updated","severity":"info",)"
      R"("message":"m","field":"P","value":1,"threshold":2,"startedAt":"2026-01-27T12:00:00.000Z"})"));
  const auto alert = decode_alert_data(event.data);
  EXPECT_EQ(alert->alert_id, "plc:7");
  EXPECT_EQ(alert->rule_id, "plc:r");
  EXPECT_EQ(alert->state, model::AlertState::updated);
  EXPECT_EQ(alert->threshold, 2);
  EXPECT_LT(alert->started_at_ms, kTsMs);
}

TEST(BridgeEvent, StatusIsAReportAndNoConclusion) {
  for (const auto& [word, presence] : {std::pair{"online", model::Presence::online},
                                       {"heartbeat", model::Presence::online},
                                       {"offline", model::Presence::offline}}) {
    const auto report =
        said<model::PresenceReport>(message("device_status", std::string(R"({"status":")") + word + "\"}"));
    EXPECT_EQ(report.status, presence);
    EXPECT_EQ(report.device.text(), "elink-99");
  }
}

TEST(BridgeEvent, ASystemEventWithoutAKindIsANotice) {
  const auto event = said<PublishedEvent>(message("system", R"({"message":"maintenance"})", "account:123"));
  EXPECT_EQ(event.data, R"({"kind":"notice","message":"maintenance"})");
  EXPECT_EQ(said<PublishedEvent>(message("system", "{}")).data, R"({"kind":"notice"})");
  EXPECT_EQ(said<PublishedEvent>(message("system", R"({"kind":"banner"})")).data, R"({"kind":"banner"})");
}

TEST(BridgeEvent, RefusesWhatItCannotStoreAndNamesThePlace) {
  const std::pair<std::string, std::string> wrong[] = {
      {"{", "not JSON"},
      {"[1]", "not an object"},
      {message("telemetry", R"({"fields":{"T1":1}})", "account:123/site:1"), "topic: names no device"},
      {message("telemetry", R"({"fields":{"T1":1}})", "account:*"), "topic: "},
      {R"({"type":"system","data":{}})", "topic: "},
      {message("rumour", "{}"), "type: telemetry, alert, device_status or system"},
      {message("telemetry", "[]"), "data: not an object"},
      {message("telemetry", "null"), "data: not an object"},
      {message("telemetry", R"({"deviceId":"other","fields":{"T1":1}})"), "data.deviceId: not the topic's device"},
      {message("telemetry", R"({"deviceId":"elink-99","siteId":"2","fields":{"T1":1}})"), "data.siteId"},
      {message("telemetry", R"({"deviceId":"elink-99"})"), "data.fields: missing"},
      {message("telemetry", R"({"fields":{"T1":[1]}})"), "data.fields.T1: not a finite number"},
      {message("alert", R"({"deviceId":"other"})"), "data.deviceId: not the topic's device"},
      {message("alert", R"({"severity":"awful"})"), "data.severity"},
      {message("alert", R"({"value":"high"})"), "data.value"},
      {message("device_status", R"({"status":"odd"})"), "data.status: online, offline or heartbeat"},
      {message("system", R"({"kind":"rule_saved"})"), "is the stream's own"},
      {message("system", R"({"a":1,"a":2})"), "data.a: given more than once"},
  };
  for (const auto& [json, why] : wrong) {
    const auto event = parse(json);
    ASSERT_FALSE(event.ok()) << json;
    EXPECT_THAT(event.error().detail, HasSubstr(why)) << json;
  }
  const auto large = parse(message("system", R"({"text":")" + std::string(kEventBytesMax, 'x') + "\"}"));
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().code, Code::too_large);
}

TEST(BridgeEvent, TheIdOfThePublisherIsKeptInTheDataWhereThereIsRoom) {
  std::string data = R"({"kind":"notice"})";
  append_publisher_id("a\"b", data);
  EXPECT_EQ(data, R"({"kind":"notice","publisherId":"a\"b"})");
  append_publisher_id("", data);
  EXPECT_EQ(data, R"({"kind":"notice","publisherId":"a\"b"})");
  std::string full = R"({"text":")" + std::string(kEventBytesMax - 15, 'x') + "\"}";
  const std::string before = full;
  append_publisher_id("id", full);
  EXPECT_EQ(full, before);
}

}  // namespace
}  // namespace millstream::codec
