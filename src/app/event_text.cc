#include "app/event_text.h"

#include <simdjson.h>

#include <cctype>
#include <cstdio>

#include "base/time_text.h"
#include "codec/event_json.h"
#include "model/event.h"

namespace millstream::app {
namespace {

// Bytes of the control character at `at`; 0: there is none.
size_t control_bytes(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  if (byte(at) < 0x20 || byte(at) == 0x7f) return 1;
  // U+0080 to U+009F, which some terminals obey like escape sequences: C2 80 to C2 9F in UTF-8.
  return byte(at) == 0xc2 && byte(at + 1) >= 0x80 && byte(at + 1) <= 0x9f ? 2 : 0;
}

// `text` with each control character, given as its bytes, replaced.
template <class Replacement>
std::string without_controls(std::string_view text, Replacement&& replacement) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    if (const size_t bytes = control_bytes(text, i); bytes > 0) {
      out += replacement(text.substr(i, bytes));
      i += bytes;
    } else {
      out += text[i++];
    }
  }
  return out;
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string place_text(const model::Topic& topic) {
  if (topic.site.empty()) return "(account " + topic.account.text() + ")";
  return topic.device.empty() ? topic.site.text() : topic.site.text() + "/" + topic.device.text();
}

std::string fields_text(const model::Fields& fields) {
  std::string text;
  for (const model::Field& field : fields) {
    text += (text.empty() ? "" : " ") + field.name + "=";
    codec::append_field_value(field.value, text);
  }
  return text;
}

std::string alert_text(const model::Alert& alert) {
  std::string state(model::alert_state_name(alert.state));
  for (char& c : state) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return state + " " + std::string(model::severity_name(alert.severity)) + " " + alert.rule_name + ": " + alert.message;
}

std::string data_text(const model::Event& event) {
  if (event.type == model::EventType::telemetry) return fields_text(event.fields);
  if (event.type == model::EventType::alert) {
    if (const Result<model::Alert> alert = codec::decode_alert_data(event.data)) return alert_text(*alert);
  }
  if (event.type == model::EventType::device_status) {
    const Result<model::DeviceStatus> status = codec::decode_device_status_data(event.data);
    if (status) return std::string(model::presence_name(status->status)) + " (" + status->reason + ")";
  }
  return event.data;
}

}  // namespace

std::string printable(std::string_view text) {
  return without_controls(text, [](std::string_view) { return " "; });
}

std::string printable_json(std::string_view json) {
  return without_controls(json, [](std::string_view control) -> std::string {
    const auto code = static_cast<unsigned char>(control.back());  // in UTF-8 the last byte of U+0080 to U+009F too
    if (code < 0x20) return " ";                                   // between values: inside of them they are escaped
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\u%04x", code);
    return escape;
  });
}

std::string json_member_text(std::string_view json, std::string_view key) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::string_view text;
  // The string_view overload would read past the end of what it is given.
  if (parser.parse(simdjson::padded_string(json)).get(root) != simdjson::SUCCESS) return "";
  if (root.at_key(key).get(text) != simdjson::SUCCESS) return "";
  return std::string(text);
}

std::string pretty_line(const codec::SseReader::Message& message) {
  const Result<model::Event> event = codec::parse_event_json(message.data);
  if (!event) return printable(padded(message.event, 10) + " " + message.data);
  constexpr size_t kTimeAt = sizeof("2026-01-27T") - 1;
  constexpr size_t kTimeBytes = sizeof("12:34:56.789") - 1;
  return printable(rfc3339_ms(event->ts_ms).substr(kTimeAt, kTimeBytes) + " " +
                   padded(std::string(model::event_type_name(event->type)), 13) + " " +
                   padded(place_text(event->topic), 28) + " " + data_text(*event));
}

}  // namespace millstream::app
