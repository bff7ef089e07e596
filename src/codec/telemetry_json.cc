#include "codec/telemetry_json.h"

#include <algorithm>

#include "base/limits.h"
#include "codec/json_input.h"

namespace millstream::codec {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

Error reject(std::string reason) { return {Code::invalid, std::move(reason)}; }

// The members of an element that are not readings. A repeated name: the last one counts; null: not given.
struct Envelope {
  std::optional<element> device;
  std::optional<element> site;
  std::optional<element> ts;
  std::optional<element> tags;
  std::optional<element> fields;
  std::optional<element> values;
};

Envelope read_envelope(object members) {
  Envelope envelope;
  for (const auto [key, value] : members) {
    std::optional<element>* place = nullptr;
    if (key == "deviceId") place = &envelope.device;
    if (key == "siteId") place = &envelope.site;
    if (key == "ts") place = &envelope.ts;
    if (key == "tags") place = &envelope.tags;
    if (key == "fields") place = &envelope.fields;
    if (key == "values") place = &envelope.values;
    if (place == nullptr) continue;
    *place = value.is_null() ? std::nullopt : std::optional<element>(value);
  }
  return envelope;
}

Status read_text(const std::optional<element>& from, std::string_view key, std::string& to) {
  if (!from) return {};
  std::string_view text;
  if (from->get(text)) return reject(std::string(key) + ": not a string");
  to = text;
  return {};
}

Status read_place(const Envelope& envelope, std::string_view default_device, model::Point& point) {
  if (Status ok = read_text(envelope.device, "deviceId", point.device); !ok) return ok;
  if (envelope.device && point.device.empty()) return reject("deviceId: empty");
  if (!envelope.device) point.device = default_device;
  if (point.device.empty()) return reject("deviceId: missing");
  return read_text(envelope.site, "siteId", point.site);
}

Status read_readings(element from, std::string_view path, model::Point& point) {
  Result<model::Fields> fields = read_fields(from, path, kFieldsPerPointMax);
  if (!fields) return fields.error();
  if (fields->empty()) return reject(std::string(path) + ": empty");
  point.fields = std::move(*fields);
  return {};
}

Status read_ts(const Envelope& envelope, model::Point& point) {
  if (!envelope.ts) return {};
  const Result<int64_t> ts = read_time(*envelope.ts);
  if (!ts) return ts.error();
  point.ts_ms = *ts;
  return {};
}

// Which of the three shapes it is: "fields" or a device of its own make it ours; "values" is {ts, values}; else every
// member is a reading, but for "ts".
Status read_point(element from, std::string_view default_device, model::Point& point) {
  object members;
  if (from.get(members)) return reject("not an object");
  const Envelope envelope = read_envelope(members);
  const bool flat = !envelope.fields && !envelope.device && !(envelope.values && envelope.values->is_object());
  if (flat && !default_device.empty()) {
    point.device = default_device;
    if (Status ok = read_ts(envelope, point); !ok) return ok;
    if (Status ok = read_readings(from, "values", point); !ok) return ok;
    std::erase_if(point.fields, [](const model::Field& field) { return field.name == "ts"; });
    return point.fields.empty() ? reject("values: empty") : Status();
  }
  if (Status ok = read_place(envelope, default_device, point); !ok) return ok;
  if (Status ok = read_ts(envelope, point); !ok) return ok;
  if (envelope.tags) {
    Result<model::Tags> tags = read_tags(*envelope.tags, "tags");
    if (!tags) return tags.error();
    point.tags = std::move(*tags);
  }
  if (envelope.fields) return read_readings(*envelope.fields, "fields", point);
  if (envelope.values) return read_readings(*envelope.values, "values", point);
  return reject("fields: missing");
}

void take_element(element from, size_t index, std::string_view default_device, ParsedPoints& out) {
  model::Point point;
  point.index = index;
  if (Status ok = read_point(from, default_device, point); !ok) {
    out.reject(index, ok.error().detail, {});
    return;
  }
  out.points.push_back(std::move(point));
}

}  // namespace

void ParsedPoints::reject(size_t index, std::string reason, std::string original) {
  ++rejected_count;
  if (rejected.size() < kRejectedListedMax) rejected.push_back({index, std::move(reason), std::move(original)});
}

Result<ParsedPoints> parse_telemetry_json(std::string_view body, std::string_view default_device) {
  const Result<element> root = parse_json_from_devices(body);
  if (!root) return root.error();
  ParsedPoints out;
  simdjson::dom::array elements;
  if (!root->get(elements)) {
    size_t index = 0;
    for (const element from : elements) take_element(from, index++, default_device, out);
    return out;
  }
  if (!root->is_object()) return reject("neither an object nor an array");
  take_element(*root, 0, default_device, out);
  return out;
}

ParsedPoints parse_telemetry_ndjson(std::string_view body, std::string_view default_device) {
  ParsedPoints out;
  for (size_t number = 0; !body.empty(); ++number) {
    const std::string_view line = body.substr(0, body.find('\n'));
    body.remove_prefix(std::min(line.size() + 1, body.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (const Result<element> root = parse_json_from_devices(line); root) {
      take_element(*root, number, default_device, out);
    } else {
      out.reject(number, root.error().detail, {});
    }
  }
  return out;
}

}  // namespace millstream::codec
