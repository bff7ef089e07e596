// influx/transport.h: the seam to HTTP; the caller of this folder brings the client.
//
// Shapes   It knows the server's address and the credential, neither of which this folder ever sees.
// Thread   one thread at a time; blocks
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millstream::influx {

struct HttpPost {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  int64_t timeout_ms = 10'000;
  size_t answer_bytes_max = 64 << 10;  // what comes beyond is cut off: a body of this size and a bit is too large
};

struct HttpReply {
  int status = 0;
  std::string body;
  std::optional<int64_t> retry_after_ms;
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Code::unavailable: no answer, or one that broke off, in words for a person. Ends early when `keep_going` says so.
  virtual Result<HttpReply> post(const HttpPost& request, const std::function<bool()>& keep_going) = 0;
};

}  // namespace millstream::influx
