// codec/queue_message.h: the body of a message of a queue -> what may be stored of it.
//
// Shapes   An object with a `topic`: one event (codec/bridge_event.h). Another object, or an array: telemetry as
//          POST /api/ingest takes it. {"Type":"Notification","Message":"…"}: what Amazon SNS puts around one of these;
//          around another such it is not taken.
// Errors   Code::invalid naming the place, Code::too_large: as the readers of these shapes say.
// Thread   value
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "codec/bridge_event.h"
#include "codec/telemetry_json.h"

namespace millstream::codec {

using QueueMessage = std::variant<BridgeEvent, ParsedPoints>;

// `source`: as of parse_bridge_event().
Result<QueueMessage> parse_queue_message(std::string_view body, std::string_view source, int64_t now_ms);

}  // namespace millstream::codec
