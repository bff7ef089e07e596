// api/latest_events.h: what is true now, as events: for /api/latest and for the snapshot at the start of a stream.
//
// Thread   value
#pragma once

#include <string>
#include <vector>

#include "history/latest_values.h"
#include "model/event.h"

namespace millstream::api {

// Telemetry (all fields merged), status and open alerts, each as the event with the id that last changed it.
std::vector<model::Event> latest_events(const history::LatestSnapshot& snapshot);

// The same as SSE chunks marked "snapshot":true, without id lines: they must not move the viewer's cursor.
std::string snapshot_blocks(const std::vector<model::Event>& events, bool unnamed);

}  // namespace millstream::api
