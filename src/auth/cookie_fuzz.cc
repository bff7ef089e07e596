// Any bytes as a Cookie header: never a crash, and what is found stands in it behind the cookie's name.
#include <cstdint>
#include <cstdlib>

#include "auth/cookie.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const std::string_view header(reinterpret_cast<const char*>(bytes), size);
  for (const bool secure : {false, true}) {
    const auth::SessionCookie cookie(secure);
    const auto value = cookie.find(header);
    if (!value) continue;
    if (value->find(';') != std::string_view::npos) std::abort();
    if (header.find(std::string(cookie.name()) + "=" + std::string(*value)) == std::string_view::npos) std::abort();
    const auto sha256 = auth::session_sha256(*value);
    if (sha256 && (sha256->size() != 32 || value->size() != 47)) std::abort();
  }
  return 0;
}
