// connect/sqs_client.h: what we ask of one queue of Amazon SQS, or of a server that speaks its protocol.
//
// Flow     receive() waits for messages, which the queue hides for visibility_s; remove() deletes those that are done;
//          hide() has the time begin anew.
// Limits   kSqsMessagesMax messages or entries a request. An answer of kAnswerBytesMax.
// Errors   Code::unavailable: no answer, or not now; Code::forbidden: the credential; Code::invalid: the queue or the
//          request; Code::corrupt: not an answer of SQS.
// Thread   one thread at a time; blocks
// Source   Amazon SQS API Reference, "AWS JSON protocol" (1.0)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "connect/sqs_answer.h"
#include "connect/sqs_transport.h"

namespace millstream::connect {

struct SqsQueue {
  std::string url;             // as SQS names the queue
  int64_t wait_s = 20;         // that an empty queue is waited at; SQS takes 0 to 20
  int64_t visibility_s = 120;  // how long a message that was received is given to nobody else
};

struct SqsHiding {
  std::string receipt_handle;
  int64_t visibility_s = 0;  // from now on
};

// Whether the body is the one whose MD5 the queue told.
bool is_intact(const SqsMessage& message);

class SqsClient {
 public:
  // Ten messages of a MiB, every byte of which JSON may escape as six.
  static constexpr size_t kAnswerBytesMax = 64 << 20;

  SqsClient(SqsQueue queue, std::unique_ptr<SqsTransport> transport);

  Result<std::vector<SqsMessage>> receive(const std::function<bool()>& keep_going);
  // What was not done. Precondition: at most kSqsMessagesMax entries.
  Result<std::vector<SqsFailure>> remove(std::span<const std::string> receipt_handles,
                                         const std::function<bool()>& keep_going);
  Result<std::vector<SqsFailure>> hide(std::span<const SqsHiding> hidings, const std::function<bool()>& keep_going);

  const SqsQueue& queue() const { return queue_; }

 private:
  Result<std::string> call(std::string_view action, std::string body, int64_t timeout_ms, size_t answer_bytes_max,
                           const std::function<bool()>& keep_going);
  std::string request() const;  // what every request begins with

  const SqsQueue queue_;
  const std::unique_ptr<SqsTransport> transport_;
};

}  // namespace millstream::connect
