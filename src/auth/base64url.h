// auth/base64url.h: base64url without padding, canonical only: every byte string has exactly one text.
//
// Errors   decode: nothing on a byte outside the alphabet, padding, an impossible length, or unused bits that are not 0
//          (otherwise one signature would have several spellings).
// Thread   value
// Source   RFC 4648 5, RFC 7515 2
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millstream::auth {

std::string encode_base64url(std::string_view bytes);
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace millstream::auth
