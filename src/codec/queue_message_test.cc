#include "codec/queue_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec/event_json.h"

namespace millstream::codec {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kNowMs = 1'769'517'296'789;
constexpr const char* kEvent =
    R"({"id":"p1","topic":"account:a/site:s/device:d","type":"telemetry","data":{"fields":{"T1":1}}})";

Result<QueueMessage> parse(std::string_view body) { return parse_queue_message(body, "q", kNowMs); }

std::string notification_of(std::string_view message) {
  std::string body = R"({"Type":"Notification","MessageId":"m","TopicArn":"arn:aws:sns:eu-west-1:1:t","Message":)";
  append_json_string(message, body);
  return body + "}";
}

std::string error_of(std::string_view body) {
  const Result<QueueMessage> message = parse(body);
  return message ? "" : message.error().detail;
}

TEST(QueueMessage, AnObjectWithATopicIsAnEvent) {
  const Result<QueueMessage> message = parse(kEvent);
  ASSERT_TRUE(message.ok()) << message.error().detail;
  EXPECT_EQ(std::get<BridgeEvent>(*message).publisher_id, "p1");
}

TEST(QueueMessage, ThePointsOfIngestAreTelemetryOneOrMany) {
  for (const char* body :
       {R"({"deviceId":"d","fields":{"T1":1}})", R"([{"deviceId":"d","fields":{"T1":NaN,"T2":2}}])"}) {
    const Result<QueueMessage> message = parse(body);
    ASSERT_TRUE(message.ok()) << message.error().detail;
    EXPECT_EQ(std::get<ParsedPoints>(*message).points.size() + std::get<ParsedPoints>(*message).rejected_count, 1u);
  }
  EXPECT_EQ(std::get<ParsedPoints>(*parse("[]")).points.size(), 0u);
}

TEST(QueueMessage, ANotificationIsWhatIsInIt) {
  EXPECT_TRUE(std::holds_alternative<BridgeEvent>(*parse(notification_of(kEvent))));
  EXPECT_TRUE(std::holds_alternative<ParsedPoints>(*parse(notification_of(R"([{"deviceId":"d","fields":{"T1":1}}])"))));
}

TEST(QueueMessage, WhatIsNoneOfTheseIsRefusedNamingThePlace) {
  EXPECT_THAT(error_of(""), HasSubstr("empty"));
  EXPECT_THAT(error_of("{\"topic\":"), HasSubstr("not JSON"));
  EXPECT_THAT(error_of("\"text\""), HasSubstr("object"));
  EXPECT_THAT(error_of(R"({"topic":"plant"})"), HasSubstr("topic: "));
  EXPECT_THAT(error_of(R"({"Type":"Notification","Message":{}})"), HasSubstr("Message: not a text"));
  EXPECT_THAT(error_of(notification_of("hello")), HasSubstr("Message: not JSON"));
  EXPECT_THAT(error_of(notification_of(R"({"topic":7})")), HasSubstr("Message: topic: "));
  EXPECT_THAT(error_of(notification_of(notification_of(kEvent))), HasSubstr("a notification in a notification"));
}

}  // namespace
}  // namespace millstream::codec
