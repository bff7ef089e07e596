#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace millstream {
namespace {

TEST(Hash, EveryByteTheLengthAndTheSeedCount) {
  for (size_t size = 0; size < 70; ++size) {
    const std::string text(size, 'x');
    std::set<uint64_t> hashes = {hash_bytes(text, 1), hash_bytes(text, 2), hash_bytes(text + 'x', 1)};
    for (size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = 'y';
      hashes.insert(hash_bytes(other, 1));
    }
    EXPECT_EQ(hashes.size(), size + 3) << size;
  }
}

TEST(Hash, NumberedNamesSpreadOverTheLowBits) {
  constexpr size_t kNames = 1 << 12;
  std::set<uint64_t> places;
  for (size_t i = 0; i < kNames; ++i) places.insert(hash_bytes("dev-" + std::to_string(i), 0) % kNames);
  EXPECT_GT(places.size(), kNames / 2);  // of a random function about 63 %
}

}  // namespace
}  // namespace millstream
