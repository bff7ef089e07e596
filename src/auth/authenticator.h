// auth/authenticator.h: credentials -> Grants.
//
// Flow     api/ takes the credential out of the request; authenticate() tells what kind it is and checks it.
// Errors   Code::unauthenticated with one uniform detail for every bad credential: "credential is missing, malformed,
//          expired or unknown". The log line (debug) says which, without the secret.
// Thread   any after start-up
// Source   RFC 7519, RFC 7515, RFC 8725
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/issuers.h"
#include "base/clock.h"
#include "base/result.h"
#include "model/api_key.h"
#include "model/grants.h"
#include "model/login_session.h"

namespace millstream::auth {

// Of tokens signed with the secret.
struct JwtOptions {
  std::string hs256_secret;  // at least 32 bytes; empty: none
  std::string issuer;        // empty: not checked
  std::string audience;      // empty: not checked
  int64_t leeway_ms = 60'000;
  ClaimNames claims = {};
};

// "ms_<key id>_<secret>": makes a new key; the full text is shown to the operator once.
struct NewApiKey {
  std::string text;
  model::ApiKeyRecord record;
};
NewApiKey make_api_key(std::string name, model::Grants grants, int64_t now_ms);

// Signs an HS256 token with the claims of `grants` (sub, accountId, sites?, devices?, roles, iat, exp, iss?, aud?).
std::string sign_jwt(const JwtOptions& options, const model::Grants& grants, int64_t now_ms, int64_t expires_at_ms);
// Strict: HS256 with the secret alone, and never for an issuer with keys of its own unless `options` names that issuer
// too; other algorithms with the key that the issuer named by the token has pinned to them. Canonical base64url, at
// most 4 KiB, no duplicate keys, exp and account required. Without secret and issuers every token is refused.
Result<model::Grants> verify_jwt(const JwtOptions& options, std::string_view token, int64_t now_ms,
                                 const Issuers* issuers = nullptr);

// Refuses to start: short secret, PEM text as an HMAC secret.
Status check_jwt_options(const JwtOptions& options);

// One answer for every bad credential: which step refused it helps an attacker more than a user.
Error refused_credential();

class Authenticator {
 public:
  // `development`: when set, a request without any credential gets these grants (loopback only; app/ sees to that).
  // `issuers`: who signs tokens with keys of their own; null: nobody.
  Authenticator(JwtOptions jwt, const model::ApiKeyLookup& keys, const model::LoginSessionLookup& login_sessions,
                const Clock& clock, std::optional<model::Grants> development, const Issuers* issuers = nullptr);

  // Whether a stream may begin, or go on, with these grants: the credential that gave them has neither ended nor been
  // revoked. Stricter than authenticate(), which allows for clocks that differ: a stream ends when the token says.
  bool still_holds(const model::Grants& grants) const;

  // `credential`: a JWT or an API key as text; empty: none was given.
  Result<model::Grants> authenticate(std::string_view credential) const;
  // `cookie`: the value of the session cookie. In development mode one that is not good counts as none: browsers send
  // cookies to every port of a host, and so those of another server.
  Result<model::Grants> authenticate_session(std::string_view cookie) const;

 private:
  const JwtOptions jwt_;
  const model::ApiKeyLookup& keys_;
  const model::LoginSessionLookup& login_sessions_;
  const Clock& clock_;
  const std::optional<model::Grants> development_;
  const Issuers* const issuers_;
};

}  // namespace millstream::auth
