#include "connect/sqs_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millstream::connect {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kMd5(32, 'a');

std::string message_with(const std::string& more) {
  return R"({"MessageId":"m1","ReceiptHandle":"r1","Body":"hello","MD5OfBody":")" + kMd5 + "\"" + more + "}";
}
std::string answer_of(const std::string& message) { return R"({"Messages":[)" + message + "]}"; }

std::string error_of(const std::string& answer) {
  const auto messages = parse_sqs_messages(answer);
  return messages ? "" : messages.error().detail;
}

TEST(SqsAnswer, GivesTheMessages) {
  const auto messages = parse_sqs_messages(
      answer_of(message_with(R"(,"Attributes":{"ApproximateReceiveCount":"3"},"Other":{})") + "," + message_with("")));
  ASSERT_TRUE(messages.ok()) << messages.error().detail;
  ASSERT_THAT(*messages, SizeIs(2));
  EXPECT_EQ(messages->at(0).id, "m1");
  EXPECT_EQ(messages->at(0).receipt_handle, "r1");
  EXPECT_EQ(messages->at(0).body, "hello");
  EXPECT_EQ(messages->at(0).md5, kMd5);
  EXPECT_EQ(messages->at(0).receive_count, 3);
  EXPECT_EQ(messages->at(1).receive_count, 1);
}

TEST(SqsAnswer, AnEmptyQueueHasNoMessages) {
  for (const char* answer : {"{}", R"({"Messages":[]})", R"({"Messages":null})"}) {
    const auto messages = parse_sqs_messages(answer);
    ASSERT_TRUE(messages.ok()) << answer;
    EXPECT_THAT(*messages, IsEmpty());
  }
}

TEST(SqsAnswer, WhatIsNoAnswerIsRefusedNamingThePlace) {
  EXPECT_THAT(error_of("<html>"), HasSubstr("the whole: not JSON"));
  EXPECT_THAT(error_of(""), HasSubstr("the whole: not JSON"));
  EXPECT_THAT(error_of("[]"), HasSubstr("the whole: not an object"));
  EXPECT_THAT(error_of(R"({"Messages":{}})"), HasSubstr("Messages: not a list"));
  EXPECT_THAT(error_of(answer_of("7")), HasSubstr("Messages[0]: not an object"));
  EXPECT_THAT(error_of(answer_of("{}")), HasSubstr("Messages[0].MessageId: not a text"));
  EXPECT_THAT(error_of(answer_of(R"({"MessageId":""})")), HasSubstr("Messages[0].MessageId: empty"));
  EXPECT_THAT(error_of(answer_of(message_with("") + R"(,{"MessageId":"m"})")), HasSubstr("Messages[1].ReceiptHandle"));
  EXPECT_THAT(error_of(answer_of(R"({"MessageId":"m","ReceiptHandle":"r","Body":"","MD5OfBody":"AB"})")),
              HasSubstr("MD5OfBody: not an MD5"));
  EXPECT_THAT(error_of(answer_of(message_with(R"(,"Attributes":{"ApproximateReceiveCount":"0"})"))),
              HasSubstr("ApproximateReceiveCount"));
  std::string eleven = message_with("");
  for (int i = 0; i < 10; ++i) eleven += "," + message_with("");
  EXPECT_THAT(error_of(answer_of(eleven)), HasSubstr("more than were asked for"));
}

TEST(SqsAnswer, WhatIsNotSaidToBeDoneIsNot) {
  const auto failures = parse_sqs_failures(
      R"({"Successful":[{"Id":"0"}],"Failed":[{"Id":"2","Code":"ReceiptHandleIsInvalid","SenderFault":true}]})", 3);
  ASSERT_TRUE(failures.ok()) << failures.error().detail;
  ASSERT_THAT(*failures, SizeIs(2));
  EXPECT_EQ(failures->at(0).entry, 1u);
  EXPECT_EQ(failures->at(1).entry, 2u);
  EXPECT_EQ(failures->at(1).why, "refused: ReceiptHandleIsInvalid");
  EXPECT_FALSE(parse_sqs_failures(R"({"Successful":[{"Id":"3"}]})", 3).ok());
  EXPECT_FALSE(parse_sqs_failures(R"({"Successful":[{"Id":"-1"}]})", 3).ok());
}

TEST(SqsAnswer, OfARefusalTheFirstLineIsTold) {
  EXPECT_EQ(sqs_error_text(R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"none"})"),
            "QueueDoesNotExist: none");
  EXPECT_EQ(sqs_error_text(R"({"__type":"X","Message":"no match.\n\nx-amz-security-token:secret"})"), "X: no match.");
  EXPECT_EQ(sqs_error_text("<html>"), "");
}

}  // namespace
}  // namespace millstream::connect
