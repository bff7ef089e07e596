#include "connect/sqs_client.h"

#include <openssl/evp.h>

#include <utility>

#include "codec/event_json.h"

namespace millstream::connect {
namespace {

constexpr int64_t kAnswerMs = 10'000;  // beyond what was to be waited for
constexpr size_t kSmallAnswerBytesMax = 64 << 10;

std::string md5_of(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_md5(), nullptr) != 1) return "";
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

Error refused(const SqsReply& reply) {
  std::string why = "SQS: HTTP " + std::to_string(reply.status);
  if (const std::string words = sqs_error_text(reply.body); !words.empty()) why += ": " + words;
  // Too many requests come as 400 as well.
  const bool throttled = why.find("Throttl") != std::string::npos || reply.status == 429;
  if (throttled || reply.status >= 500) return {Code::unavailable, why};
  return {reply.status == 401 || reply.status == 403 ? Code::forbidden : Code::invalid, why};
}

// The number of an entry is its id.
std::string entry_of(size_t number, const std::string& receipt_handle) {
  std::string out = number == 0 ? "{\"Id\":\"" : ",{\"Id\":\"";
  out += std::to_string(number) + "\",\"ReceiptHandle\":";
  codec::append_json_string(receipt_handle, out);
  return out;
}

}  // namespace

bool is_intact(const SqsMessage& message) { return md5_of(message.body) == message.md5; }

SqsClient::SqsClient(SqsQueue queue, std::unique_ptr<SqsTransport> transport)
    : queue_(std::move(queue)), transport_(std::move(transport)) {}

std::string SqsClient::request() const {
  std::string body = "{\"QueueUrl\":";
  codec::append_json_string(queue_.url, body);
  return body;
}

Result<std::string> SqsClient::call(std::string_view action, std::string body, int64_t timeout_ms,
                                    size_t answer_bytes_max, const std::function<bool()>& keep_going) {
  SqsPost post;
  post.headers = {"Content-Type: application/x-amz-json-1.0", "X-Amz-Target: AmazonSQS." + std::string(action)};
  post.body = std::move(body);
  post.timeout_ms = timeout_ms;
  post.answer_bytes_max = answer_bytes_max;
  Result<SqsReply> reply = transport_->post(post, keep_going);
  if (!reply) return reply.error();
  if (reply->status != 200) return refused(*reply);
  return std::move(reply->body);
}

Result<std::vector<SqsMessage>> SqsClient::receive(const std::function<bool()>& keep_going) {
  std::string body = request();
  body += ",\"MaxNumberOfMessages\":" + std::to_string(kSqsMessagesMax);
  body += ",\"WaitTimeSeconds\":" + std::to_string(queue_.wait_s);
  body += ",\"VisibilityTimeout\":" + std::to_string(queue_.visibility_s);
  body += ",\"AttributeNames\":[\"ApproximateReceiveCount\"]}";  // the name that older compatible servers know, too
  const Result<std::string> answer =
      call("ReceiveMessage", std::move(body), queue_.wait_s * 1000 + kAnswerMs, kAnswerBytesMax, keep_going);
  if (!answer) return answer.error();
  return parse_sqs_messages(*answer);
}

Result<std::vector<SqsFailure>> SqsClient::remove(std::span<const std::string> receipt_handles,
                                                  const std::function<bool()>& keep_going) {
  std::string body = request() + ",\"Entries\":[";
  for (size_t i = 0; i < receipt_handles.size(); ++i) body += entry_of(i, receipt_handles[i]) + "}";
  const Result<std::string> answer =
      call("DeleteMessageBatch", body + "]}", kAnswerMs, kSmallAnswerBytesMax, keep_going);
  if (!answer) return answer.error();
  return parse_sqs_failures(*answer, receipt_handles.size());
}

Result<std::vector<SqsFailure>> SqsClient::hide(std::span<const SqsHiding> hidings,
                                                const std::function<bool()>& keep_going) {
  std::string body = request() + ",\"Entries\":[";
  for (size_t i = 0; i < hidings.size(); ++i) {
    body += entry_of(i, hidings[i].receipt_handle);
    body += ",\"VisibilityTimeout\":" + std::to_string(hidings[i].visibility_s) + "}";
  }
  const Result<std::string> answer =
      call("ChangeMessageVisibilityBatch", body + "]}", kAnswerMs, kSmallAnswerBytesMax, keep_going);
  if (!answer) return answer.error();
  return parse_sqs_failures(*answer, hidings.size());
}

}  // namespace millstream::connect
