// Arbitrary bytes, arbitrarily cut, through the request parser. A whole request must come out the same when its bytes
// arrive one by one.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/request_parser.h"

namespace {

using millstream::http::RequestParser;
using millstream::http::ServerLimits;

// What the parser made of all of it: per request its parts, then how it ended.
std::string run(std::string_view bytes, size_t piece_bytes) {
  static const ServerLimits limits{.header_bytes_max = 2048, .header_fields_max = 16, .target_bytes_max = 512};
  RequestParser parser(limits);
  std::string outcome;
  std::string waiting;
  while (true) {
    size_t used = 0;
    const RequestParser::Step step = parser.feed(waiting, used);
    MS_CHECK(used <= waiting.size());
    waiting.erase(0, used);
    if (step == RequestParser::Step::refused) {
      outcome += "refused " + std::to_string(parser.refusal().status);
      return outcome;
    }
    if (step == RequestParser::Step::head) {
      if (parser.limit_body(4096)) continue;
      return outcome + "too long";
    }
    if (step == RequestParser::Step::done) {
      const auto& request = parser.request();
      MS_CHECK(request.path == "*" || request.path.front() == '/');
      MS_CHECK(request.path.find('\0') == std::string::npos);
      MS_CHECK(request.body.size() <= 4096);
      outcome += request.method + ' ' + request.path + ' ' + request.body + '\n';
      for (const auto& header : request.headers.list()) outcome += header.name + ':' + header.value + '\n';
      parser.reset();
      if (!waiting.empty()) continue;
    }
    if (bytes.empty()) return outcome;
    const size_t size = std::min(piece_bytes, bytes.size());
    waiting.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = run(bytes, bytes.size() + 1);
  const std::string cut = run(bytes, static_cast<size_t>(data[0]) + 1);
  // A refusal may come at another point of a bad request, also when it is never finished, and with another reason.
  const auto requests = [](const std::string& outcome) {
    return outcome.substr(0, std::min(outcome.find("refused"), outcome.size()));
  };
  MS_CHECK(requests(whole) == requests(cut));
  return 0;
}
