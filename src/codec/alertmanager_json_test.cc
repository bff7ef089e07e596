#include "codec/alertmanager_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "base/hex.h"

namespace millstream::codec {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kStartMs = 1'770'000'000'000;

model::NotifiedAlert alert(const std::string& device) {
  model::NotifiedAlert notified;
  notified.device = *model::Topic::parse("account:acme/site:north/device:" + device);
  notified.alert.alert_id = "hot.north." + device + ".1";
  notified.alert.rule_id = "hot";
  notified.alert.rule_name = "Over temperature";
  notified.alert.device = notified.device.device;
  notified.alert.severity = model::Severity::critical;
  notified.alert.message = device + " has 85 °C";
  notified.alert.field = "T1";
  notified.alert.value = 85.5;
  notified.alert.threshold = 80;
  notified.alert.started_at_ms = kStartMs;
  notified.alert.labels = {{"team", "hvac"}, {"site", "not the site"}, {"empty", ""}};
  return notified;
}

model::Notification notification() {
  model::Notification n;
  n.id = "1770000030000.1";
  n.topic = *model::Topic::parse("account:acme/site:north");
  n.channel = "ops";
  n.group_key = R"(acme/ops/0a1b2c3d:{site="north"})";
  n.group_labels = {{"site", "north"}};
  n.decided_at_ms = kStartMs + 30'000;
  n.repeat_ms = 3'600'000;
  n.alerts = {alert("oven"), alert("kiln")};
  n.alerts[1].over = true;
  n.alerts[1].ended_at_ms = kStartMs + 5'000;
  return n;
}

TEST(AlertmanagerJson, WebhookBodyIsThatOfVersion4) {
  EXPECT_EQ(
      encode_webhook(notification(), "https://ms.example"),
      R"({"receiver":"ops","status":"firing","alerts":[{"status":"firing","labels":{"account":"acme","alertname":)"
      R"("Over temperature","device":"oven","field":"T1","rule":"hot","severity":"critical","site":"north","team":"hvac")"
      R"(},"annotations":{"alertId":"hot.north.oven.1","summary":"oven has 85 °C","threshold":"80","value":"85.5"},)"
      R"("startsAt":"2026-02-02T02:40:00.000Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":)"
      R"("https://ms.example/?device=oven&site=north","fingerprint":"5a103bee407cc9be"},{"status":"resolved","labels":)"
      R"({"account":"acme","alertname":"Over temperature","device":"kiln","field":"T1","rule":"hot","severity":)"
      R"("critical","site":"north","team":"hvac"},"annotations":{"alertId":"hot.north.kiln.1","summary":)"
      R"("kiln has 85 °C","threshold":"80","value":"85.5"},"startsAt":"2026-02-02T02:40:00.000Z","endsAt":)"
      R"("2026-02-02T02:40:05.000Z","generatorURL":"https://ms.example/?device=kiln&site=north","fingerprint":)"
      R"("b77579580120ff6a"}],"groupLabels":{"site":"north"},"commonLabels":{"account":"acme","alertname":)"
      R"("Over temperature","field":"T1","rule":"hot","severity":"critical","site":"north","team":"hvac"},)"
      R"("commonAnnotations":{"threshold":"80","value":"85.5"},"externalURL":"https://ms.example","version":"4",)"
      R"("groupKey":"acme/ops/0a1b2c3d:{site=\"north\"}","truncatedAlerts":0})");
}

TEST(AlertmanagerJson, SaysWhatHappenedToAnAlertBesideItsValue) {
  model::NotifiedAlert notified = alert("oven");
  notified.stale = true;
  notified.alert.flapping = true;
  notified.alert.reason = "level_up";
  notified.alert.ack = model::AlertAck{"anna", kStartMs, "on it"};
  const model::Tags said = alert_annotations(notified);
  for (const model::Tag& tag : {model::Tag{"stale", "true"},
                                {"flapping", "true"},
                                {"reason", "level_up"},
                                {"acknowledged", "by anna at 2026-02-02T02:40:00.000Z: on it"}}) {
    EXPECT_THAT(said, ::testing::Contains(tag));
  }
}

// That they are Alertmanager's own is seen in tests/e2e/notify_test.mjs.
TEST(AlertmanagerJson, FingerprintsTellNamesFromValues) {
  EXPECT_EQ(label_fingerprint({}), 14695981039346656037u);
  EXPECT_NE(label_fingerprint({{"a", "bc"}}), label_fingerprint({{"ab", "c"}}));
}

TEST(AlertmanagerJson, AnAlertmanagerIsToldWhenWhatIsFiringWouldEnd) {
  const std::string body = encode_alertmanager_alerts(notification(), "", kStartMs);
  // Two repeats and a day from now.
  EXPECT_THAT(body, HasSubstr(R"("startsAt":"2026-02-02T02:40:00.000Z","endsAt":"2026-02-03T04:40:00.000Z"})"));
  EXPECT_THAT(body, HasSubstr(R"("endsAt":"2026-02-02T02:40:05.000Z"})"));
  EXPECT_EQ(body.find("generatorURL"), std::string::npos);
}

TEST(AlertmanagerJson, AnAlertmanagerGetsNoNameThatItRefuses) {
  model::Notification n = notification();
  n.alerts.resize(1);
  n.alerts[0].alert.labels = {{"2nd team", "a"}, {"my team", "b"}, {"my-team", "c"}, {"my_own", "d"}, {"my own", "e"}};
  const std::string posted = encode_alertmanager_alerts(n, "", kStartMs);
  EXPECT_THAT(posted, HasSubstr(R"("_2nd_team":"a")"));
  EXPECT_THAT(posted, HasSubstr(R"("my_team":"b")"));
  EXPECT_THAT(posted, HasSubstr(R"("my_own":"d")"));
  for (const char* other : {R"("c")", R"("e")", "2nd team", "my team"}) {
    EXPECT_THAT(posted, ::testing::Not(HasSubstr(other)));
  }
}

void tell_as(model::NotifiedAlert& notified, model::Severity severity) {
  notified.told_as = model::identity_of(notified.alert);
  notified.told_as->severity = severity;
}

// Its labels, and so its fingerprint, are others than those that it was told with.
TEST(AlertmanagerJson, AWebhookIsToldTheEndOfTheSeverityBefore) {
  const auto statuses = [](const model::Notification& n) {
    simdjson::dom::parser parser;
    std::vector<std::string> out;
    simdjson::dom::array alerts;
    EXPECT_FALSE(parser.parse(encode_webhook(n, ""))["alerts"].get(alerts));
    for (const simdjson::dom::element each : alerts) {
      std::string line;
      for (const char* place : {"/status", "/labels/severity", "/endsAt"}) {
        line += std::string(std::string_view(each.at_pointer(place))) + " ";
      }
      out.push_back(std::move(line));
    }
    return out;
  };
  using ::testing::ElementsAre;
  model::Notification n = notification();
  n.alerts.resize(1);
  tell_as(n.alerts[0], model::Severity::critical);
  EXPECT_THAT(statuses(n), ElementsAre("firing critical 0001-01-01T00:00:00Z "));
  tell_as(n.alerts[0], model::Severity::warning);
  EXPECT_THAT(statuses(n),
              ElementsAre("firing critical 0001-01-01T00:00:00Z ", "resolved warning 2026-02-02T02:40:30.000Z "));
  n.alerts[0].over = true;
  n.alerts[0].ended_at_ms = kStartMs + 20'000;
  EXPECT_THAT(statuses(n),
              ElementsAre("resolved critical 2026-02-02T02:40:20.000Z ", "resolved warning 2026-02-02T02:40:20.000Z "));
}

TEST(AlertmanagerJson, UnderAnotherNameOrOtherLabelsTheOneBeforeHasEnded) {
  for (const auto& change : {+[](model::Alert& alert) { alert.rule_name = "Renamed"; },
                             +[](model::Alert& alert) {
                               alert.labels = {{"team", "night"}};
                             },
                             +[](model::Alert& alert) { alert.field = "T2"; }}) {
    model::Notification n = notification();
    n.alerts.resize(1);
    n.alerts[0].told_as = model::identity_of(n.alerts[0].alert);
    const model::Tags before = alert_labels(n.alerts[0].device, n.alerts[0].alert);
    change(n.alerts[0].alert);
    const model::Tags after = alert_labels(n.alerts[0].device, n.alerts[0].alert);
    simdjson::dom::parser parser;
    const simdjson::dom::element body = parser.parse(encode_webhook(n, ""));
    const auto fingerprint = [&](const char* at) { return std::string(std::string_view(body.at_pointer(at))); };
    EXPECT_EQ(fingerprint("/alerts/0/status") + " " + fingerprint("/alerts/1/status"), "firing resolved");
    EXPECT_EQ(fingerprint("/alerts/0/fingerprint"), hex_text(label_fingerprint(after), 16));
    EXPECT_EQ(fingerprint("/alerts/1/fingerprint"), hex_text(label_fingerprint(before), 16));
  }
}

TEST(AlertmanagerJson, AnAlertmanagerIsToldTheEndOfTheSeverityBefore) {
  model::Notification n = notification();
  n.alerts.resize(1);
  tell_as(n.alerts[0], model::Severity::warning);
  const std::string body = encode_alertmanager_alerts(n, "", kStartMs);
  EXPECT_THAT(body, HasSubstr(R"("severity":"warning")"));
  EXPECT_THAT(body, HasSubstr(R"("endsAt":"2026-02-02T02:40:30.000Z"})"));
  tell_as(n.alerts[0], model::Severity::critical);
  EXPECT_EQ(encode_alertmanager_alerts(n, "", kStartMs).find("warning"), std::string::npos);
}

}  // namespace
}  // namespace millstream::codec
