// Any bytes as an Accept header: nothing crashes, and of two media types not both are preferred to the other.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "http/accept.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view accept(reinterpret_cast<const char*>(data), size);
  const millstream::http::MediaType csv{"text", "csv"};
  const millstream::http::MediaType json{"application", "json"};
  MS_CHECK(!(millstream::http::prefers(accept, csv, json) && millstream::http::prefers(accept, json, csv)));
  return 0;
}
