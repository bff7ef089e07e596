#include "auth/random_text.h"

#include "auth/base64url.h"
#include "auth/digest.h"

namespace millstream::auth {
namespace {
constexpr size_t kRandomBytes = 32;
}  // namespace

std::string random_text(std::string_view prefix) {
  return std::string(prefix) + encode_base64url(random_bytes(kRandomBytes));
}

std::optional<std::string> random_text_sha256(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  const std::optional<std::string> random = decode_base64url(text.substr(prefix.size()));
  if (!random || random->size() != kRandomBytes) return std::nullopt;
  return sha256(text);
}

std::string random_name(size_t letters) {
  std::string name;
  while (name.size() < letters) {
    for (const char byte : random_bytes(letters)) {
      // 252 is the largest multiple of 36 in a byte; above it the first letters would come up more often.
      const unsigned value = static_cast<unsigned char>(byte);
      if (value < 252 && name.size() < letters) name += kRandomNameLetters[value % kRandomNameLetters.size()];
    }
  }
  return name;
}

}  // namespace millstream::auth
