// codec/published_event.h: the body of POST /api/events -> an event that may be stored.
//
// Shapes   {topic, type, ts?, data}, nothing else and nothing twice; ts: RFC 3339 or epoch milliseconds.
//          "system": data is an object with a `kind` that is not one of the stream's own (model/system_kind.h).
//          "alert": data is a whole alert and no more, of the topic's device; kept in our own spelling. Its alertId and
//          ruleId are "<source>:<anything>": the rule engine's ids have no colon, so nobody can speak for it.
// Errors   Code::invalid naming the place ("data.kind: missing"); Code::too_large above kEventBytesMax.
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/event.h"

namespace millstream::codec {

struct PublishedEvent {
  model::Topic topic;
  model::EventType type = model::EventType::system;
  std::optional<int64_t> ts_ms;
  std::string data;          // compact
  std::string alert_id;      // of an alert
  bool opens_alert = false;  // an alert that is not resolved by this
};

Result<PublishedEvent> parse_published_event(std::string_view body);

}  // namespace millstream::codec
