// connect/sparkplug_payload.h: the payload of a Sparkplug B message, read; and the one that we write.
//
// Shapes   A metric has a name, an alias, or (in a birth) both. Whole numbers, real ones, booleans and texts become
// values
//          (a DateTime its milliseconds); null has none; data sets, templates, bytes and arrays have none and are
//          counted.
// Errors   Code::invalid: not the message it should be.
// Thread   value
// Source   Eclipse Sparkplug 3.0, chapter 6; libprotobuf reads the bytes
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/point.h"

namespace millstream::connect {

struct SparkplugMetric {
  std::string name;  // UTF-8; empty: not given
  std::optional<uint64_t> alias;
  std::optional<int64_t> ts_ms;
  uint32_t datatype = 0;  // 0: not said; the birth did
  bool is_null = false;
  std::optional<uint64_t> integer;         // as it came: what it means is for the type to say
  std::optional<model::FieldValue> value;  // of the other kinds; none: of a type that is no value here
};

struct SparkplugPayload {
  std::optional<int64_t> ts_ms;
  std::optional<uint64_t> seq;
  std::vector<SparkplugMetric> metrics;
};

Result<SparkplugPayload> parse_sparkplug_payload(std::string_view bytes);

// What a whole number means in a type: two's complement of its width, or none. Nothing: not a whole-number type.
std::optional<model::FieldValue> sparkplug_integer(uint64_t raw, uint32_t datatype);

// The command "Node Control/Rebirth".
std::string encode_rebirth_command(int64_t now_ms);

}  // namespace millstream::connect
