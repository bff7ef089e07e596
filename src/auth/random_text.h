// auth/random_text.h: secrets of our own making: a prefix that says what it is, and 256 random bits.
//
// Shapes   43 letters of base64url after the prefix. Being random in full, it needs no slow hash.
// Thread   any
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millstream::auth {

std::string random_text(std::string_view prefix);
// What a store may know it by; none: not of that form.
std::optional<std::string> random_text_sha256(std::string_view text, std::string_view prefix);

}  // namespace millstream::auth
