#include "app/event_text.h"

#include <simdjson.h>

#include <cctype>

#include "base/time_text.h"
#include "codec/event_json.h"
#include "model/event.h"

namespace millstream::app {
namespace {

bool is_control(std::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x20 || byte == 0x7f) return true;
  // U+0080 to U+009F, which some terminals obey like escape sequences: C2 80 to C2 9F in UTF-8.
  const auto before = at > 0 ? static_cast<unsigned char>(text[at - 1]) : 0;
  return before == 0xc2 && byte >= 0x80 && byte <= 0x9f;
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
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) out += is_control(text, i) ? ' ' : text[i];
  return out;
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
