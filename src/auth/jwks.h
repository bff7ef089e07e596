// auth/jwks.h: the public keys of those who sign tokens, as a JSON Web Key Set.
//
// Shapes   A key verifies one algorithm, whatever a token's header says: the one it names, else RS256, ES256 or
//          EdDSA by its kind. RSA of 2048 to 8192 bits, EC on P-256, Ed25519.
// Errors   parse(): Code::invalid, naming the key by its place: a set that is not understood is not used in part. Keys
//          for other uses or algorithms are no error and are passed over. verify(): Code::unauthenticated.
// Thread   value
// Source   RFC 7517 (JWK), RFC 7518 (algorithms), RFC 8037 (EdDSA), RFC 8725
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct evp_pkey_st;

namespace millstream::auth {

enum class JwtAlgorithm : uint8_t { hs256, rs256, ps256, es256, eddsa };
std::optional<JwtAlgorithm> parse_jwt_algorithm(std::string_view name);

// [A-Za-z0-9._:+/=-]{1,128}: what a key may be called, in a set and in a token. Wide enough for what providers use:
// base64url (Microsoft Entra, Keycloak, Okta), hex (Google), base64 with "+/=" (Amazon Cognito, Auth0), names with
// dots and colons (Ory Hydra, thumbprint URNs of RFC 9278). Nothing else, so that it can neither end a log line nor
// quote anything; and it is only ever compared with the names in one issuer's set, never part of a path, a query or an
// address.
bool is_key_id(std::string_view text);

class KeySet {
 public:
  static constexpr size_t kBytesMax = 256 << 10;
  static constexpr size_t kKeysMax = 100;

  static Result<KeySet> parse(std::string_view json);

  // `key_id`: as the token names it; empty: it names none, which is enough where one key alone is of that algorithm.
  Status verify(std::string_view key_id, JwtAlgorithm algorithm, std::string_view signed_text,
                std::string_view signature) const;
  bool holds(std::string_view key_id) const;
  size_t size() const { return keys_.size(); }
  size_t passed_over() const { return passed_over_; }

 private:
  struct Key {
    std::string id;
    JwtAlgorithm algorithm;
    std::shared_ptr<evp_pkey_st> key;
  };
  std::vector<Key> keys_;
  size_t passed_over_ = 0;
};

}  // namespace millstream::auth
