#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "load/response_reader.h"
#include "load/sse_scanner.h"

namespace millstream::load {
namespace {

struct Seen {
  std::string blocks;  // "id|event|data;" for each
  bool failed = false;
  bool done = false;
};

// Reads `wire` in parts of the given sizes (the last one takes the rest).
Seen read_in_parts(std::string_view wire, const std::vector<size_t>& cuts) {
  Seen seen;
  ResponseReader reader;
  SseScanner scanner;
  const auto on_block = [&](const SseBlock& block) {
    seen.blocks.append(block.id).append("|").append(block.event).append("|").append(block.data).append(";");
  };
  size_t from = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t to = i < cuts.size() ? cuts[i] : wire.size();
    reader.feed(wire.substr(from, to - from), [&](std::string_view part) { scanner.feed(part, on_block); });
    from = to;
  }
  seen.failed = reader.failed();
  seen.done = reader.done();
  return seen;
}

constexpr std::string_view kStream =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    "28\r\nid: 1-0\nevent: system\ndata: {\"kind\":1}\n\n\r\n"
    "4\r\n:hb\n\r\n"
    "1d\r\nid: 1-1\r\nevent: t\r\ndata:{}\r\n\r\r\n"
    "15\r\n\nid: 1-2\ndata: {\"a\"}\n\r\n"
    "1\r\n\n\r\n"
    "0\r\n\r\n";
constexpr std::string_view kBlocks = "1-0|system|{\"kind\":1};1-1|t|{};1-2||{\"a\"};";

TEST(Readers, StreamIsReadTheSameHoweverItIsCut) {
  const Seen whole = read_in_parts(kStream, {});
  EXPECT_EQ(whole.blocks, kBlocks);
  EXPECT_TRUE(whole.done);
  for (size_t cut = 0; cut <= kStream.size(); ++cut) {
    EXPECT_EQ(read_in_parts(kStream, {cut}).blocks, kBlocks) << "cut at " << cut;
  }
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<size_t> cuts(1 + random() % 12);
    for (size_t& cut : cuts) cut = random() % kStream.size();
    std::sort(cuts.begin(), cuts.end());
    EXPECT_EQ(read_in_parts(kStream, cuts).blocks, kBlocks) << "seed " << seed << " round " << round;
  }
}

TEST(Readers, WrongChunkSizeOrStatusLineFails) {
  EXPECT_TRUE(read_in_parts("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", {}).failed);
  EXPECT_TRUE(read_in_parts("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", {}).failed);
  EXPECT_TRUE(read_in_parts("SMTP ready\r\n\r\n", {}).failed);
  EXPECT_FALSE(read_in_parts(kStream, {}).failed);
}

TEST(Readers, TwoAnswersInARowAreToldApart) {
  const std::string wire =
      "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:  5\r\n\r\nhelloHTTP/1.1 500 Oh\r\n";
  ResponseReader reader;
  std::string body;
  const auto collect = [&](std::string_view part) { body += part; };
  size_t taken = reader.feed(wire, collect);
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(reader.status(), 204);
  reader.next_response();
  taken += reader.feed(std::string_view(wire).substr(taken), collect);
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(reader.status(), 200);
  EXPECT_EQ(body, "hello");
  EXPECT_EQ(std::string_view(wire).substr(taken), "HTTP/1.1 500 Oh\r\n");
}

}  // namespace
}  // namespace millstream::load
