// Any bytes as a key set: never a crash, and no set verifies what nobody signed.
#include <cstdint>
#include <cstdlib>

#include "auth/jwks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream::auth;
  const auto keys = KeySet::parse({reinterpret_cast<const char*>(bytes), size});
  if (!keys) return 0;
  if (keys->size() == 0 || keys->size() > KeySet::kKeysMax) std::abort();
  const std::string zeros(64, '\0');
  for (const auto algorithm : {JwtAlgorithm::rs256, JwtAlgorithm::ps256, JwtAlgorithm::es256, JwtAlgorithm::eddsa}) {
    if (keys->verify("", algorithm, "text", zeros.substr(0, size % 65)).ok()) std::abort();
  }
  return 0;
}
