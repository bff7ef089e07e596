// auth/random_text.h: ids of our own making, and secrets: a prefix that says what it is, and 256 random bits.
//
// Shapes   43 letters of base64url after the prefix. Being random in full, it needs no slow hash.
// Thread   any
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace millstream::auth {

std::string random_text(std::string_view prefix);
// What a store may know it by; none: not of that form.
std::optional<std::string> random_text_sha256(std::string_view text, std::string_view prefix);

// An id that people may have to read out: so many of these letters, each as likely as the others.
inline constexpr std::string_view kRandomNameLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
std::string random_name(size_t letters);

}  // namespace millstream::auth
