#include "codec/sse_frame.h"

#include <gtest/gtest.h>

#include <charconv>
#include <random>
#include <vector>

#include "codec/event_json.h"

namespace millstream::codec {
namespace {

model::Event event_with_text(std::string_view text) {
  model::Event event;
  event.id = {1769517296789, 4};
  event.ts_ms = 1769517296789;
  event.topic = *model::Topic::parse("account:1/site:2/device:3");
  event.data = encode_telemetry_data(event.topic.device, {{"s", std::string(text)}}, {});
  return event;
}
std::string_view block_of(const FrameExtent& extent, const std::string& out) {
  return std::string_view(out).substr(extent.block_offset, extent.block_size);
}
// The payload of the chunks in `bytes`; fails the test when they are not well-formed.
std::string unchunked(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    size_t size = 0;
    const auto [end, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), size, 16);
    const auto digits = static_cast<size_t>(end - bytes.data());
    EXPECT_TRUE(error == std::errc() && bytes.substr(digits, 2) == "\r\n" && (bytes[0] != '0' || digits == 1));
    EXPECT_EQ(bytes.substr(digits + 2 + size, 2), "\r\n");
    out += bytes.substr(digits + 2, size);
    bytes.remove_prefix(digits + 4 + size);
  }
  return out;
}

std::vector<SseReader::Message> messages_of(std::string_view stream) {
  std::vector<SseReader::Message> messages;
  SseReader reader([&](const SseReader::Message& message) { messages.push_back(message); });
  reader.feed(stream);
  return messages;
}
using Messages = std::vector<std::string>;
// "event|data|id" for each.
Messages texts(std::string_view stream) {
  Messages out;
  for (const SseReader::Message& m : messages_of(stream)) out.push_back(m.event + "|" + m.data + "|" + m.last_event_id);
  return out;
}
size_t oddities_of(std::string_view stream) {
  SseReader reader([](const SseReader::Message&) {});
  reader.feed(stream);
  return reader.oddities();
}

TEST(SseFrame, AnEventIsOneChunkWithOneBlock) {
  std::string out = "before";
  const FrameExtent extent = append_event_frame(event_with_text("a\nb"), false, out);
  EXPECT_EQ(extent.offset, 6u);
  EXPECT_EQ(extent.offset + extent.size, out.size());
  const std::string block =
      "id: 1769517296789-4\nevent: telemetry\n"
      "data: {\"id\":\"1769517296789-4\",\"ts\":\"2026-01-27T12:34:56.789Z\",\"topic\":\"account:1/site:2/device:3\","
      "\"type\":\"telemetry\",\"data\":{\"deviceId\":\"3\",\"fields\":{\"s\":\"a\\nb\"}}}\n\n";
  EXPECT_EQ(block_of(extent, out), block);
  EXPECT_EQ(out, "beforeca\r\n" + block + "\r\n");
}

TEST(SseFrame, UnnamedEventsHaveNoEventLine) {
  std::string out;
  const FrameExtent extent = append_event_frame(event_with_text("x"), true, out);
  EXPECT_TRUE(block_of(extent, out).starts_with("id: 1769517296789-4\ndata: {"));
}

TEST(SseFrame, ChunkSizesAreRightForEveryLength) {
  for (const size_t text : {0, 1, 50, 83, 84, 85, 86, 1000, 3922, 3923, 3924, 3925, 3926, 3927, 30'000}) {
    std::string out;
    const FrameExtent first = append_event_frame(event_with_text(std::string(text, 'x')), false, out);
    const FrameExtent second = append_comment("hb", out);
    EXPECT_EQ(unchunked(out), std::string(block_of(first, out)) + ":hb\n") << text;
    EXPECT_EQ(second.offset, first.size);
    EXPECT_EQ(block_of(second, out), ":hb\n");
  }
}

TEST(SseFrame, BlocksOfOurOwn) {
  std::string out;
  const FrameExtent extent =
      append_block({.retry_ms = 3000, .id = "5-0", .event = "system", .data = "{\"kind\":\"hello\"}"}, out);
  EXPECT_EQ(block_of(extent, out), "retry: 3000\nid: 5-0\nevent: system\ndata: {\"kind\":\"hello\"}\n\n");
  std::string bare;
  EXPECT_EQ(block_of(append_block({.retry_ms = {}, .id = {}, .event = {}, .data = "{}"}, bare), bare), "data: {}\n\n");
  EXPECT_EQ(bare, "a\r\ndata: {}\n\n\r\n");
}

TEST(SseFrameDeathTest, NoLineEndOrNulPassesIntoABlock) {
  std::string out;
  for (const std::string_view bad : {std::string_view("a\nb"), std::string_view("a\rb"), std::string_view("a\0b", 3)}) {
    EXPECT_DEATH(append_block({.retry_ms = {}, .id = bad, .event = {}, .data = "{}"}, out), "invariant broken");
    EXPECT_DEATH(append_block({.retry_ms = {}, .id = {}, .event = bad, .data = "{}"}, out), "invariant broken");
    EXPECT_DEATH(append_block({.retry_ms = {}, .id = {}, .event = {}, .data = bad}, out), "invariant broken");
    EXPECT_DEATH(append_comment(bad, out), "invariant broken");
  }
  EXPECT_DEATH(append_block({.retry_ms = 1, .id = {}, .event = {}, .data = {}}, out), "invariant broken");
  model::Event event = event_with_text("x");
  event.data = "{\n}";
  EXPECT_DEATH(append_event_frame(event, false, out), "invariant broken");
}

TEST(SseReader, ReadsWhatTheFramesSay) {
  std::string out;
  append_block({.retry_ms = 2500, .id = "1-0", .event = "system", .data = "{\"kind\":\"hello\"}"}, out);
  append_comment("hb", out);
  append_event_frame(event_with_text("Київ\r\n"), false, out);
  append_event_frame(event_with_text("y"), true, out);
  const std::vector<SseReader::Message> got = messages_of(unchunked(out));
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[0].event, "system");
  EXPECT_EQ(got[1].last_event_id, "1769517296789-4");
  EXPECT_EQ(parse_event_json(got[1].data)->data, event_with_text("Київ\r\n").data);
  EXPECT_EQ(got[2].event, "message");
  EXPECT_EQ(oddities_of(unchunked(out)), 0u);
}

TEST(SseReader, ExamplesOfTheStandard) {
  EXPECT_EQ(texts("data: YHOO\ndata: +2\ndata: 10\n\n"), (Messages{"message|YHOO\n+2\n10|"}));
  EXPECT_EQ(texts(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"),
            (Messages{"message|first event|1", "message|second event|", "message| third event|"}));
  EXPECT_EQ(texts("data\n\ndata\ndata\n\ndata:"), (Messages{"message||", "message|\n|"}));
  EXPECT_EQ(texts("data:test\n\ndata: test\n\n"), (Messages{"message|test|", "message|test|"}));
}

TEST(SseReader, LineEndsOfEveryKind) {
  EXPECT_EQ(texts("data: a\r\ndata: b\rdata: c\n\r\n"), (Messages{"message|a\nb\nc|"}));
  EXPECT_EQ(texts("data: a\r\rdata: b\r\r"), (Messages{"message|a|", "message|b|"}));
}

TEST(SseReader, FieldsHaveTheirRules) {
  EXPECT_EQ(texts("event: x\ndata: 1\n\ndata: 2\n\n"), (Messages{"x|1|", "message|2|"}));
  EXPECT_EQ(texts("event: x\n\ndata: 2\n\n"), (Messages{"message|2|"}));
  EXPECT_EQ(texts("id: 7\ndata: 1\n\ndata: 2\n\nid:\ndata: 3\n\n"),
            (Messages{"message|1|7", "message|2|7", "message|3|"}));
  EXPECT_EQ(texts(std::string_view("id: a\0b\ndata: 1\n\n", 17)), (Messages{"message|1|"}));
  EXPECT_EQ(texts("Data: 1\n data: 2\ndata : 3\ndata: 4\n\n"), (Messages{"message|4|"}));
  EXPECT_EQ(texts("data: no end\n"), Messages{});
}

TEST(SseReader, AnIdCountsWhenItsBlockIsWholeEvenWithoutData) {
  SseReader reader([](const SseReader::Message&) {});
  reader.feed("id: 7\ndata: 1\n\nid: 8\ndata: half");
  EXPECT_EQ(reader.last_event_id(), "7");
  reader.reset();
  EXPECT_EQ(reader.last_event_id(), "7");
  reader.feed("id: 9\n\n");
  EXPECT_EQ(reader.last_event_id(), "9");
}

TEST(SseReader, ResetForgetsTheHalfReadBlock) {
  std::vector<std::string> got;
  SseReader reader([&](const SseReader::Message& m) { got.push_back(m.event + "|" + m.data + "|" + m.last_event_id); });
  reader.feed("id: 7\ndata: 1\n\nevent: lost\nid: 8\ndata: lost\ndat");
  reader.reset();
  reader.feed(
      "\xEF\xBB\xBF"
      "data: 2\n\n");
  EXPECT_EQ(got, (Messages{"message|1|7", "message|2|7"}));
  EXPECT_EQ(reader.oddities(), 1u);
}

TEST(SseReader, RetryIsDigitsOnly) {
  SseReader reader([](const SseReader::Message&) {});
  reader.feed("retry: 3000\n");
  EXPECT_EQ(reader.retry_ms(), 3000);
  reader.feed("retry: 3000ms\nretry: -1\nretry:\nretry: 99999999999999999999\n");
  EXPECT_EQ(reader.retry_ms(), 3000);
  EXPECT_EQ(reader.oddities(), 4u);
}

TEST(SseReader, OdditiesAreCounted) {
  EXPECT_EQ(oddities_of(":hb\nid: 1\nevent: x\ndata: {}\n\n:hb\n"), 0u);
  EXPECT_EQ(oddities_of("\xEF\xBB\xBF"
                        "data: x\n\n"),
            1u);
  EXPECT_EQ(oddities_of("foo: x\ndata: x\n\n"), 1u);
  EXPECT_EQ(oddities_of("id: 5\n\n"), 1u);
  EXPECT_EQ(oddities_of(":hb\n\n"), 1u);
  EXPECT_EQ(oddities_of(std::string_view("id: \0\ndata: x\n\n", 15)), 1u);
}

TEST(SseReader, TheSameMessagesHoweverTheStreamIsCut) {
  const std::string stream =
      "\xEF\xBB\xBF"
      "retry: 5\r\n:c\rid: 1\r\nevent: a\ndata: Київ\rdata: x\r\n\r\ndata: 2\r\rid\ndata\n\n\ndata: 3\n\r\nevent: e\n\n"
      "data: 4\n\ndata: half";
  const Messages whole = texts(stream);
  ASSERT_EQ(whole.size(), 5u);
  const size_t odd = oddities_of(stream);
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    Messages got;
    SseReader reader(
        [&](const SseReader::Message& m) { got.push_back(m.event + "|" + m.data + "|" + m.last_event_id); });
    reader.feed(std::string_view(stream).substr(0, cut));
    reader.feed(std::string_view(stream).substr(cut));
    ASSERT_EQ(got, whole) << "cut at " << cut;
    ASSERT_EQ(reader.oddities(), odd) << "cut at " << cut;
  }
  Messages bytewise;
  SseReader reader(
      [&](const SseReader::Message& m) { bytewise.push_back(m.event + "|" + m.data + "|" + m.last_event_id); });
  for (const char c : stream) reader.feed({&c, 1});
  EXPECT_EQ(bytewise, whole);
}

}  // namespace
}  // namespace millstream::codec
