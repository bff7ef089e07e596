#include "codec/bridge_event.h"

#include "base/limits.h"
#include "codec/event_json.h"
#include "codec/json_input.h"
#include "codec/object_text.h"

namespace millstream::codec {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

Error invalid(std::string reason) { return {Code::invalid, std::move(reason)}; }

std::optional<element> member(object from, std::string_view name) {
  element found;
  if (from.at_key(name).get(found) || found.is_null()) return std::nullopt;
  return found;
}

// A text, or a number as text: ids of databases are numbers.
std::string text_or(object from, std::string_view name, std::string otherwise) {
  const std::optional<element> found = member(from, name);
  if (!found || found->is_object() || found->is_array()) return otherwise;
  std::string_view text;
  if (!found->get(text)) return std::string(text);
  std::string number;
  append_json_element(*found, number);
  return number;
}

// What was said, before it is known what it means. Copies: a tree lives until the next one is made.
struct Envelope {
  std::string id;
  std::optional<int64_t> ts_ms;
  model::Topic topic;
  model::EventType type = model::EventType::system;
  object data;
  element data_element;  // the same
};

Result<Envelope> read_envelope(object members) {
  Envelope envelope;
  Result<model::Topic> topic = model::Topic::parse(text_or(members, "topic", ""));
  if (!topic) return invalid("topic: " + topic.error().detail);
  envelope.topic = std::move(*topic);
  const std::optional<model::EventType> type = model::parse_event_type(text_or(members, "type", ""));
  if (!type) return invalid("type: telemetry, alert, device_status or system");
  envelope.type = *type;
  const std::optional<element> data = member(members, "data");
  if (!data || data->get(envelope.data)) return invalid("data: not an object");
  envelope.data_element = *data;
  if (*type != model::EventType::system && !envelope.topic.is_device()) return invalid("topic: names no device");
  envelope.id = text_or(members, "id", "");
  if (envelope.id.size() > kPublisherIdBytesMax) envelope.id.clear();
  if (const std::optional<element> ts = member(members, "ts")) {
    if (const Result<int64_t> ts_ms = read_time(*ts)) envelope.ts_ms = *ts_ms;
  }
  return envelope;
}

Result<ParsedPoints> read_points(const Envelope& envelope) {
  std::string text;
  append_json_element(envelope.data_element, text);
  Result<ParsedPoints> parsed = parse_telemetry_json(text, envelope.topic.device.text());
  if (!parsed) return invalid("data: " + parsed.error().detail);
  if (parsed->rejected_count > 0) return invalid("data." + parsed->rejected.front().reason);
  for (model::Point& point : parsed->points) {
    if (point.device != envelope.topic.device.text()) return invalid("data.deviceId: not the topic's device");
    if (!point.site.empty() && point.site != envelope.topic.site.text()) return invalid("data.siteId: not the topic's");
    point.site = envelope.topic.site.text();
    if (!point.ts_ms) point.ts_ms = envelope.ts_ms;
  }
  return parsed;
}

Result<model::PresenceReport> read_report(const Envelope& envelope) {
  const std::string status = text_or(envelope.data, "status", "");
  const bool online = status == "online" || status == "heartbeat";
  if (!online && status != "offline") return invalid("data.status: online, offline or heartbeat");
  return model::PresenceReport{.device = envelope.topic.device,
                               .status = online ? model::Presence::online : model::Presence::offline,
                               .reason = "reported"};
}

std::string with_source(std::string id, std::string_view source) {
  return model::is_published_alert(id) ? id : std::string(source) + ":" + id;
}

// The first number of `fields` is what the alert is about, where nothing else says so.
void write_cause(object data, ObjectText& out) {
  std::string name;
  double value = 0;
  object fields;
  if (const auto found = member(data, "fields"); found && !found->get(fields)) {
    for (const auto [key, each] : fields) {
      if (each.get(value)) continue;
      name = key;
      break;
    }
  }
  if (!member(data, "field")) out.text("field", name);
  if (!member(data, "value")) out.number("value", value);
  if (!member(data, "threshold")) out.number("threshold", 0);
}

std::string whole_alert(const Envelope& envelope, std::string_view source, int64_t now_ms) {
  const object data = envelope.data;
  const int64_t at_ms = envelope.ts_ms.value_or(now_ms);
  const std::string rule = text_or(data, "ruleId", "alert");
  const std::string device = envelope.topic.device.text();
  std::string text;
  {
    ObjectText out(text);
    out.text("alertId",
             with_source(text_or(data, "alertId", rule + "." + envelope.topic.site.text() + "." + device), source));
    out.text("ruleId", with_source(rule, source));
    out.text("ruleName", text_or(data, "ruleName", rule));
    out.text("deviceId", text_or(data, "deviceId", device));
    out.text("message", text_or(data, "message", ""));
    if (!member(data, "state")) out.text("state", alert_state_name(model::AlertState::firing));
    if (!member(data, "severity")) out.text("severity", severity_name(model::Severity::warning));
    if (!member(data, "startedAt")) out.time("startedAt", at_ms);
    const bool resolved = text_or(data, "state", "") == alert_state_name(model::AlertState::resolved);
    if (resolved && !member(data, "endedAt")) out.time("endedAt", at_ms);
    write_cause(data, out);
    for (const char* name : {"state", "severity", "startedAt", "endedAt", "field", "value", "threshold"}) {
      if (const auto given = member(data, name)) append_json_element(*given, out.key(name));
    }
  }
  return text;
}

std::string whole_notice(const Envelope& envelope) {
  std::string text;
  append_json_element(envelope.data_element, text);
  if (!member(envelope.data, "kind"))
    text.insert(1, envelope.data.size() == 0 ? "\"kind\":\"notice\"" : "\"kind\":\"notice\",");
  return text;
}

// By the same rules as what is published over HTTP.
Result<PublishedEvent> read_published(const Envelope& envelope, std::string_view source, int64_t now_ms) {
  std::string body;
  {
    ObjectText out(body);
    out.text("topic", envelope.topic.text());
    out.text("type", event_type_name(envelope.type));
    if (envelope.ts_ms) out.time("ts", *envelope.ts_ms);
    out.key("data") +=
        envelope.type == model::EventType::alert ? whole_alert(envelope, source, now_ms) : whole_notice(envelope);
  }
  return parse_published_event(body);
}

template <class T>
Result<BridgeEvent> with(BridgeEvent event, Result<T> said) {
  if (!said) return said.error();
  event.said = std::move(*said);
  return event;
}

}  // namespace

Result<BridgeEvent> parse_bridge_event(std::string_view json, std::string_view source, int64_t now_ms) {
  const Result<element> root = parse_json(json);
  if (!root) return root.error();
  object members;
  if (root->get(members)) return invalid("not an object");
  const Result<Envelope> envelope = read_envelope(members);
  if (!envelope) return envelope.error();
  BridgeEvent event{envelope->id, envelope->topic, ParsedPoints()};
  if (envelope->type == model::EventType::telemetry) return with(std::move(event), read_points(*envelope));
  if (envelope->type == model::EventType::device_status) return with(std::move(event), read_report(*envelope));
  return with(std::move(event), read_published(*envelope, source, now_ms));
}

void append_publisher_id(std::string_view publisher_id, std::string& data) {
  if (publisher_id.empty()) return;
  std::string member = ",\"publisherId\":";
  append_json_string(publisher_id, member);
  if (data.size() + member.size() <= kEventBytesMax) data.insert(data.size() - 1, member);
}

}  // namespace millstream::codec
