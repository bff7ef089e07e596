// log/wanted_fields.h: what a request wants of an event, the same for every log.
//
// Errors   Code::corrupt for stored data that is no telemetry.
// Thread   value
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "codec/event_json.h"
#include "log/event_log.h"

namespace millstream::log {

inline bool in_span(const SamplesRequest& request, int64_t ts_ms) {
  return ts_ms >= request.start_ms && ts_ms < request.end_ms;
}

inline bool is_wanted(const SamplesRequest& request, std::string_view field) {
  return request.fields.empty() ||
         std::find(request.fields.begin(), request.fields.end(), field) != request.fields.end();
}

// Calls take(name, value) for every number that is wanted of one event's data.
template <class Take>
Status take_fields(const SamplesRequest& request, std::string_view data, const Take& take) {
  const Result<model::Fields> fields = codec::decode_telemetry_fields(data);
  if (!fields) return Error{Code::corrupt, fields.error().detail};
  for (const model::Field& field : *fields) {
    const std::optional<double> value = model::as_number(field.value);
    if (value && is_wanted(request, field.name)) take(field.name, *value);
  }
  return {};
}

// Of data that is no telemetry there are no fields.
inline void keep_wanted(const ReadRequest& request, model::Event& event) {
  if (!request.fields || event.type != model::EventType::telemetry) return;
  Result<model::Fields> fields = codec::decode_telemetry_fields(event.data, *request.fields);
  if (fields) event.fields = std::move(*fields);
  event.data.clear();
}

}  // namespace millstream::log
