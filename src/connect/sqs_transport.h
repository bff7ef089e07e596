// connect/sqs_transport.h: the seam to HTTP; who runs a feed brings the client.
//
// Shapes   It knows the endpoint and the credential, and signs; neither is ever seen here.
// Thread   one thread at a time; blocks
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace millstream::connect {

struct SqsPost {
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  int64_t timeout_ms = 10'000;
  size_t answer_bytes_max = 64 << 10;  // what comes beyond is cut off
};

struct SqsReply {
  int status = 0;
  std::string body;
};

class SqsTransport {
 public:
  virtual ~SqsTransport() = default;
  // Code::unavailable: no answer, or one that broke off, in words for a person. Ends early when `keep_going` says so.
  virtual Result<SqsReply> post(const SqsPost& request, const std::function<bool()>& keep_going) = 0;
};

}  // namespace millstream::connect
