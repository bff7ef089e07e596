#include "connect/sqs_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

namespace millstream::connect {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Answers as told, and remembers what it was asked.
class ScriptedTransport final : public SqsTransport {
 public:
  struct Script {
    std::vector<SqsPost> posts;
    std::deque<Result<SqsReply>> replies;
  };
  explicit ScriptedTransport(Script& script) : script_(script) {}
  Result<SqsReply> post(const SqsPost& request, const std::function<bool()>&) override {
    script_.posts.push_back(request);
    Result<SqsReply> reply = std::move(script_.replies.front());
    script_.replies.pop_front();
    return reply;
  }

 private:
  Script& script_;
};

class SqsClientTest : public ::testing::Test {
 protected:
  void answer(int status, std::string body) { script_.replies.push_back(SqsReply{status, std::move(body)}); }
  Error refusal_of(int status, std::string body) {
    answer(status, std::move(body));
    const auto messages = client_.receive({});
    EXPECT_FALSE(messages.ok());
    return messages.error();
  }

  ScriptedTransport::Script script_;
  SqsClient client_{{.url = "https://sqs.eu-west-1.amazonaws.com/1/q", .wait_s = 20, .visibility_s = 60},
                    std::make_unique<ScriptedTransport>(script_)};
};

TEST_F(SqsClientTest, ReceivesByALongPollThatIsWaitedForLonger) {
  answer(200, "{}");
  ASSERT_TRUE(client_.receive({}).ok());
  const SqsPost& post = script_.posts.at(0);
  EXPECT_THAT(post.headers,
              ElementsAre("Content-Type: application/x-amz-json-1.0", "X-Amz-Target: AmazonSQS.ReceiveMessage"));
  EXPECT_EQ(post.body, R"({"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/1/q","MaxNumberOfMessages":10,)"
                       R"("WaitTimeSeconds":20,"VisibilityTimeout":60,"AttributeNames":["ApproximateReceiveCount"]})");
  EXPECT_GT(post.timeout_ms, 20'000);
  EXPECT_GE(post.answer_bytes_max, 10u << 20);
}

TEST_F(SqsClientTest, DeletesAndHidesByTheNumberOfTheEntry) {
  answer(200, R"({"Successful":[{"Id":"0"},{"Id":"1"}]})");
  const std::vector<std::string> handles = {"r\"0", "r1"};
  EXPECT_THAT(*client_.remove(handles, {}), SizeIs(0));
  EXPECT_THAT(script_.posts.at(0).body,
              HasSubstr(R"("Entries":[{"Id":"0","ReceiptHandle":"r\"0"},{"Id":"1","ReceiptHandle":"r1"}]})"));
  EXPECT_THAT(script_.posts.at(0).headers.at(1), HasSubstr("AmazonSQS.DeleteMessageBatch"));
  answer(200, R"({"Failed":[{"Id":"0","Code":"X"}]})");
  const std::vector<SqsHiding> hidings = {{"r0", 90}};
  EXPECT_THAT(*client_.hide(hidings, {}), SizeIs(1));
  EXPECT_THAT(script_.posts.at(1).body,
              HasSubstr(R"("Entries":[{"Id":"0","ReceiptHandle":"r0","VisibilityTimeout":90}]})"));
  EXPECT_THAT(script_.posts.at(1).headers.at(1), HasSubstr("AmazonSQS.ChangeMessageVisibilityBatch"));
}

TEST_F(SqsClientTest, ARefusalSaysWhetherItIsWorthAskingAgain) {
  EXPECT_EQ(refusal_of(500, "").code, Code::unavailable);
  EXPECT_EQ(refusal_of(503, R"({"__type":"ServiceUnavailable"})").detail, "SQS: HTTP 503: ServiceUnavailable");
  EXPECT_EQ(refusal_of(400, R"({"__type":"com.amazonaws.sqs#RequestThrottled"})").code, Code::unavailable);
  EXPECT_EQ(refusal_of(400, R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist"})").code, Code::invalid);
  EXPECT_EQ(refusal_of(403, R"({"__type":"ExpiredTokenException"})").code, Code::forbidden);
  EXPECT_EQ(refusal_of(200, "{\"Mess").code, Code::corrupt);
}

TEST(SqsMessage, IsIntactWhenItsMd5IsTheOneTold) {
  SqsMessage message{.id = "m", .receipt_handle = "r", .body = "hello", .md5 = "5d41402abc4b2a76b9719d911017c592"};
  EXPECT_TRUE(is_intact(message));
  message.body = "hallo";
  EXPECT_FALSE(is_intact(message));
}

}  // namespace
}  // namespace millstream::connect
