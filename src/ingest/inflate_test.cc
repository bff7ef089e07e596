#include "ingest/inflate.h"

#include <gtest/gtest.h>
#include <libdeflate.h>

#include <random>

namespace millstream::ingest {
namespace {

std::string gzip(std::string_view text) {
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(6);
  std::string out(libdeflate_gzip_compress_bound(compressor, text.size()), '\0');
  out.resize(libdeflate_gzip_compress(compressor, text.data(), text.size(), out.data(), out.size()));
  libdeflate_free_compressor(compressor);
  return out;
}

TEST(InflateGzip, GivesBackWhatWasCompressed) {
  for (const size_t size : {0u, 1u, 1000u, 1'000'000u}) {
    const std::string text(size, 'x');
    const Result<std::string> out = inflate_gzip(gzip(text), 2'000'000);
    ASSERT_TRUE(out.ok());
    EXPECT_EQ(*out, text);
  }
}

TEST(InflateGzip, SeveralMembersAreOneBody) {
  const Result<std::string> out = inflate_gzip(gzip("one") + gzip("two"), 100);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(*out, "onetwo");
}

TEST(InflateGzip, ABombIsRefusedAtTheLimitAndNamesIt) {
  const std::string bomb = gzip(std::string(50'000'000, '\0'));
  ASSERT_LT(bomb.size(), 60'000u);
  const Result<std::string> out = inflate_gzip(bomb, 1'000'000);
  ASSERT_FALSE(out.ok());
  EXPECT_EQ(out.error().code, Code::too_large);
  EXPECT_NE(out.error().detail.find("1000000"), std::string::npos);
}

TEST(InflateGzip, ExactlyTheLimitPassesAndOneMoreDoesNot) {
  EXPECT_TRUE(inflate_gzip(gzip(std::string(5000, 'a')), 5000).ok());
  EXPECT_FALSE(inflate_gzip(gzip(std::string(5001, 'a')), 5000).ok());
  EXPECT_FALSE(inflate_gzip(gzip(std::string(5000, 'a')) + gzip("b"), 5000).ok());
}

TEST(InflateGzip, ABodyAnnouncesTheSizeOfItsLastMember) {
  EXPECT_EQ(announced_size(gzip("")), 0u);
  EXPECT_EQ(announced_size(gzip("hello")), 5u);
  EXPECT_EQ(announced_size(gzip(std::string(70'000, 'x'))), 70'000u);
  EXPECT_EQ(announced_size(gzip(std::string(70'000, 'x')) + gzip("hello")), 5u);
  EXPECT_EQ(announced_size("\xff\xff\xff\xff"), 0xffff'ffffu);
  EXPECT_EQ(announced_size("abc"), 0u);
}

TEST(InflateGzip, DamagedBytesAreAnErrorAndNeverACrash) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string good = gzip("{\"deviceId\":\"a\",\"fields\":{\"t\":1}}");
  EXPECT_FALSE(inflate_gzip("not gzip at all", 1000).ok());
  EXPECT_FALSE(inflate_gzip(good.substr(0, good.size() - 1), 1000).ok());
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    bad[random() % bad.size()] ^= static_cast<char>(1 << (random() % 8));
    const Result<std::string> out = inflate_gzip(bad, 1000);
    // Some header bits (time, system) carry nothing; the checksum guards the rest.
    if (out) {
      EXPECT_EQ(*out, "{\"deviceId\":\"a\",\"fields\":{\"t\":1}}");
    }
  }
}

}  // namespace
}  // namespace millstream::ingest
