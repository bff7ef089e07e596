#include "codec/published_event.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/limits.h"
#include "codec/event_json.h"
#include "codec/field_name.h"
#include "codec/json_input.h"
#include "model/system_kind.h"

namespace millstream::codec {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr int kDepthMax = 32;             // of objects and lists in data: every viewer has to read it
constexpr size_t kAlertIdBytesMax = 256;  // of alertId, and of ruleId
constexpr std::array<std::string_view, 12> kAlertMembers{"alertId", "ruleId",    "ruleName",  "deviceId",
                                                         "state",   "severity",  "message",   "field",
                                                         "value",   "threshold", "startedAt", "endedAt"};

Error invalid(std::string reason) { return {Code::invalid, std::move(reason)}; }

struct Envelope {
  std::optional<element> topic;
  std::optional<element> type;
  std::optional<element> ts;
  std::optional<element> data;
};

Result<Envelope> read_envelope(object members) {
  Envelope envelope;
  for (const auto [key, value] : members) {
    std::optional<element>* place = nullptr;
    if (key == "topic") place = &envelope.topic;
    if (key == "type") place = &envelope.type;
    if (key == "ts") place = &envelope.ts;
    if (key == "data") place = &envelope.data;
    if (place == nullptr) {
      return invalid("body: unknown member \"" + shortened(key, kNameBytesMax) + "\"; known are: topic type ts data");
    }
    if (*place) return invalid(std::string(key) + ": given more than once");
    *place = value;
  }
  return envelope;
}

Result<std::string_view> needed_text(const std::optional<element>& from, std::string_view name) {
  if (!from) return invalid(std::string(name) + ": missing");
  std::string_view text;
  if (from->get(text)) return invalid(std::string(name) + ": not a string");
  return text;
}

Result<model::EventType> read_type(const std::optional<element>& from) {
  const Result<std::string_view> text = needed_text(from, "type");
  if (!text) return text.error();
  const std::optional<model::EventType> type = model::parse_event_type(*text);
  if (type == model::EventType::alert || type == model::EventType::system) return *type;
  return invalid("type: alert or system");
}

bool deeper_than(element from, int levels) {
  simdjson::dom::array items;
  object members;
  if (!from.get(items)) {
    return levels == 0 ||
           std::any_of(items.begin(), items.end(), [&](element e) { return deeper_than(e, levels - 1); });
  }
  if (!from.get(members)) {
    if (levels == 0) return true;
    for (const auto [key, value] : members) {
      if (deeper_than(value, levels - 1)) return true;
    }
  }
  return false;
}

// Names once only: of two only one would have been looked at, and some readers would take the other.
Status check_names(object data) {
  std::set<std::string_view> names;
  for (const auto [key, value] : data) {
    if (!names.insert(key).second) return invalid("data." + shortened(key, kNameBytesMax) + ": given more than once");
  }
  return {};
}

Status check_system(object data) {
  std::optional<element> kind;
  if (element found; !data.at_key("kind").get(found)) kind = found;
  const Result<std::string_view> text = needed_text(kind, "data.kind");
  if (!text) return text.error();
  if (!model::is_system_kind(*text)) return invalid("data.kind: 1 to 64 of a-z 0-9 _");
  if (model::is_stream_kind(*text)) return invalid("data.kind: \"" + std::string(*text) + "\" is the stream's own");
  return {};
}

Status check_alert_names(object data) {
  for (const auto [key, value] : data) {
    if (std::find(kAlertMembers.begin(), kAlertMembers.end(), key) == kAlertMembers.end()) {
      return invalid("data: unknown member \"" + shortened(key, kNameBytesMax) + "\" of an alert");
    }
  }
  return {};
}

Status check_alert_id(std::string_view name, std::string_view id) {
  const size_t colon = id.find(':');
  const bool named = colon != std::string_view::npos && colon + 1 < id.size() && model::is_name(id.substr(0, colon));
  if (named && id.size() <= kAlertIdBytesMax && !has_control_character(id)) return {};
  return invalid("data." + std::string(name) + ": must be \"<source>:<id>\", at most " +
                 std::to_string(kAlertIdBytesMax) + " bytes; ids without a colon are the server's own");
}

// `data` as compact JSON, which is what it becomes in our own spelling.
Status take_alert(PublishedEvent& event) {
  const Result<model::Alert> alert = decode_alert_data(event.data);
  if (!alert) return alert.error();
  if (Status ok = check_alert_id("alertId", alert->alert_id); !ok) return ok;
  if (Status ok = check_alert_id("ruleId", alert->rule_id); !ok) return ok;
  if (!event.topic.is_device() || alert->device != event.topic.device) {
    return invalid("data.deviceId: not the topic's device");
  }
  event.opens_alert = alert->state != model::AlertState::resolved;
  event.alert_id = alert->alert_id;
  event.data = encode_alert_data(*alert);
  return {};
}

}  // namespace

Result<PublishedEvent> parse_published_event(std::string_view body) {
  const Result<element> root = parse_json(body);
  if (!root) return Error{root.error().code, "body: " + root.error().detail};
  object members;
  if (root->get(members)) return invalid("body: not an object");
  const Result<Envelope> envelope = read_envelope(members);
  if (!envelope) return envelope.error();

  PublishedEvent event;
  const Result<std::string_view> topic_text = needed_text(envelope->topic, "topic");
  if (!topic_text) return topic_text.error();
  Result<model::Topic> topic = model::Topic::parse(*topic_text);
  if (!topic) return invalid("topic: " + topic.error().detail);
  event.topic = std::move(*topic);
  const Result<model::EventType> type = read_type(envelope->type);
  if (!type) return type.error();
  event.type = *type;
  if (envelope->ts && !envelope->ts->is_null()) {
    const Result<int64_t> ts_ms = read_time(*envelope->ts);
    if (!ts_ms) return ts_ms.error();
    event.ts_ms = *ts_ms;
  }
  object data;
  if (!envelope->data) return invalid("data: missing");
  if (envelope->data->get(data)) return invalid("data: not an object");
  if (Status ok = check_names(data); !ok) return ok.error();
  const bool is_alert = event.type == model::EventType::alert;
  if (Status ok = is_alert ? check_alert_names(data) : check_system(data); !ok) return ok.error();
  if (deeper_than(*envelope->data, kDepthMax)) {
    return invalid("data: more than " + std::to_string(kDepthMax) + " levels deep");
  }
  append_json_element(*envelope->data, event.data);
  // The tree is gone when an alert has been read out of this.
  if (is_alert) {
    if (Status ok = take_alert(event); !ok) return ok.error();
  }
  if (event.data.size() > kEventBytesMax) {
    return Error{Code::too_large, "data: " + std::to_string(event.data.size()) +
                                      " bytes as compact JSON; the maximum is " + std::to_string(kEventBytesMax)};
  }
  return event;
}

}  // namespace millstream::codec
