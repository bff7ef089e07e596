#include "codec/event_json.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/time_text.h"
#include "codec/json_input.h"
#include "codec/object_text.h"
#include "model/system_kind.h"

namespace millstream::codec {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// Fields of several events can have been merged into one, so more of them than one point may carry.
constexpr size_t kDecodedFieldsMax = 4096;

Error bad_member(std::string_view path, std::string_view key, std::string_view reason) {
  std::string detail(path);
  detail += key;
  detail += ": ";
  detail += reason;
  return {Code::invalid, std::move(detail)};
}

// Reads the members of one object, keeping the first failure: the callers list what they need and ask once at the end.
class Members {
 public:
  // `path` stands before every key in the reasons ("data.").
  Members(object members, std::string_view path) : members_(members), path_(path) {}

  bool has(std::string_view key) const { return members_.at_key(key).error() == simdjson::SUCCESS; }
  bool is_null(std::string_view key) const {
    element found;
    return !members_.at_key(key).get(found) && found.is_null();
  }

  element value(std::string_view key) {
    element found;
    if (members_.at_key(key).get(found)) fail(key, "missing");
    return found;
  }
  std::string_view text(std::string_view key) {
    std::string_view found;
    if (members_[key].get(found)) fail(key, has(key) ? "not a string" : "missing");
    return found;
  }
  double number(std::string_view key) {
    double found = 0;
    if (members_[key].get(found)) fail(key, has(key) ? "not a number" : "missing");
    return found;
  }
  int64_t time(std::string_view key) {
    const std::string_view from = text(key);
    const Result<int64_t> ms = parse_rfc3339(from);
    if (!ms) fail(key, ms.error().detail);
    return ms ? *ms : 0;
  }
  // A text checked by `parse`, which gives a Result.
  template <class Parse>
  auto parsed(std::string_view key, Parse parse) -> std::remove_cvref_t<decltype(*parse(std::string_view()))> {
    auto found = parse(text(key));
    if (found) return std::move(*found);
    fail(key, found.error().detail);
    return {};
  }
  // One of `count` names, as a value of E.
  template <class E>
  E one_of(std::string_view key, size_t count, std::string_view (*name_of)(E)) {
    const std::string_view name = text(key);
    for (size_t i = 0; i < count; ++i) {
      if (name_of(static_cast<E>(i)) == name) return static_cast<E>(i);
    }
    fail(key, "not one of the known names");
    return E{};
  }

  const std::optional<Error>& error() const { return error_; }

 private:
  void fail(std::string_view key, std::string_view reason) {
    if (!error_) error_ = bad_member(path_, key, reason);
  }

  object members_;
  std::string_view path_;
  std::optional<Error> error_;
};

Result<object> parse_object(std::string_view json, std::string_view what) {
  const Result<element> root = parse_json(json);
  if (!root) return Error{root.error().code, std::string(what) + ": " + root.error().detail};
  object found;
  if (root->get(found)) return Error{Code::invalid, std::string(what) + ": not an object"};
  return found;
}

Result<model::Fields> fields_of(object data) {
  element fields;
  if (data.at_key("fields").get(fields)) return Error{Code::invalid, "data.fields: missing"};
  return read_fields(fields, "data.fields", kDecodedFieldsMax);
}

void append_tags(const model::Tags& tags, std::string& out) {
  char before = '{';
  for (const model::Tag& tag : tags) {
    out += std::exchange(before, ',');
    append_json_string(tag.name, out);
    out += ':';
    append_json_string(tag.value, out);
  }
  out += '}';
}

// How long the data mostly are.
size_t telemetry_bytes(const model::Fields& fields, const model::Tags& tags) {
  constexpr size_t frame_bytes = 64, number_bytes = 10;
  size_t bytes = frame_bytes;
  for (const model::Field& field : fields) {
    const auto* text = std::get_if<std::string>(&field.value);
    bytes += field.name.size() + 4 + (text ? text->size() + 2 : number_bytes);
  }
  for (const model::Tag& tag : tags) bytes += tag.name.size() + tag.value.size() + 6;
  return bytes;
}

}  // namespace

void append_event_json(const model::Event& event, std::string& out) {
  MS_DCHECK(!event.data.empty());
  // Ids, topics, times and type names hold nothing that needs escaping.
  out += "{\"id\":\"";
  event.id.append_text(out);
  out += "\",\"ts\":\"";
  append_rfc3339_ms(event.ts_ms, out);
  out += "\",\"topic\":\"";
  event.topic.append_text(out);
  out += "\",\"type\":\"";
  out += event_type_name(event.type);
  out += "\",\"data\":";
  out += event.data;
  out += '}';
}

Result<model::Event> parse_event_json(std::string_view json) {
  const Result<object> root = parse_object(json, "event");
  if (!root) return root.error();
  Members members(*root, "");
  model::Event event;
  event.id = members.parsed("id", [](std::string_view text) -> Result<model::EventId> {
    if (const std::optional<model::EventId> id = model::EventId::parse(text)) return *id;
    return Error{Code::invalid, "not an event id"};
  });
  event.ts_ms = members.time("ts");
  event.topic = members.parsed("topic", &model::Topic::parse);
  event.type = members.one_of("type", model::kEventTypes, &model::event_type_name);
  const element data = members.value("data");
  if (members.error()) return *members.error();
  object data_object;
  if (data.get(data_object)) return Error{Code::invalid, "data: not an object"};
  append_json_element(data, event.data);
  if (event.type == model::EventType::telemetry) {
    Result<model::Fields> fields = fields_of(data_object);
    if (!fields) return fields.error();
    event.fields = std::move(*fields);
  }
  return event;
}

std::string encode_telemetry_data(const model::DeviceId& device, const model::Fields& fields, const model::Tags& tags) {
  std::string out;
  out.reserve(telemetry_bytes(fields, tags));
  out += "{\"deviceId\":";
  append_json_string(device.text(), out);
  out += ",\"fields\":{";
  bool first = true;
  for (const model::Field& field : fields) {
    if (!first) out += ',';
    first = false;
    append_json_string(field.name, out);
    out += ':';
    append_field_value(field.value, out);
  }
  out += '}';
  if (!tags.empty()) {
    out += ",\"tags\":";
    append_tags(tags, out);
  }
  out += '}';
  return out;
}

Result<model::Fields> decode_telemetry_fields(std::string_view data) {
  const Result<object> root = parse_object(data, "data");
  if (!root) return root.error();
  return fields_of(*root);
}

Result<model::Fields> decode_telemetry_fields(std::string_view data, std::span<const std::string> names) {
  const Result<object> root = parse_object(data, "data");
  if (!root) return root.error();
  object members;
  if (root->at_key("fields").get(members)) return Error{Code::invalid, "data.fields: missing"};
  model::Fields fields;
  for (const std::string& name : names) {
    element member;
    if (members.at_key(name).get(member)) continue;
    std::optional<model::FieldValue> value = field_value(member);
    if (!value) return bad_member("data.fields.", name, "not a finite number, boolean or string");
    fields.push_back({name, std::move(*value)});
  }
  return fields;
}

Result<model::Tags> decode_telemetry_tags(std::string_view data) {
  const Result<object> root = parse_object(data, "data");
  if (!root) return root.error();
  element tags;
  if (root->at_key("tags").get(tags)) return model::Tags{};
  return read_tags(tags, "data.tags");
}

std::string encode_alert_data(const model::Alert& alert) {
  std::string out;
  {
    ObjectText object(out);
    object.text("alertId", alert.alert_id);
    object.text("ruleId", alert.rule_id);
    object.text("ruleName", alert.rule_name);
    object.text("deviceId", alert.device.text());
    object.text("state", alert_state_name(alert.state));
    object.text("severity", severity_name(alert.severity));
    object.text("message", alert.message);
    object.text("field", alert.field);
    object.number("value", alert.value);
    object.number("threshold", alert.threshold);
    object.time("startedAt", alert.started_at_ms);
    if (alert.ended_at_ms) object.time("endedAt", *alert.ended_at_ms);
    if (!alert.reason.empty()) object.text("reason", alert.reason);
    if (alert.flapping) object.flag("flapping", true);
    if (alert.ack) {
      ObjectText ack(object.key("ack"));
      ack.text("by", alert.ack->by);
      ack.time("at", alert.ack->at_ms);
      ack.text("note", alert.ack->note);
    }
    object.tags("labels", alert.labels);
  }
  return out;
}

Result<model::Alert> decode_alert_data(std::string_view data) {
  const Result<object> root = parse_object(data, "data");
  if (!root) return root.error();
  Members members(*root, "data.");
  model::Alert alert;
  alert.alert_id = members.text("alertId");
  alert.rule_id = members.text("ruleId");
  alert.rule_name = members.text("ruleName");
  alert.device = members.parsed("deviceId", &model::DeviceId::parse);
  alert.state = members.one_of("state", model::kAlertStates, &model::alert_state_name);
  alert.severity = members.one_of("severity", model::kSeverities, &model::severity_name);
  alert.message = members.text("message");
  alert.field = members.text("field");
  alert.value = members.number("value");
  alert.threshold = members.number("threshold");
  alert.started_at_ms = members.time("startedAt");
  if (members.has("endedAt")) alert.ended_at_ms = members.time("endedAt");
  if (members.has("reason")) alert.reason = members.text("reason");
  alert.flapping = members.has("flapping");
  if (object ack; !root->at_key("ack").get(ack)) {
    Members of_ack(ack, "data.ack.");
    alert.ack = model::AlertAck{std::string(of_ack.text("by")), of_ack.time("at"), std::string(of_ack.text("note"))};
    if (of_ack.error()) return *of_ack.error();
  }
  if (element labels; !root->at_key("labels").get(labels)) {
    Result<model::Tags> tags = read_tags(labels, "data.labels");
    if (!tags) return tags.error();
    alert.labels = std::move(*tags);
  }
  if (members.error()) return *members.error();
  return alert;
}

std::string encode_device_status_data(const model::DeviceStatus& status) {
  std::string out;
  {
    ObjectText object(out);
    object.text("deviceId", status.device.text());
    object.text("status", presence_name(status.status));
    object.text("reason", status.reason);
    if (status.last_seen_ms == 0) {
      object.key("lastSeen") += "null";
    } else {
      object.time("lastSeen", status.last_seen_ms);
    }
    if (status.devices > 0) object.number("devices", static_cast<double>(status.devices));
  }
  return out;
}

Result<model::DeviceStatus> decode_device_status_data(std::string_view data) {
  const Result<object> root = parse_object(data, "data");
  if (!root) return root.error();
  Members members(*root, "data.");
  model::DeviceStatus status;
  status.device = members.parsed("deviceId", &model::DeviceId::parse);
  status.status = members.one_of("status", 4, &model::presence_name);
  status.reason = members.text("reason");
  if (!members.is_null("lastSeen")) status.last_seen_ms = members.time("lastSeen");
  if (members.has("devices")) status.devices = static_cast<size_t>(std::clamp(members.number("devices"), 0.0, 1e9));
  if (members.error()) return *members.error();
  return status;
}

std::string encode_presence_report_data(const model::PresenceReport& report) {
  std::string out;
  {
    ObjectText object(out);
    object.text("kind", model::kPresenceReportKind);
    object.text("deviceId", report.device.text());
    object.text("status", presence_name(report.status));
    object.text("reason", report.reason);
    if (report.retained) object.flag("retained", true);
  }
  return out;
}

Result<std::optional<model::PresenceReport>> decode_presence_report_data(std::string_view data) {
  const Result<object> root = parse_object(data, "data");
  if (!root) return root.error();
  Members members(*root, "data.");
  if (members.text("kind") != model::kPresenceReportKind) return std::optional<model::PresenceReport>();
  model::PresenceReport report;
  report.device = members.parsed("deviceId", &model::DeviceId::parse);
  report.status = members.one_of("status", 4, &model::presence_name);
  report.reason = members.text("reason");
  report.retained = members.has("retained");
  if (members.error()) return *members.error();
  if (report.status != model::Presence::online && report.status != model::Presence::offline) {
    return Error{Code::invalid, "data.status: neither online nor offline"};
  }
  return std::optional(std::move(report));
}

}  // namespace millstream::codec
