#include "auth/api_key.h"

#include <algorithm>

#include "auth/authenticator.h"
#include "auth/base64url.h"
#include "auth/digest.h"
#include "auth/random_text.h"

namespace millstream::auth {
namespace {

constexpr size_t kIdBytes = 12;
constexpr size_t kSecretBytes = 32;
constexpr size_t kSecretTextBytes = 43;

struct KeyParts {
  std::string_view id;
  std::string_view secret;
};

// Cut by position: the secret may itself hold "_".
std::optional<KeyParts> split_key(std::string_view text) {
  if (text.size() != kApiKeyPrefix.size() + kIdBytes + 1 + kSecretTextBytes) return std::nullopt;
  if (!text.starts_with(kApiKeyPrefix) || text[kApiKeyPrefix.size() + kIdBytes] != '_') return std::nullopt;
  const KeyParts parts{text.substr(kApiKeyPrefix.size(), kIdBytes), text.substr(text.size() - kSecretTextBytes)};
  if (parts.id.find_first_not_of(kRandomNameLetters) != std::string_view::npos) return std::nullopt;
  return parts;
}

}  // namespace

std::optional<std::string_view> api_key_id(std::string_view text) {
  const std::optional<KeyParts> parts = split_key(text);
  return parts ? std::optional(parts->id) : std::nullopt;
}

NewApiKey make_api_key(std::string name, model::Grants grants, int64_t now_ms) {
  const std::string id = random_name(kIdBytes);
  const std::string secret = encode_base64url(random_bytes(kSecretBytes));
  grants.subject = model::key_subject(id);
  model::ApiKeyRecord record;
  record.key_id = id;
  record.secret_sha256 = sha256(secret);
  record.grants = std::move(grants);
  record.name = std::move(name);
  record.created_at_ms = now_ms;
  return {std::string(kApiKeyPrefix) + id + "_" + secret, std::move(record)};
}

Result<model::Grants> verify_api_key(const model::ApiKeyLookup& keys, std::string_view text, int64_t now_ms) {
  const auto refused = [](const char* why) { return Error{Code::unauthenticated, why}; };
  const std::optional<KeyParts> parts = split_key(text);
  if (!parts) return refused("not the form of an API key");

  const std::shared_ptr<const model::ApiKeyRecord> record = keys.find_api_key(parts->id);
  // Unknown ids take the same steps as known ones, so that the answer's time does not tell them apart.
  const std::string expected = record ? record->secret_sha256 : std::string(kSha256Bytes, '\0');
  const bool same = same_bytes(sha256(parts->secret), expected);
  if (!record) return refused("no such API key");
  if (!same) return refused("wrong secret for this API key");
  if (record->revoked) return refused("revoked API key");
  if (record->grants.expires_at_ms && now_ms >= *record->grants.expires_at_ms) return refused("expired API key");
  keys.note_use(parts->id, now_ms);
  model::Grants grants = record->grants;
  grants.credential = model::api_key_number(parts->id);
  return grants;
}

}  // namespace millstream::auth
