// model/login_session.h: what a user's cookie stands for, as stored: never the cookie itself.
//
// Flow     made at sign-in; each request with the cookie finds it by its hash, and is a use of it; it ends at sign-out,
//          when it has not been used for a while, when its time is up, or with a change of its user.
// Thread   value; LoginSessionLookup: any
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/digest_number.h"
#include "model/grants.h"

namespace millstream::model {

struct LoginSessionRecord {
  std::string sha256;  // of the cookie's value, 32 bytes
  std::string user;
  int64_t generation = 0;     // the user's, when it was made
  int64_t created_at_ms = 0;  // UTC
  int64_t used_at_ms = 0;     // UTC
  int64_t expires_at_ms = 0;  // UTC; however much it is used
};

// Grants::credential of a login session: never 0, and never an API key's.
constexpr uint64_t login_session_number(std::string_view sha256) { return digest_number(sha256) | uint64_t{3} << 62; }
constexpr bool is_login_session(uint64_t credential) { return credential >> 62 == 3; }

// Finds what a login session allows, without blocking.
class LoginSessionLookup {
 public:
  // Grants of its user as they are now, ending with the session. Nothing: there is none, it has ended, or its user has
  // changed. Counts as a use.
  virtual std::optional<Grants> use_login_session(std::string_view sha256, int64_t now_ms) const = 0;
  // Whether the one of this number still allows what it did. Not a use.
  virtual bool holds_login_session(uint64_t number, int64_t now_ms) const = 0;

 protected:
  ~LoginSessionLookup() = default;
};

}  // namespace millstream::model
