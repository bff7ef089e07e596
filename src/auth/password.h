// auth/password.h: passwords as Argon2id hashes.
//
// Shapes   the PHC string "$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>": it says itself how it was made, so that costs
//          may rise later without a change of what is stored.
// Limits   19 MiB and about 25 ms of one core for each call: never on an I/O thread.
// Errors   check_password(): Code::invalid, saying what is missing, never the password.
// Thread   any; blocks
// Source   OWASP Password Storage Cheat Sheet; RFC 9106
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millstream::auth {

inline constexpr size_t kPasswordBytesMin = 8;
inline constexpr size_t kPasswordBytesMax = 1024;

// What may be chosen: long enough, UTF-8, no control characters, not the user's own name.
Status check_password(std::string_view password, std::string_view user);

Result<std::string> hash_password(std::string_view password);  // Code::unavailable: no memory for it now
bool verify_password(std::string_view password, const std::string& hash);
// Takes as long, and is never true: for a user who is not there, so that the time does not tell.
bool verify_nobody(std::string_view password);

}  // namespace millstream::auth
