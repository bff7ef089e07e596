// model/digest_number.h: a secret's hash as one number, for those who only have to tell one from another.
//
// Shapes   the first 8 bytes of a SHA-256, big-endian.
// Thread   value
#pragma once

#include <cstdint>
#include <string_view>

namespace millstream::model {

constexpr uint64_t digest_number(std::string_view sha256) {
  uint64_t number = 0;
  for (const char byte : sha256.substr(0, 8)) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

}  // namespace millstream::model
