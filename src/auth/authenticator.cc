#include "auth/authenticator.h"

#include "auth/api_key.h"
#include "base/log_line.h"

namespace millstream::auth {

Error refused_credential() {
  return Error{Code::unauthenticated, "credential is missing, malformed, expired or unknown"};
}

Authenticator::Authenticator(JwtOptions jwt, const model::ApiKeyLookup& keys, const Clock& clock,
                             std::optional<model::Grants> development, const Issuers* issuers)
    : jwt_(std::move(jwt)), keys_(keys), clock_(clock), development_(std::move(development)), issuers_(issuers) {}

Result<model::Grants> Authenticator::authenticate(std::string_view credential) const {
  if (credential.empty()) {
    if (development_) return *development_;
    return refused_credential();
  }
  const bool is_api_key = credential.starts_with(kApiKeyPrefix);
  const int64_t now_ms = clock_.wall_ms();
  Result<model::Grants> grants =
      is_api_key ? verify_api_key(keys_, credential, now_ms) : verify_jwt(jwt_, credential, now_ms, issuers_);
  if (grants) return grants;
  log_debug("credential refused", {{"kind", is_api_key ? "api key" : "jwt"}, {"reason", grants.error().detail}});
  return refused_credential();
}

bool Authenticator::still_holds(const model::Grants& grants) const {
  const int64_t now_ms = clock_.wall_ms();
  if (grants.expires_at_ms && now_ms >= *grants.expires_at_ms + grants.leeway_ms) return false;
  if (grants.api_key == 0) return true;
  const std::optional<model::ApiKeyRecord> record = keys_.find_api_key(model::key_id_of(grants.subject));
  return record && !record->revoked;
}

}  // namespace millstream::auth
