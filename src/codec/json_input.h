// codec/json_input.h: JSON text -> simdjson's tree, and what our readers of trees share. For codec's .cc files only.
//
// Errors   Code::invalid in one line: "not UTF-8", "not JSON", "nested too deeply".
// Thread   any; the parser belongs to the calling thread, and a tree lives until that thread parses again
// Source   simdjson's DOM parser (it picks the fastest implementation at run time)
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/point.h"

namespace millstream::codec {

Result<simdjson::dom::element> parse_json(std::string_view json);
// The same, but NaN, Infinity and numbers no 64-bit type holds (1e400) read as null, so that the place that holds one
// can be named and the rest of the body stands.
Result<simdjson::dom::element> parse_json_from_devices(std::string_view json);

// Empty when the element is not a finite number, boolean or string.
std::optional<model::FieldValue> field_value(simdjson::dom::element element);

// RFC 3339, or a whole number of epoch milliseconds. The reason names "ts".
Result<int64_t> read_time(simdjson::dom::element value);

// Reads an object of values as fields, or of strings as tags. A repeated name keeps its place and takes the last
// value. `path` names the object in the reasons: "fields.T1: not a finite number, boolean or string".
Result<model::Fields> read_fields(simdjson::dom::element element, std::string_view path, size_t count_max);
Result<model::Tags> read_tags(simdjson::dom::element element, std::string_view path);

// Compact, in this project's own spelling of numbers and strings.
void append_json_element(simdjson::dom::element element, std::string& out);

}  // namespace millstream::codec
