// codec/bridge_event.h: a JSON event as existing services publish them on a channel -> what may be stored of it.
//
// Shapes   {id?, ts?, topic, type, data}; what else there is is left alone. The topic's site and device count: data
// that
//          names others is refused. `id` and `ts` are the publisher's: no order follows from them, and a `ts` that is
//          no time counts as not given. telemetry: data as a point of POST /api/ingest. device_status: data.status
//          "online", "heartbeat" or "offline", a report from which the presence engine concludes. system: data with a
//          `kind`; without one it is a "notice". alert: a whole alert as POST /api/events takes it, or less: {ruleId,
//          severity, message, fields}. What is missing is filled in (state "firing", severity "warning", started now;
//          field and value from the first number of `fields`), ids without a source get `source`, and the alertId is
//          that of the rule and device.
// Errors   Code::invalid naming the place; Code::too_large as codec/published_event.h says, whose rules hold here too.
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "codec/published_event.h"
#include "codec/telemetry_json.h"
#include "model/alert.h"
#include "model/topic.h"

namespace millstream::codec {

inline constexpr size_t kPublisherIdBytesMax = 128;

struct BridgeEvent {
  std::string publisher_id;  // empty: none, or a longer one
  model::Topic topic;
  std::variant<ParsedPoints, model::PresenceReport, PublishedEvent> said;
};

// `source`: a name, in front of the ids of alerts that have none.
Result<BridgeEvent> parse_bridge_event(std::string_view json, std::string_view source, int64_t now_ms);

// data with the member "publisherId" behind the others; as it was when it would be larger than an event may be.
// Precondition: an object with members, as compact JSON.
void append_publisher_id(std::string_view publisher_id, std::string& data);

}  // namespace millstream::codec
