// connect/bridge_check.h: an event as existing services publish it, checked as everything that comes in is.
//
// Shapes   The publisher's id is kept in the data.
// Errors   Code::invalid, Code::unprocessable: as the sink says.
// Thread   any
#pragma once

#include <vector>

#include "base/result.h"
#include "codec/bridge_event.h"
#include "connect/sink.h"
#include "model/event.h"

namespace millstream::connect {

Result<std::vector<model::Event>> check_bridge_event(Sink& sink, codec::BridgeEvent event);

}  // namespace millstream::connect
