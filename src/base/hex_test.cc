#include "base/hex.h"

#include <gtest/gtest.h>

namespace millstream {
namespace {

TEST(Hex, NumbersHaveAsManyDigitsAsAskedFor) {
  EXPECT_EQ(hex_text(0, 16), "0000000000000000");
  EXPECT_EQ(hex_text(UINT64_MAX, 16), "ffffffffffffffff");
  EXPECT_EQ(hex_text(0x0123456789abcdef, 16), "0123456789abcdef");
  EXPECT_EQ(hex_text(0x0123456789abcdef, 8), "89abcdef");
}

TEST(Hex, BytesHaveTwoDigitsEach) {
  EXPECT_EQ(hex_text(std::string_view("\x00\x7f\xff", 3)), "007fff");
  EXPECT_EQ(hex_text(std::string_view()), "");
}

}  // namespace
}  // namespace millstream
