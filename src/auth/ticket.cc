#include "auth/ticket.h"

#include "auth/base64url.h"
#include "auth/digest.h"

namespace millstream::auth {
namespace {
constexpr std::string_view kPrefix = "mt_";
constexpr size_t kRandomBytes = 32;
}  // namespace

std::string make_ticket_text() { return std::string(kPrefix) + encode_base64url(random_bytes(kRandomBytes)); }

std::optional<std::string> ticket_sha256(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  const std::optional<std::string> random = decode_base64url(text.substr(kPrefix.size()));
  if (!random || random->size() != kRandomBytes) return std::nullopt;
  return sha256(text);
}

}  // namespace millstream::auth
