// model/point.h: what a device says: named values at a time.
//
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace millstream::model {

// Whole numbers stay whole; doubles are finite (NaN and infinities never get past the codec).
using FieldValue = std::variant<double, int64_t, bool, std::string>;

// The value as a number, for rules and charts; bool counts as 0 or 1; a string has none.
inline std::optional<double> as_number(const FieldValue& value) {
  if (const double* d = std::get_if<double>(&value)) return *d;
  if (const int64_t* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  if (const bool* b = std::get_if<bool>(&value)) return *b ? 1.0 : 0.0;
  return std::nullopt;
}

struct Field {
  std::string name;
  FieldValue value;
  bool operator==(const Field&) const = default;
};
using Fields = std::vector<Field>;  // names are distinct; in the order the device sent them

struct Tag {
  std::string name;
  std::string value;
  auto operator<=>(const Tag&) const = default;
};
using Tags = std::vector<Tag>;

// One point as it came, before anything about rights or clocks was checked. Names are raw text here.
struct Point {
  std::string site;    // empty: not given
  std::string device;  // empty: not given
  std::optional<int64_t> ts_ms;
  Fields fields;
  Tags tags;
  size_t index = 0;  // where it stood in the request: array index for JSON, line number (from 1) for line protocol
  bool operator==(const Point&) const = default;
};

}  // namespace millstream::model
