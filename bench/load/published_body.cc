#include "load/published_body.h"

#include "load/audiences.h"

namespace millstream::load {
namespace {

std::string point(uint32_t n, uint32_t device) {
  const std::string text = std::to_string(n);
  const std::string tenths = std::to_string(200 + n % 97) + "." + std::to_string(1 + n % 9);
  return R"({"deviceId":")" + device_name(device) + R"(","siteId":"bench","fields":{"n":)" + text + R"(,"T1":)" +
         tenths + R"(,"OPM":3}})";
}

// An event block has no other characters that JSON wants escaped.
std::string json_text(std::string_view block) {
  std::string text = "\"";
  for (const char c : block) {
    if (c == '\n') {
      text += "\\n";
    } else {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
  }
  return text + '"';
}

}  // namespace

std::optional<BodyForm> parse_body_form(std::string_view name) {
  if (name == "ingest") return BodyForm::ingest;
  if (name == "event") return BodyForm::event;
  if (name == "grip") return BodyForm::grip;
  return std::nullopt;
}

std::string PublishedBody::next(uint32_t n, uint32_t device) {
  if (form_ == BodyForm::ingest) return point(n, device);
  const int64_t now_ms = utc_ms();
  const std::string id = ids_.next(now_ms);
  const std::string event = event_json(id, now_ms, point(n, device));
  if (form_ == BodyForm::event) return event;
  const std::string block = "id: " + id + "\nevent: telemetry\ndata: " + event + "\n\n";
  return R"({"items":[{"channel":"bench","formats":{"http-stream":{"content":)" + json_text(block) + "}}}]}";
}

}  // namespace millstream::load
