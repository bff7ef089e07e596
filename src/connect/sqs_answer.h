// connect/sqs_answer.h: the JSON answers of Amazon SQS.
//
// Shapes   ReceiveMessage: {"Messages":[{"MessageId","ReceiptHandle","Body","MD5OfBody","Attributes"?}]}, without
//          messages {} or an empty list. Of a batch of changes: {"Successful":[{"Id"}],"Failed":[{"Id","Code",
//          "Message"?}]}, where an Id is the number of the entry. Refused: {"__type":"…#Code","message"?}.
// Limits   kSqsMessagesMax messages or entries, as the protocol has.
// Errors   Code::corrupt: not of this shape, naming the place.
// Thread   value
// Source   Amazon SQS API Reference, "AWS JSON protocol" (1.0)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millstream::connect {

inline constexpr size_t kSqsMessagesMax = 10;

struct SqsMessage {
  std::string id;
  std::string receipt_handle;  // of this time it was received; the next time it is another
  std::string body;
  std::string md5;            // of the body, as the queue has it: lower case, hexadecimal
  int64_t receive_count = 1;  // this time included
};

struct SqsFailure {
  size_t entry = 0;
  std::string why;
};

Result<std::vector<SqsMessage>> parse_sqs_messages(std::string_view answer);
// Those of `entries` entries that were not done: also what the answer says nothing of.
Result<std::vector<SqsFailure>> parse_sqs_failures(std::string_view answer, size_t entries);
// "QueueDoesNotExist: …", in one short line; of a body that is none of SQS: empty. Never more of the words than their
// first line: what may follow repeats the request, its session token included.
std::string sqs_error_text(std::string_view answer);

}  // namespace millstream::connect
