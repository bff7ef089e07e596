// The samples in contract/ are what this code writes, byte for byte; the web client's tests read the same files.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <vector>

#include "codec/event_json.h"
#include "codec/sse_frame.h"

namespace millstream::codec {
namespace {

using model::Event;
using model::EventType;

Event sample(uint32_t seq, std::string_view topic, EventType type, std::string data) {
  Event event;
  event.id = {1769517296789, seq};
  event.ts_ms = 1769517296789;
  event.topic = *model::Topic::parse(topic);
  event.type = type;
  event.data = std::move(data);
  return event;
}

constexpr std::string_view kDevice = "account:123/site:1/device:elink-99";

model::Alert sample_alert() {
  model::Alert alert;
  alert.alert_id = "a-1769517296789-5";
  alert.rule_id = "ovt";
  alert.rule_name = "Over temperature";
  alert.device = *model::DeviceId::parse("elink-99");
  alert.message = "elink-99 T1=71.5 > 70";
  alert.field = "T1";
  alert.value = 71.5;
  alert.threshold = 70;
  alert.started_at_ms = 1769517296789;
  return alert;
}

Event telemetry() {
  const model::DeviceId device = *model::DeviceId::parse("elink-99");
  return sample(4, kDevice, EventType::telemetry,
                encode_telemetry_data(device, {{"T1", 247.0}, {"OPM", int64_t{3}}}, {}));
}
Event telemetry_all_kinds() {
  const model::DeviceId device = *model::DeviceId::parse("elink-99");
  const model::Fields fields = {{"double", 23.45},
                                {"small", 1.5e-7},
                                {"whole", int64_t{-40}},
                                {"largest", INT64_MAX},
                                {"on", true},
                                {"off", false},
                                {"text", "line one\r\nline \"two\"\t\\ \x01"},
                                {"empty", ""},
                                {"Температура °C", 21.0},
                                {"cpu.usage_user", 0.64}};
  return sample(5, kDevice, EventType::telemetry,
                encode_telemetry_data(device, fields, {{"model", "elink 2"}, {"місто", "Київ 😀"}}));
}
Event alert_firing() { return sample(6, kDevice, EventType::alert, encode_alert_data(sample_alert())); }
Event alert_resolved() {
  model::Alert alert = sample_alert();
  alert.state = model::AlertState::resolved;
  alert.severity = model::Severity::critical;
  alert.value = 64;
  alert.message = "elink-99 T1=64 > 70";
  alert.ended_at_ms = 1769517356789;
  return sample(7, kDevice, EventType::alert, encode_alert_data(alert));
}
Event device_status() {
  const model::DeviceStatus status{*model::DeviceId::parse("elink-99"), model::Presence::offline, "timeout",
                                   1769516696789};
  return sample(8, kDevice, EventType::device_status, encode_device_status_data(status));
}
Event maintenance() {
  return sample(1048575, "account:123", EventType::system, R"({"kind":"maintenance","message":"Back at 14:00"})");
}

std::map<std::string, Event> all_events() {
  return {{"telemetry", telemetry()},         {"telemetry_all_kinds", telemetry_all_kinds()},
          {"alert_firing", alert_firing()},   {"alert_resolved", alert_resolved()},
          {"device_status", device_status()}, {"system_maintenance", maintenance()}};
}

std::string frame(const Event& event, bool unnamed) {
  std::string out;
  const FrameExtent extent = append_event_frame(event, unnamed, out);
  return out.substr(extent.block_offset, extent.block_size);
}
std::string block(const Block& content) {
  std::string out;
  const FrameExtent extent = append_block(content, out);
  return out.substr(extent.block_offset, extent.block_size);
}
std::string comment(std::string_view text) {
  std::string out;
  const FrameExtent extent = append_comment(text, out);
  return out.substr(extent.block_offset, extent.block_size);
}

std::string hello() {
  return block(
      {.retry_ms = 3127,
       .id = "1769517296789-4",
       .event = "system",
       .data =
           R"({"ts":"2026-01-27T12:34:56.789Z","type":"system","data":{"kind":"hello","cursor":"1769517296789-4",)"
           R"("node":"n1","streamId":"2871-17","heartbeatMs":20000,"mode":"all","topics":["account:123/site:*/device:*"],"resumed":false}})"});
}
std::string heartbeat() {
  return block({.retry_ms = {},
                .id = {},
                .event = "system",
                .data = R"({"ts":"2026-01-27T12:34:56.789Z","type":"system","data":{"kind":"heartbeat",)"
                        R"("ts":"2026-01-27T12:34:56.789Z","cursor":"1769517296789-8","lag":2}})"});
}
std::string gap() {
  return block({.retry_ms = {},
                .id = {},
                .event = "system",
                .data =
                    R"({"ts":"2026-01-27T12:34:56.789Z","type":"system","data":{"kind":"gap","from":"1769430896789-0",)"
                    R"("to":"1769517296789-4","reason":"trimmed","backfill":"/api/events/backfill?topic=)"
                    R"(account:123/site:*/device:*&since=1769430896789-0&until=1769517296789-4"}})"});
}

// A live stream as a client sees it, without the chunks.
std::string stream() {
  return hello() + comment("hb") + frame(telemetry(), false) + frame(telemetry_all_kinds(), false) +
         frame(alert_firing(), false) + gap() + heartbeat() + comment("hb") + frame(alert_resolved(), false) +
         frame(device_status(), false) + frame(maintenance(), false);
}

std::map<std::string, std::string> all_files() {
  std::map<std::string, std::string> files;
  for (const auto& [name, event] : all_events()) {
    std::string& json = files["events/" + name + ".json"];
    append_event_json(event, json);
    json += '\n';
    files["frames/" + name + ".sse"] = frame(event, false);
  }
  files["frames/telemetry_unnamed.sse"] = frame(telemetry(), true);
  files["frames/hello.sse"] = hello();
  files["frames/heartbeat.sse"] = heartbeat();
  files["frames/gap.sse"] = gap();
  files["frames/comment.sse"] = comment("hb");
  files["frames/stream.sse"] = stream();
  return files;
}

std::string read_sample(const std::string& name) {
  std::ifstream in(std::string(MILLSTREAM_CONTRACT_DIR) + "/" + name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// With MILLSTREAM_WRITE_SAMPLES=1 the files are written instead: for a wanted change of the wire contract.
TEST(GoldenSamples, AreWrittenByteForByte) {
  const bool write = std::getenv("MILLSTREAM_WRITE_SAMPLES") != nullptr;
  for (const auto& [name, bytes] : all_files()) {
    if (write) std::ofstream(std::string(MILLSTREAM_CONTRACT_DIR) + "/" + name, std::ios::binary) << bytes;
    EXPECT_EQ(read_sample(name), bytes) << name;
  }
}

TEST(GoldenSamples, EventsReadBack) {
  for (const auto& [name, event] : all_events()) {
    const Result<Event> read = parse_event_json(read_sample("events/" + name + ".json"));
    ASSERT_TRUE(read.ok()) << name << ": " << read.error().detail;
    EXPECT_EQ(read->id, event.id) << name;
    EXPECT_EQ(read->topic, event.topic) << name;
    EXPECT_EQ(read->data, event.data) << name;
  }
  EXPECT_EQ(*decode_alert_data(alert_firing().data), sample_alert());
}

TEST(GoldenSamples, TheStreamReadsAsItsEvents) {
  std::vector<SseReader::Message> messages;
  SseReader reader([&](const SseReader::Message& message) { messages.push_back(message); });
  reader.feed(read_sample("frames/stream.sse"));
  ASSERT_EQ(messages.size(), 9u);
  EXPECT_EQ(reader.oddities(), 0u);
  EXPECT_EQ(reader.retry_ms(), 3127);
  EXPECT_EQ(reader.last_event_id(), "1769517296789-1048575");
  EXPECT_EQ(messages[3].event, "alert");
  EXPECT_EQ(messages[4].last_event_id, alert_firing().id.text());  // a gap has no id of its own
}

}  // namespace
}  // namespace millstream::codec
