// Any bytes as an answer of SQS: never a crash, and what is taken is within the protocol.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "connect/sqs_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const std::string_view answer(reinterpret_cast<const char*>(bytes), size);
  MS_CHECK(connect::sqs_error_text(answer).find('\n') == std::string::npos || !answer.empty());
  if (const auto messages = connect::parse_sqs_messages(answer)) {
    MS_CHECK(messages->size() <= connect::kSqsMessagesMax);
    for (const connect::SqsMessage& message : *messages) {
      MS_CHECK(!message.id.empty() && !message.receipt_handle.empty() && message.md5.size() == 32);
      MS_CHECK(message.receive_count >= 1);
    }
  }
  const size_t entries = size % (connect::kSqsMessagesMax + 1);
  if (const auto failures = connect::parse_sqs_failures(answer, entries)) {
    MS_CHECK(failures->size() <= entries);
    for (const connect::SqsFailure& failure : *failures) MS_CHECK(failure.entry < entries && !failure.why.empty());
  }
  return 0;
}
