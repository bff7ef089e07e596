#include "redis/resp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millstream::redis {
namespace {

using ::testing::HasSubstr;

// A reply in one line, to be compared.
std::string shown(const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::nil: return "nil";
    case Reply::Kind::status: return "+" + reply.text;
    case Reply::Kind::error: return "-" + reply.text;
    case Reply::Kind::number: return std::to_string(reply.number);
    case Reply::Kind::bulk: return "\"" + reply.text + "\"";
    case Reply::Kind::array: break;
  }
  std::string text = "[";
  for (const Reply& item : reply.items) text += (text.size() > 1 ? " " : "") + shown(item);
  return text + "]";
}

// Everything that is complete, or the error behind it.
std::vector<std::string> read_all(ReplyReader& reader) {
  std::vector<std::string> all;
  while (true) {
    const auto reply = reader.next();
    if (!reply) all.push_back("error: " + reply.error().detail);
    if (!reply || !*reply) return all;
    all.push_back(shown(**reply));
  }
}

std::string failure(std::string_view bytes, const ReplyLimits& limits = {}) {
  ReplyReader reader(limits);
  reader.feed(bytes);
  const std::vector<std::string> all = read_all(reader);
  return all.empty() ? "" : all.back();
}

constexpr std::string_view kStream =
    "+OK\r\n-ERR no\r\n:-12\r\n$3\r\na\r\n\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n"
    "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n*0\r\n$-1\r\n+\r\n:9223372036854775807\r\n";
const std::vector<std::string> kReplies = {
    "+OK", "-ERR no", "-12", "\"a\r\n\"", "\"\"", "nil", "nil", "[]", "[1 [\"x\" []] nil]", "+", "9223372036854775807"};

TEST(Resp, ReadsEveryKindOfReply) {
  ReplyReader reader;
  reader.feed(kStream);
  EXPECT_EQ(read_all(reader), kReplies);
  EXPECT_TRUE(reader.is_empty());
}

TEST(Resp, ReadsTheSameWhereverTheBytesAreSplit) {
  for (size_t split = 0; split <= kStream.size(); ++split) {
    ReplyReader reader;
    reader.feed(kStream.substr(0, split));
    std::vector<std::string> all = read_all(reader);
    reader.feed(kStream.substr(split));
    for (std::string& more : read_all(reader)) all.push_back(std::move(more));
    ASSERT_EQ(all, kReplies) << "split at " << split;
  }
  ReplyReader reader;
  std::vector<std::string> all;
  for (const char byte : kStream) {
    reader.feed({&byte, 1});
    for (std::string& more : read_all(reader)) all.push_back(std::move(more));
  }
  EXPECT_EQ(all, kReplies);
}

TEST(Resp, KnowsWhetherAReplyHasBegun) {
  for (const std::string_view begun : {"+", "*1\r\n", "$3\r\n", ":1\r\n:"}) {
    ReplyReader reader;
    reader.feed(begun);
    (void)read_all(reader);
    EXPECT_FALSE(reader.is_empty()) << begun;
  }
}

TEST(Resp, RefusesWhatIsNoReplyAndSaysWhere) {
  const std::pair<std::string_view, std::string_view> wrong[] = {
      {"HTTP/1.1 400 Bad Request\r\n", "byte 0: no reply begins like this"},
      {"+OK\r\n_\r\n", "byte 5: no reply begins like this"},
      {"\r\n", "byte 0: an empty line"},
      {"+OK\n", "does not end in CR LF"},
      {"+O\rK\r\n", "a CR inside a line"},
      {":\r\n", "not a number of 64 bits"},
      {":1 \r\n", "not a number of 64 bits"},
      {":+1\r\n", "not a number of 64 bits"},
      {":9223372036854775808\r\n", "not a number of 64 bits"},
      {"$-2\r\n", "not the length of a string"},
      {"$x\r\n", "not the length of a string"},
      {"*-2\r\n", "not the length of an array"},
      {"*\r\n", "not the length of an array"},
      {"$1\r\nab\r\n", "does not end in CR LF where its length says"},
  };
  for (const auto& [bytes, why] : wrong) EXPECT_THAT(failure(bytes), HasSubstr(why)) << bytes;
}

TEST(Resp, StaysWrongAfterAnError) {
  ReplyReader reader;
  reader.feed("?\r\n");
  EXPECT_FALSE(reader.next().ok());
  reader.feed("+OK\r\n");
  EXPECT_FALSE(reader.next().ok());
}

TEST(Resp, HoldsToItsLimits) {
  ReplyLimits limits;
  limits.depth_max = 2;
  limits.items_max = 4;
  limits.bulk_bytes_max = 10;
  limits.reply_bytes_max = 40;
  EXPECT_EQ(failure("*1\r\n*1\r\n:1\r\n", limits), "[[1]]");
  EXPECT_THAT(failure("*1\r\n*1\r\n*1\r\n", limits), HasSubstr("arrays in arrays, more than 2"));
  EXPECT_THAT(failure("*5\r\n", limits), HasSubstr("more than 4 items"));
  EXPECT_THAT(failure("*2\r\n*3\r\n", limits), HasSubstr("more than 4 items"));
  EXPECT_THAT(failure("$11\r\n", limits), HasSubstr("a string of more than 10 bytes"));
  EXPECT_THAT(failure("*4\r\n$10\r\n0123456789\r\n$10\r\n0123456789\r\n$10\r\n0123456789\r\n$10\r\n", limits),
              HasSubstr("a reply of more than 40 bytes"));
  EXPECT_THAT(failure("+" + std::string(50, 'x') + "\r\n", limits), HasSubstr("a reply of more than 40 bytes"));
  EXPECT_THAT(failure("+" + std::string(ReplyReader::kLineBytesMax, 'x')), HasSubstr("a line of more than"));
  // The limits are for each reply, not for the stream.
  EXPECT_EQ(failure("*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n*4\r\n:1\r\n:1\r\n:1\r\n:2\r\n", limits), "[1 1 1 2]");
}

TEST(Resp, BelievesNoLengthBeforeTheBytesAreThere) {
  ReplyLimits limits;
  limits.items_max = limits.bulk_bytes_max = limits.reply_bytes_max = size_t{1} << 60;  // no machine has that
  ReplyReader reader(limits);
  reader.feed("*1000000000000000000\r\n$1000000000000000000\r\nx");
  const auto reply = reader.next();
  ASSERT_TRUE(reply.ok()) << reply.error().detail;
  EXPECT_FALSE(reply->has_value());
}

// Ten times as much is to cost about ten times as many steps; a reader that begins anew at every feed needs hours.
TEST(Resp, ReadsALargeArrayInSmallPieces) {
  constexpr size_t kItems = 1'000'000;
  std::string bytes = "*" + std::to_string(kItems) + "\r\n";
  for (size_t i = 0; i < kItems; ++i) bytes += "$1\r\nx\r\n";
  ReplyReader reader;
  std::optional<Reply> whole;
  for (size_t at = 0; at < bytes.size(); at += 100) {
    reader.feed(std::string_view(bytes).substr(at, 100));
    auto reply = reader.next();
    ASSERT_TRUE(reply.ok());
    if (*reply) whole = std::move(**reply);
  }
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->items.size(), kItems);
}

TEST(Resp, WritesCommandsThatHoldAnyBytes) {
  Commands commands;
  commands.add({"SET", "k", std::string_view("\r\n\0", 3)}).add({"PING"});
  EXPECT_EQ(commands.count(), 2u);
  EXPECT_EQ(commands.bytes(),
            std::string_view("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\r\n\0\r\n*1\r\n$4\r\nPING\r\n", 43));
  commands.clear();
  EXPECT_EQ(commands.count(), 0u);
  EXPECT_TRUE(commands.bytes().empty());
}

}  // namespace
}  // namespace millstream::redis
