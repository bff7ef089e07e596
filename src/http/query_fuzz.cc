// Any bytes as the target of a request, and as a query alone: never a crash; a path keeps its promises, and what is
// decoded is no longer than what came.
#include <cstdint>

#include "base/check.h"
#include "http/message.h"
#include "http/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  if (const auto query = http::Query::parse(input)) {
    size_t decoded = 0;
    for (const auto& [name, value] : query->list()) {
      decoded += name.size() + value.size();
      MS_CHECK(name.find('\0') == std::string::npos && value.find('\0') == std::string::npos);
      MS_CHECK(query->get(name).has_value());
    }
    MS_CHECK(decoded <= size);
  }
  if (const auto target = http::parse_target("GET", input)) {
    MS_CHECK(target->path.starts_with('/') && target->path.size() <= size + 1);
    for (const char* never : {"/../", "/./", "//"}) MS_CHECK(target->path.find(never) == std::string::npos);
    MS_CHECK(target->path.find('\0') == std::string::npos);
  }
  return 0;
}
