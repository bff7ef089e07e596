#include "base/utf8.h"

#include <gtest/gtest.h>

namespace millstream {
namespace {

TEST(Utf8, CodePointsOfEverySizeAreRead) {
  EXPECT_EQ(first_code_point("a").value, 'a');
  EXPECT_EQ(first_code_point("µs").value, 0xB5u);
  EXPECT_EQ(first_code_point("€").value, 0x20ACu);
  EXPECT_EQ(first_code_point("😀").value, 0x1F600u);
  EXPECT_EQ(first_code_point("😀").size, 4u);
}

TEST(Utf8, IllFormedBytesAreRefused) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view text :
       {"\x80"sv, "\xC0\xAF"sv, "\xC1\xBF"sv, "\xC2"sv, "\xC2 "sv, "\xE0\x80\x80"sv, "\xE0\x9F\xBF"sv, "\xED\xA0\x80"sv,
        "\xED\xBF\xBF"sv, "\xE2\x82"sv, "\xF0\x80\x80\x80"sv, "\xF0\x8F\xBF\xBF"sv, "\xF4\x90\x80\x80"sv,
        "\xF5\x80\x80\x80"sv, "\xFF"sv}) {
    EXPECT_EQ(first_code_point(text).size, 0u);
    EXPECT_FALSE(is_utf8(text));
  }
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"));
}

}  // namespace
}  // namespace millstream
