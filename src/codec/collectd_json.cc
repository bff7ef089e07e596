#include "codec/collectd_json.h"

#include <cmath>
#include <optional>
#include <tuple>

#include "base/limits.h"
#include "codec/field_name.h"
#include "codec/json_input.h"

namespace millstream::codec {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr double kTimeSecondsMax = 1e11;  // beyond any clock, and well within what milliseconds can hold

Error reject(std::string reason) { return {Code::invalid, std::move(reason)}; }

// What one value list says of itself. Texts live as long as the tree.
struct ValueList {
  std::string_view host, plugin, plugin_instance, type, type_instance;
  array values;
  array names;
  std::optional<int64_t> ts_ms;
};

Status read_text(object from, std::string_view key, bool needed, std::string_view& to) {
  element value;
  if (from[key].get(value)) return needed ? Status(reject(std::string(key) + ": missing")) : Status();
  if (value.get(to)) return reject(std::string(key) + ": not a string");
  if (needed && to.empty()) return reject(std::string(key) + ": empty");
  return {};
}

Status read_time_of(object from, std::optional<int64_t>& to) {
  element value;
  if (from["time"].get(value) || value.is_null()) return {};
  double seconds = 0;
  if (value.get(seconds) || !(std::abs(seconds) < kTimeSecondsMax)) return reject("time: not seconds since 1970");
  to = std::llround(seconds * 1000);
  return {};
}

Result<ValueList> read_list(element from) {
  object members;
  if (from.get(members)) return reject("not an object");
  ValueList list;
  const std::tuple<std::string_view, bool, std::string_view*> texts[] = {
      {"host", true, &list.host},
      {"plugin", true, &list.plugin},
      {"plugin_instance", false, &list.plugin_instance},
      {"type", true, &list.type},
      {"type_instance", false, &list.type_instance}};
  for (const auto& [key, needed, place] : texts) {
    if (Status s = read_text(members, key, needed, *place); !s) return s.error();
  }
  if (members["values"].get(list.values)) return reject("values: not an array");
  if (members["dsnames"].get(list.names)) return reject("dsnames: not an array");
  if (list.values.size() != list.names.size()) return reject("dsnames: not as many as values");
  if (list.values.size() > kFieldsPerPointMax) {
    return reject("values: more than " + std::to_string(kFieldsPerPointMax));
  }
  if (Status s = read_time_of(members, list.ts_ms); !s) return s.error();
  return list;
}

void append_part(std::string_view name, std::string_view instance, std::string& out) {
  out += name;
  if (!instance.empty()) (out += '-') += instance;
}

Result<std::string> field_name(const ValueList& list, std::string_view source) {
  std::string name;
  append_part(list.plugin, list.plugin_instance, name);
  name += '.';
  append_part(list.type, list.type_instance, name);
  if (list.values.size() > 1 || source != "value") (name += '.') += source;
  if (name.size() > kFieldNameBytesMax) {
    return reject("its name is longer than " + std::to_string(kFieldNameBytesMax) + " bytes");
  }
  if (has_control_character(name)) return reject("its name holds control characters");
  return name;
}

Status read_values(const ValueList& list, model::Fields& fields) {
  auto name = list.names.begin();
  for (const element value : list.values) {
    std::string_view source;
    if ((*name).get(source)) return reject("dsnames: not strings");
    ++name;
    if (value.is_null()) continue;
    if (!value.is_number()) return reject("values: not numbers");
    Result<std::string> called = field_name(list, source);
    if (!called) return called.error();
    fields.push_back({std::move(*called), *field_value(value)});
  }
  return {};
}

void take_list(element from, size_t index, ParsedPoints& out) {
  const Result<ValueList> list = read_list(from);
  if (!list) return out.reject(index, list.error().detail, {});
  model::Point point;
  point.index = index;
  point.device = list->host;
  point.ts_ms = list->ts_ms;
  if (Status s = read_values(*list, point.fields); !s) return out.reject(index, s.error().detail, {});
  if (!point.fields.empty()) out.points.push_back(std::move(point));
}

}  // namespace

Result<ParsedPoints> parse_collectd_json(std::string_view body) {
  const Result<element> root = parse_json_from_devices(body);
  if (!root) return root.error();
  array lists;
  if (root->get(lists)) return reject("not an array");
  ParsedPoints out;
  size_t index = 0;
  for (const element list : lists) take_list(list, index++, out);
  return out;
}

}  // namespace millstream::codec
