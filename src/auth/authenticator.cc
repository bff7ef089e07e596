#include "auth/authenticator.h"

#include "auth/api_key.h"
#include "auth/cookie.h"
#include "base/log_line.h"

namespace millstream::auth {

Error refused_credential() {
  return Error{Code::unauthenticated, "credential is missing, malformed, expired or unknown"};
}

Authenticator::Authenticator(JwtOptions jwt, const model::ApiKeyLookup& keys,
                             const model::LoginSessionLookup& login_sessions, const Clock& clock,
                             std::optional<model::Grants> development, const Issuers* issuers)
    : jwt_(std::move(jwt)),
      keys_(keys),
      login_sessions_(login_sessions),
      clock_(clock),
      development_(std::move(development)),
      issuers_(issuers) {}

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

Result<model::Grants> Authenticator::authenticate_session(std::string_view cookie) const {
  std::optional<model::Grants> grants;
  if (const auto sha256 = session_sha256(cookie)) grants = login_sessions_.use_login_session(*sha256, clock_.wall_ms());
  if (grants) return std::move(*grants);
  if (development_) return *development_;
  log_debug("credential refused", {{"kind", "session"}, {"reason", "no such session, or it has ended"}});
  return refused_credential();
}

bool Authenticator::still_holds(const model::Grants& grants) const {
  const int64_t now_ms = clock_.wall_ms();
  if (grants.expires_at_ms && now_ms >= *grants.expires_at_ms) return false;
  if (grants.credential == 0) return true;
  if (model::is_login_session(grants.credential)) return login_sessions_.holds_login_session(grants.credential, now_ms);
  const std::shared_ptr<const model::ApiKeyRecord> record = keys_.find_api_key(model::key_id_of(grants.subject));
  return record && !record->revoked;
}

}  // namespace millstream::auth
