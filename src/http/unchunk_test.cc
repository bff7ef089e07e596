#include "http/unchunk.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace millstream::http {
namespace {

TEST(Unchunk, PayloadComesOutWholeHoweverTheStreamIsCutAndTaken) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::string chunked;
    std::string expected;
    for (size_t i = 0; i < 1 + random() % 20; ++i) {
      const std::string payload(1 + random() % 300, static_cast<char>('a' + i));
      char size[16];
      std::snprintf(size, sizeof(size), i % 2 ? "%zx\r\n" : "%zX\r\n", payload.size());
      chunked += size + payload + "\r\n";
      expected += payload;
    }
    Unchunk unchunk;
    std::string got;
    for (size_t at = 0; at < chunked.size();) {
      // A few pieces of random sizes, of which a random part is "sent", as a full socket would.
      std::vector<iovec> pieces;
      size_t offered = 0;
      for (size_t i = 0; i < 1 + random() % 5 && at + offered < chunked.size(); ++i) {
        const size_t size = std::min<size_t>(1 + random() % 200, chunked.size() - at - offered);
        pieces.push_back({chunked.data() + at + offered, size});
        offered += size;
      }
      std::vector<iovec> payload(3);
      size_t count = 0;
      size_t bytes = 0;
      Unchunk ahead = unchunk;
      ahead.advance(pieces, SIZE_MAX, payload, count, bytes);
      const size_t sent = bytes ? random() % (bytes + 1) : 0;
      size_t left = sent;
      for (size_t i = 0; i < count && left > 0; ++i) {
        const size_t take = std::min(left, payload[i].iov_len);
        got.append(static_cast<const char*>(payload[i].iov_base), take);
        left -= take;
      }
      size_t passed_payload = 0;
      const size_t passed = unchunk.advance(pieces, sent, {}, count, passed_payload);
      ASSERT_EQ(passed_payload, sent);
      ASSERT_LE(passed, offered);
      at += passed;
    }
    ASSERT_EQ(got, expected);
  }
}

TEST(Unchunk, FramingAloneIsPassedWithoutSending) {
  std::string bytes = "5\r\n";
  const iovec piece{bytes.data(), bytes.size()};
  std::vector<iovec> payload(4);
  size_t count = 0;
  size_t payload_bytes = 0;
  Unchunk unchunk;
  EXPECT_EQ(unchunk.advance({&piece, 1}, SIZE_MAX, payload, count, payload_bytes), 3u);
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(payload_bytes, 0u);
}

}  // namespace
}  // namespace millstream::http
