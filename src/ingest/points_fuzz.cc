// Any bytes as a body of points, in every format: never a crash; no point is counted twice or lost; and every event
// made of it is one that viewers can read: valid JSON, one frame, the values finite.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <variant>

#include "base/check.h"
#include "codec/collectd_json.h"
#include "codec/event_json.h"
#include "codec/line_protocol.h"
#include "codec/sse_frame.h"
#include "codec/telemetry_json.h"
#include "ingest/inflate.h"
#include "ingest/validator.h"

namespace {

using namespace millstream;

constexpr int64_t kNowMs = 1'769'517'296'789;
constexpr size_t kInflatedBytesMax = 64 << 10;

Result<codec::ParsedPoints> parse(uint8_t format, std::string_view body) {
  if (format & 0x80) {
    Result<std::string> inflated = ingest::inflate_gzip(body, kInflatedBytesMax);
    if (!inflated) return inflated.error();
    MS_CHECK(inflated->size() <= kInflatedBytesMax);
    return parse(format & 0x7f, *inflated);
  }
  switch (format % 12) {
    case 0: return codec::parse_telemetry_json(body, "");
    case 1: return codec::parse_telemetry_json(body, "named");
    case 9: return codec::parse_telemetry_ndjson(body, "");
    case 10: return codec::parse_telemetry_ndjson(body, "named");
    case 11: return codec::parse_collectd_json(body);
    default: return codec::parse_line_protocol(body, static_cast<codec::Precision>(format % 12 - 2));
  }
}

// JSON has one kind of number: a whole double is read back as an integer.
bool same_values(const model::Fields& a, const model::Fields& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const model::Field& x, const model::Field& y) {
    std::string x_text, y_text;
    codec::append_field_value(x.value, x_text);
    codec::append_field_value(y.value, y_text);
    return x.name == y.name && x_text == y_text;
  });
}

void check_event(model::Event event) {
  event.id = {kNowMs, 1};
  for (const auto& field : event.fields) {
    const auto* number = std::get_if<double>(&field.value);
    MS_CHECK(!number || std::isfinite(*number));
  }
  std::string json;
  codec::append_event_json(event, json);
  const Result<model::Event> read = codec::parse_event_json(json);
  MS_CHECK(read.ok() && read->topic == event.topic && same_values(read->fields, event.fields));

  std::string frame;
  const codec::FrameExtent extent = codec::append_event_frame(event, false, frame);
  int messages = 0;
  codec::SseReader reader([&](const codec::SseReader::Message& message) {
    ++messages;
    MS_CHECK(message.last_event_id == event.id.text() && message.data == json);
  });
  reader.feed(std::string_view(frame).substr(extent.block_offset, extent.block_size));
  MS_CHECK(messages == 1 && reader.oddities() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  static metrics::Registry metrics;
  static const ingest::Validator validator({}, metrics);
  static const model::AccountId account = *model::AccountId::parse("a");
  Result<codec::ParsedPoints> parsed = parse(bytes[0], {reinterpret_cast<const char*>(bytes) + 1, size - 1});
  if (!parsed) return 0;
  const size_t points = parsed->points.size();
  ingest::Validated validated = validator.validate(
      std::move(*parsed), account, [](const model::Topic&) { return Status(); }, kNowMs);
  MS_CHECK(validated.points_accepted <= points);
  MS_CHECK(validated.events.size() <= validated.points_accepted);
  for (model::Event& event : validated.events) check_event(std::move(event));
  return 0;
}
