#include "codec/notification_json.h"

#include <gtest/gtest.h>

namespace millstream::codec {
namespace {

model::Event event_of(std::string data) {
  model::Event event;
  event.ts_ms = 1'770'000'030'000;
  event.topic = *model::Topic::parse("account:acme/site:north");
  event.type = model::EventType::system;
  event.data = std::move(data);
  return event;
}

model::Notification notification() {
  model::Notification n;
  n.id = "1770000030000.1";
  n.topic = event_of("").topic;
  n.channel = "ops";
  n.group_key = R"(acme/ops/0a1b2c3d:{site="north"})";
  n.group_labels = {{"site", "north"}};
  n.severity = model::Severity::critical;
  n.firing_count = 3;
  n.resolved_count = 1;
  n.decided_at_ms = 1'770'000'030'000;
  return n;
}

const std::string kNotification =
    R"({"kind":"notification","notificationId":"1770000030000.1","channel":"ops","groupKey":)"
    R"("acme/ops/0a1b2c3d:{site=\"north\"}","groupLabels":{"site":"north"},"status":"firing","severity":"critical",)"
    R"("firing":3,"resolved":1})";
const std::string kResult =
    R"({"kind":"notification_result","notificationId":"1770000030000.1","channel":"ops","state":"retrying","attempts":2,)"
    R"("reason":"answered_503"})";

TEST(NotificationJson, SaysWhatWasDecidedAndReadsItBack) {
  EXPECT_EQ(encode_notification(notification()), kNotification);
  const auto read = decode_notification_event(event_of(kNotification));
  ASSERT_TRUE(read.ok() && read->has_value()) << read.error().detail;
  EXPECT_EQ(std::get<model::Notification>(**read), notification());
}

TEST(NotificationJson, SaysHowADeliveryWentAndReadsItBack) {
  const model::DeliveryResult result{.notification_id = "1770000030000.1",
                                     .channel = "ops",
                                     .state = model::DeliveryState::retrying,
                                     .attempts = 2,
                                     .reason = "answered_503"};
  EXPECT_EQ(encode_delivery_result(result), kResult);
  const auto read = decode_notification_event(event_of(kResult));
  ASSERT_TRUE(read.ok() && read->has_value());
  EXPECT_EQ(std::get<model::DeliveryResult>(**read), result);
}

TEST(NotificationJson, AListSaysBoth) {
  EXPECT_EQ(
      encode_delivery(notification(), {.state = model::DeliveryState::sent, .attempts = 1}, 1'770'000'031'000),
      R"({"notificationId":"1770000030000.1","channel":"ops","groupKey":"acme/ops/0a1b2c3d:{site=\"north\"}",)"
      R"("groupLabels":{"site":"north"},"status":"firing","severity":"critical","firing":3,"resolved":1,"decidedAt":)"
      R"("2026-02-02T02:40:30.000Z","state":"sent","attempts":1,"changedAt":"2026-02-02T02:40:31.000Z"})");
}

TEST(NotificationJson, OtherKindsAreNone) {
  for (const char* data : {R"({"kind":"maintenance"})", "{}", "[]", "3"}) {
    const auto read = decode_notification_event(event_of(data));
    EXPECT_TRUE(read.ok() && !read->has_value()) << data;
  }
}

TEST(NotificationJson, WhatIsWrongIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"kind":"notification"})", "notificationId: missing"},
      {R"({"kind":"notification","notificationId":"1","channel":"ops","groupKey":"k","status":"maybe"})",
       "status: firing or resolved"},
      {R"({"kind":"notification","notificationId":"1","channel":"ops","groupKey":"k","status":"firing","firing":-1})",
       "firing: a whole number from 0 to 4294967295"},
      {R"({"kind":"notification_result","notificationId":"1","channel":"ops","state":"lost"})",
       "state: not one of pending retrying sent failed gave_up dropped"},
      {R"({"kind":"notification_result","notificationId":1,"channel":"ops","state":"sent"})",
       "notificationId: not a string"},
  };
  for (const auto& [data, reason] : cases) {
    const auto read = decode_notification_event(event_of(data));
    ASSERT_FALSE(read.ok()) << data;
    EXPECT_EQ(read.error().detail, std::string("data.") + reason);
  }
  EXPECT_FALSE(decode_notification_event(event_of("{")).ok());
}

}  // namespace
}  // namespace millstream::codec
