#include "auth/authenticator.h"

#include "auth/api_key.h"
#include "base/log_line.h"

namespace millstream::auth {
namespace {

// One answer for every bad credential: which step refused it helps an attacker more than a user.
Error refused() { return Error{Code::unauthenticated, "credential is missing, malformed, expired or unknown"}; }

}  // namespace

Authenticator::Authenticator(JwtOptions jwt, const model::ApiKeyLookup& keys, const Clock& clock,
                             std::optional<model::Grants> development)
    : jwt_(std::move(jwt)), keys_(keys), clock_(clock), development_(std::move(development)) {}

Result<model::Grants> Authenticator::authenticate(std::string_view credential) const {
  if (credential.empty()) {
    if (development_) return *development_;
    return refused();
  }
  const bool is_api_key = credential.starts_with(kApiKeyPrefix);
  Result<model::Grants> grants =
      is_api_key ? verify_api_key(keys_, credential, clock_.wall_ms()) : verify_jwt(jwt_, credential, clock_.wall_ms());
  if (grants) return grants;
  log_debug("credential refused", {{"kind", is_api_key ? "api key" : "jwt"}, {"reason", grants.error().detail}});
  return refused();
}

}  // namespace millstream::auth
