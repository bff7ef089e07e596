// base/hex.h: bytes and numbers in hexadecimal, small letters.
//
// Thread   value
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millstream {

// The lowest `digits` digits of it, at most 16.
inline std::string hex_text(uint64_t number, int digits) {
  std::string out;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += "0123456789abcdef"[number >> shift & 15];
  return out;
}

inline std::string hex_text(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) out += hex_text(static_cast<unsigned char>(byte), 2);
  return out;
}

}  // namespace millstream
