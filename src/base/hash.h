// base/hash.h: a hash of a few bytes, for tables in memory. Names are mostly shorter than 16 bytes, which it takes in
// one step.
//
// Limits   not for anything that is stored or sent. With a seed that is known, whoever may choose any bytes can make
//          many with the same hash.
// Thread   value
// Source   wyhash (Wang Yi, public domain): both halves of a 64 x 64 bit product
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace millstream {

constexpr uint64_t mix_hash(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t hash_bytes(std::string_view bytes, uint64_t seed) {
  constexpr uint64_t k0 = 0xa0761d6478bd642f, k1 = 0xe7037ed1a0b428db;
  const auto load = [](const char* from, size_t size) {
    uint64_t value = 0;
    std::memcpy(&value, from, size);
    return value;
  };
  const char* at = bytes.data();
  size_t left = bytes.size();
  seed = (seed ^ k0) + left * k1;
  for (; left > 16; at += 16, left -= 16) seed = mix_hash(load(at, 8) ^ k1 ^ seed, load(at + 8, 8) ^ seed);
  uint64_t a = 0, b = 0;
  if (left >= 8) {
    a = load(at, 8);
    b = load(at + left - 8, 8);
  } else if (left >= 4) {
    a = load(at, 4);
    b = load(at + left - 4, 4);
  } else if (left > 0) {
    a = load(at, 1) | load(at + left / 2, 1) << 8 | load(at + left - 1, 1) << 16;
  }
  return mix_hash(a ^ k1 ^ seed, b ^ seed);
}

}  // namespace millstream
