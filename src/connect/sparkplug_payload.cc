#include "connect/sparkplug_payload.h"

#include <connect/sparkplug_b.pb.h>

#include <cmath>
#include <limits>

#include "base/utf8.h"

namespace millstream::connect {
namespace {

using sparkplug::Payload;
using Metric = Payload::Metric;

// The data types of the specification that matter here.
enum Datatype : uint32_t {
  kInt8 = 1,
  kInt16 = 2,
  kInt32 = 3,
  kInt64 = 4,
  kUInt8 = 5,
  kUInt16 = 6,
  kUInt32 = 7,
  kUInt64 = 8,
  kBoolean = 11,
  kDateTime = 13,
};

std::optional<int64_t> time_of(bool given, uint64_t ms) {
  if (!given || ms > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  return static_cast<int64_t>(ms);
}

std::optional<model::FieldValue> real(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<model::FieldValue> value_of(const Metric& metric) {
  switch (metric.value_case()) {
    case Metric::kFloatValue: return real(static_cast<double>(metric.float_value()));
    case Metric::kDoubleValue: return real(metric.double_value());
    case Metric::kBooleanValue: return metric.boolean_value();
    case Metric::kStringValue:
      if (!is_utf8(metric.string_value())) return std::nullopt;
      return metric.string_value();
    default: return std::nullopt;
  }
}

SparkplugMetric read_metric(const Metric& metric) {
  SparkplugMetric read;
  read.name = metric.name();
  if (metric.has_alias()) read.alias = metric.alias();
  read.ts_ms = time_of(metric.has_timestamp(), metric.timestamp());
  read.datatype = metric.datatype();
  read.is_null = metric.is_null();
  if (metric.has_int_value()) read.integer = metric.int_value();
  if (metric.has_long_value()) read.integer = metric.long_value();
  read.value = value_of(metric);
  return read;
}

}  // namespace

std::optional<model::FieldValue> sparkplug_integer(uint64_t raw, uint32_t datatype) {
  switch (datatype) {
    case kInt8: return static_cast<int64_t>(static_cast<int8_t>(raw));
    case kInt16: return static_cast<int64_t>(static_cast<int16_t>(raw));
    case kInt32: return static_cast<int64_t>(static_cast<int32_t>(raw));
    case kInt64: return static_cast<int64_t>(raw);
    case kBoolean: return raw != 0;
    case kUInt8:
    case kUInt16:
    case kUInt32:
    case kUInt64:
    case kDateTime:
      if (raw > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return static_cast<double>(raw);
      return static_cast<int64_t>(raw);
    default: return std::nullopt;
  }
}

Result<SparkplugPayload> parse_sparkplug_payload(std::string_view bytes) {
  Payload payload;
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !payload.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Error{Code::invalid, "not a Sparkplug B payload"};
  }
  SparkplugPayload read;
  read.ts_ms = time_of(payload.has_timestamp(), payload.timestamp());
  if (payload.has_seq()) read.seq = payload.seq();
  read.metrics.reserve(static_cast<size_t>(payload.metrics_size()));
  for (const Metric& metric : payload.metrics()) read.metrics.push_back(read_metric(metric));
  return read;
}

std::string encode_rebirth_command(int64_t now_ms) {
  Payload payload;
  payload.set_timestamp(static_cast<uint64_t>(now_ms));
  Metric& metric = *payload.add_metrics();
  metric.set_name("Node Control/Rebirth");
  metric.set_timestamp(static_cast<uint64_t>(now_ms));
  metric.set_datatype(kBoolean);
  metric.set_boolean_value(true);
  return payload.SerializeAsString();
}

}  // namespace millstream::connect
