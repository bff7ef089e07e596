#include "codec/published_event.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "model/system_kind.h"

namespace millstream::codec {
namespace {

constexpr std::string_view kAlert =
    R"({"alertId":"scada:7","ruleId":"scada:leak","ruleName":"Leak","deviceId":"d","state":"firing",)"
    R"("severity":"critical","message":"m","field":"f","value":1,"threshold":2,"startedAt":"2026-01-27T12:34:56Z"})";

std::string body(std::string_view type, std::string_view data, std::string_view topic = "account:a/site:s/device:d") {
  return R"({"topic":")" + std::string(topic) + R"(","type":")" + std::string(type) + R"(","data":)" +
         std::string(data) + "}";
}
std::string reason(std::string_view text) {
  const Result<PublishedEvent> event = parse_published_event(text);
  return event.ok() ? "accepted" : event.error().detail;
}
std::string system_reason(std::string_view data) { return reason(body("system", data)); }
// The alert with one text in it exchanged.
std::string alert_with(std::string_view from, std::string_view to) {
  std::string alert(kAlert);
  alert.replace(alert.find(from), from.size(), to);
  return body("alert", alert);
}

TEST(PublishedEvent, ASystemEventKeepsItsDataAsItIs) {
  const auto event = parse_published_event(
      R"({ "data": {"kind":"maintenance", "until":null, "big":18446744073709551615, "list":[1,{"a":"\u0000"}]},
           "type": "system", "topic": "account:a", "ts": "2026-01-27T12:34:56.789Z" })");
  ASSERT_TRUE(event.ok()) << event.error().detail;
  EXPECT_EQ(event->topic.text(), "account:a");
  EXPECT_EQ(event->type, model::EventType::system);
  EXPECT_EQ(event->ts_ms, 1769517296789);
  EXPECT_EQ(event->data, R"({"kind":"maintenance","until":null,"big":18446744073709551615,"list":[1,{"a":"\u0000"}]})");
  EXPECT_FALSE(event->opens_alert);
  EXPECT_FALSE(parse_published_event(body("system", R"({"kind":"x"})"))->ts_ms);
}

TEST(PublishedEvent, AnAlertIsKeptInOurOwnSpelling) {
  const auto event = parse_published_event(body("alert", kAlert));
  ASSERT_TRUE(event.ok()) << event.error().detail;
  EXPECT_TRUE(event->opens_alert);
  EXPECT_NE(event->data.find("\"startedAt\":\"2026-01-27T12:34:56.000Z\""), std::string::npos) << event->data;
  EXPECT_FALSE(parse_published_event(alert_with("firing", "resolved"))->opens_alert);
}

TEST(PublishedEvent, NothingUnknownAndNothingTwice) {
  EXPECT_EQ(reason(R"({"topic":"account:a","type":"system","data":{"kind":"x"},"id":"1-1"})"),
            "body: unknown member \"id\"; known are: topic type ts data");
  EXPECT_EQ(reason(R"({"topic":"account:a","topic":"account:b","type":"system","data":{"kind":"x"}})"),
            "topic: given more than once");
  EXPECT_EQ(system_reason(R"({"kind":"x","kind":"gap"})"), "data.kind: given more than once");
  EXPECT_EQ(system_reason(R"({"kind":"x","k\u0069nd":"gap"})"), "data.kind: given more than once");
  EXPECT_EQ(reason(alert_with("{", R"({"state":"resolved",)")), "data.state: given more than once");
  EXPECT_EQ(reason(alert_with("{", R"({"ack":{},)")), "data: unknown member \"ack\" of an alert");
}

TEST(PublishedEvent, WhatIsMissingOrOfAnotherTypeIsNamed) {
  EXPECT_EQ(reason(""), "body: empty, JSON expected");
  EXPECT_EQ(reason("[]"), "body: not an object");
  EXPECT_EQ(reason(R"({"type":"system","data":{"kind":"x"}})"), "topic: missing");
  EXPECT_EQ(reason(R"({"topic":"account:a","data":{"kind":"x"}})"), "type: missing");
  EXPECT_EQ(reason(R"({"topic":"account:a","type":"system"})"), "data: missing");
  EXPECT_TRUE(reason(body("system", R"({"kind":"x"})", "account:*")).starts_with("topic: "));
  for (const char* type : {"telemetry", "device_status", "System", ""}) {
    EXPECT_EQ(reason(body(type, R"({"kind":"x"})")), "type: alert or system") << type;
  }
  for (const char* data : {"null", "[]", "\"x\"", "1"}) EXPECT_EQ(system_reason(data), "data: not an object") << data;
  EXPECT_EQ(reason(R"({"topic":"account:a","type":"system","ts":true,"data":{"kind":"x"}})"),
            "ts: neither RFC 3339 nor epoch milliseconds");
  EXPECT_EQ(system_reason("{}"), "data.kind: missing");
  EXPECT_EQ(system_reason(R"({"kind":7})"), "data.kind: not a string");
}

TEST(PublishedEvent, NobodySpeaksForTheStream) {
  for (const std::string_view kind : model::kStreamKinds) {
    EXPECT_EQ(system_reason(R"({"kind":")" + std::string(kind) + "\"}"),
              "data.kind: \"" + std::string(kind) + "\" is the stream's own");
  }
  EXPECT_EQ(system_reason(R"({"kind":"\u0067ap"})"), "data.kind: \"gap\" is the stream's own");
  for (const std::string& kind : {std::string(), std::string("Gap"), std::string("g-ap"), std::string("gap "),
                                  std::string("ga\xc3\xa9"), std::string(65, 'a')}) {
    EXPECT_EQ(system_reason(R"({"kind":")" + kind + "\"}"), "data.kind: 1 to 64 of a-z 0-9 _") << kind;
  }
  EXPECT_EQ(system_reason(R"({"kind":")" + std::string(64, 'a') + "\"}"), "accepted");
}

TEST(PublishedEvent, NobodySpeaksForTheRules) {
  for (const char* id : {"leak", "", ":x", "x:", "a b:x", "a/b:x", "a:\\u0007"}) {
    EXPECT_TRUE(reason(alert_with("scada:7", id)).starts_with("data.alertId: must be \"<source>:<id>\"")) << id;
    EXPECT_TRUE(reason(alert_with("scada:leak", id)).starts_with("data.ruleId: must be \"<source>:<id>\"")) << id;
  }
  EXPECT_EQ(reason(alert_with("scada:7", "a:b:c/d e")), "accepted");
  EXPECT_EQ(reason(alert_with("scada:7", "a:" + std::string(254, 'x'))), "accepted");
  EXPECT_NE(reason(alert_with("scada:7", "a:" + std::string(255, 'x'))), "accepted");
}

TEST(PublishedEvent, AnAlertIsWholeAndOfTheTopicsDevice) {
  EXPECT_EQ(reason(alert_with(R"("value":1,)", "")), "data.value: missing");
  EXPECT_EQ(reason(alert_with("firing", "on fire")), "data.state: not one of the known names");
  EXPECT_EQ(reason(alert_with(R"("deviceId":"d")", R"("deviceId":"e")")), "data.deviceId: not the topic's device");
  EXPECT_EQ(reason(body("alert", kAlert, "account:a/site:s")), "data.deviceId: not the topic's device");
}

TEST(PublishedEvent, DataIsNotTooDeepAndNotTooLarge) {
  const auto nested = [](int levels) {
    return R"({"kind":"x","d":)" + std::string(static_cast<size_t>(levels), '[') +
           std::string(static_cast<size_t>(levels), ']') + "}";
  };
  EXPECT_EQ(system_reason(nested(31)), "accepted");
  EXPECT_EQ(system_reason(nested(32)), "data: more than 32 levels deep");
  EXPECT_EQ(system_reason(nested(5000)), "body: not JSON: nested too deeply");
  const std::string frame = R"({"kind":"x","t":""})";
  const auto filled = [&](size_t bytes) {
    std::string data = frame;
    return body("system", "   " + data.insert(data.size() - 2, bytes - frame.size(), 'y') + "   ");
  };
  EXPECT_EQ(parse_published_event(filled(kEventBytesMax))->data.size(), kEventBytesMax);
  EXPECT_EQ(parse_published_event(filled(kEventBytesMax + 1)).error().code, Code::too_large);
}

}  // namespace
}  // namespace millstream::codec
