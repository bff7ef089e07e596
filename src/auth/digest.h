// auth/digest.h: the few cryptographic steps auth needs, on OpenSSL.
//
// Thread   any
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace millstream::auth {

inline constexpr size_t kSha256Bytes = 32;

std::string sha256(std::string_view bytes);
std::string hmac_sha256(std::string_view key, std::string_view bytes);
// From the system's cryptographic source; ends the process if that fails: a guessable key is worse than none.
std::string random_bytes(size_t count);
// In a time that depends on the lengths only.
bool same_bytes(std::string_view a, std::string_view b);

}  // namespace millstream::auth
