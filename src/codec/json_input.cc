#include "codec/json_input.h"

#include <algorithm>
#include <cmath>

#include "base/limits.h"
#include "base/time_text.h"
#include "codec/event_json.h"
#include "codec/field_name.h"

namespace millstream::codec {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

simdjson::dom::parser& thread_parser() {
  thread_local simdjson::dom::parser parser;
  return parser;
}

Error json_error(simdjson::error_code code) {
  switch (code) {
    case simdjson::UTF8_ERROR: return {Code::invalid, "not UTF-8"};
    case simdjson::EMPTY: return {Code::invalid, "empty, JSON expected"};
    case simdjson::DEPTH_ERROR: return {Code::invalid, "not JSON: nested too deeply"};
    case simdjson::CAPACITY: return {Code::too_large, "JSON too large"};
    case simdjson::MEMALLOC: return {Code::unavailable, "no memory for this JSON"};
    case simdjson::NUMBER_ERROR: return {Code::invalid, "not JSON: a number that is none or is out of range"};
    case simdjson::STRING_ERROR: return {Code::invalid, "not JSON: a bad escape in a string"};
    case simdjson::UNESCAPED_CHARS: return {Code::invalid, "not JSON: a control character in a string"};
    case simdjson::UNCLOSED_STRING: return {Code::invalid, "not JSON: a string without its end"};
    default: return {Code::invalid, "not JSON"};
  }
}

bool is_token_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '-' || c == '.';
}

size_t skip_digits(std::string_view text, size_t at) {
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  return at;
}

// RFC 8259 6, whatever its size.
bool is_number(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  const size_t whole = at;
  at = skip_digits(text, at);
  if (at == whole || (text[whole] == '0' && at - whole > 1)) return false;
  if (at < text.size() && text[at] == '.') {
    const size_t fraction = ++at;
    at = skip_digits(text, at);
    if (at == fraction) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t exponent = at;
    at = skip_digits(text, at);
    if (at == exponent) return false;
  }
  return at == text.size();
}

// A number in form, but one the parser refuses; the parser itself is asked, so that both always agree.
bool is_absurd_number(std::string_view token) {
  if (token == "NaN" || token == "Infinity" || token == "-Infinity") return true;
  constexpr size_t shortest = 5;  // "1e309"
  return token.size() >= shortest && is_number(token) &&
         thread_parser().parse(token.data(), token.size()).error() == simdjson::NUMBER_ERROR;
}

size_t string_end(std::string_view json, size_t open) {
  for (size_t at = open + 1; at < json.size(); ++at) {
    if (json[at] == '\\') {
      ++at;
    } else if (json[at] == '"') {
      return at + 1;
    }
  }
  return json.size();
}

std::string with_absurd_numbers_as_null(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  size_t at = 0;
  while (at < json.size()) {
    const size_t from = at;
    if (json[at] == '"') {
      at = string_end(json, at);
      out += json.substr(from, at - from);
    } else if (is_token_byte(json[at])) {
      while (at < json.size() && is_token_byte(json[at])) ++at;
      const std::string_view token = json.substr(from, at - from);
      out += is_absurd_number(token) ? std::string_view("null") : token;
    } else {
      out += json[at++];
    }
  }
  return out;
}

Error at_path(std::string_view path, std::string_view name, std::string_view reason) {
  std::string detail(path);
  if (!name.empty()) {
    detail += '.';
    detail += shortened(name, kNameBytesMax);
  }
  detail += ": ";
  detail += reason;
  return {Code::invalid, std::move(detail)};
}

Status check_name(std::string_view path, std::string_view name) {
  if (name.empty()) return at_path(path, {}, "an empty name");
  if (name.size() > kFieldNameBytesMax) {
    return at_path(path, name, "name longer than " + std::to_string(kFieldNameBytesMax) + " bytes");
  }
  if (has_control_character(name)) return at_path(path, {}, "a name with control characters");
  return {};
}

// The members of an object, checked for number and names. Last wins, in the place of the first.
template <class Pair, class Read>
Result<std::vector<Pair>> read_members(element element, std::string_view path, size_t count_max, Read read) {
  simdjson::dom::object object;
  if (element.get(object)) return at_path(path, {}, "not an object");
  if (object.size() > count_max) {
    return at_path(path, {}, "more than " + std::to_string(count_max) + " of them");
  }
  std::vector<Pair> pairs;
  pairs.reserve(object.size());
  for (const auto member : object) {
    if (Status ok = check_name(path, member.key); !ok) return ok.error();
    auto value = read(member.key, member.value);
    if (!value) return value.error();
    const auto same = std::find_if(pairs.begin(), pairs.end(), [&](const Pair& p) { return p.name == member.key; });
    if (same != pairs.end()) {
      same->value = std::move(*value);
    } else {
      pairs.push_back({std::string(member.key), std::move(*value)});
    }
  }
  return pairs;
}

}  // namespace

Result<element> parse_json(std::string_view json) {
  if (json.empty()) return json_error(simdjson::EMPTY);  // its data may be null, which the parser would hand to memcpy
  element root;
  if (const auto error = thread_parser().parse(json.data(), json.size()).get(root)) return json_error(error);
  return root;
}

Result<element> parse_json_from_devices(std::string_view json) {
  constexpr std::string_view bom = "\xEF\xBB\xBF";
  if (json.starts_with(bom)) json.remove_prefix(bom.size());
  if (json.empty()) return json_error(simdjson::EMPTY);
  element root;
  const auto error = thread_parser().parse(json.data(), json.size()).get(root);
  if (!error) return root;
  if (error == simdjson::NUMBER_ERROR || error == simdjson::TAPE_ERROR || error == simdjson::N_ATOM_ERROR) {
    return parse_json(with_absurd_numbers_as_null(json));
  }
  return json_error(error);
}

std::optional<model::FieldValue> field_value(element element) {
  switch (element.type()) {
    case element_type::INT64: return model::FieldValue(int64_t{element});
    case element_type::UINT64: return model::FieldValue(static_cast<double>(uint64_t{element}));
    case element_type::DOUBLE: return model::FieldValue(double{element});
    case element_type::BOOL: return model::FieldValue(bool{element});
    case element_type::STRING: return model::FieldValue(std::string(std::string_view(element)));
    default: return std::nullopt;
  }
}

Result<int64_t> read_time(element value) {
  int64_t ms = 0;
  std::string_view text;
  double number = 0;
  if (!value.get(text)) {
    if (const Result<int64_t> time = parse_time(text); time) return *time;
  } else if (!value.get(ms)) {
    if (ms >= kTimeMsMin && ms <= kTimeMsMax) return ms;
  } else if (!value.get(number)) {  // "1.7e12": a whole number all the same
    const bool in_range = number >= static_cast<double>(kTimeMsMin) && number <= static_cast<double>(kTimeMsMax);
    if (in_range && number == std::trunc(number)) return static_cast<int64_t>(number);
  }
  return Error{Code::invalid, "ts: neither RFC 3339 nor epoch milliseconds"};
}

Result<model::Fields> read_fields(element element, std::string_view path, size_t count_max) {
  return read_members<model::Field>(
      element, path, count_max, [&](std::string_view name, simdjson::dom::element value) -> Result<model::FieldValue> {
        if (value.is_string() && value.get_string_length().value_unsafe() > kStringFieldBytesMax) {
          return at_path(path, name, "string longer than " + std::to_string(kStringFieldBytesMax) + " bytes");
        }
        std::optional<model::FieldValue> read = field_value(value);
        if (!read) return at_path(path, name, "not a finite number, boolean or string");
        return std::move(*read);
      });
}

Result<model::Tags> read_tags(element element, std::string_view path) {
  return read_members<model::Tag>(element, path, kTagsPerPointMax,
                                  [&](std::string_view name, simdjson::dom::element value) -> Result<std::string> {
                                    std::string_view text;
                                    if (value.get(text)) return at_path(path, name, "not a string");
                                    if (text.size() > kStringFieldBytesMax) return at_path(path, name, "too long");
                                    return std::string(text);
                                  });
}

void append_json_element(element element, std::string& out) {
  switch (element.type()) {
    case element_type::OBJECT: {
      char before = '{';
      for (const auto member : simdjson::dom::object(element)) {
        out += before;
        before = ',';
        append_json_string(member.key, out);
        out += ':';
        append_json_element(member.value, out);
      }
      out += before == '{' ? "{}" : "}";
      return;
    }
    case element_type::ARRAY: {
      char before = '[';
      for (const auto item : simdjson::dom::array(element)) {
        out += before;
        before = ',';
        append_json_element(item, out);
      }
      out += before == '[' ? "[]" : "]";
      return;
    }
    case element_type::UINT64: out += std::to_string(uint64_t{element}); return;
    case element_type::NULL_VALUE: out += "null"; return;
    default: append_field_value(*field_value(element), out); return;
  }
}

}  // namespace millstream::codec
