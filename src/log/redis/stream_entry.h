// log/redis/stream_entry.h: an event as an entry of a Redis stream, both ways.
//
// Shapes   Fields topic, type, ts and data, and for a conclusion of the engines its number; the entry's id is the
// event's. Errors   Code::corrupt for an entry that is no event. Thread   value
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/event.h"
#include "redis/resp.h"

namespace millstream::log {

// The six arguments append_script() takes for each event; `ends`: an append ends with it.
void append_event_arguments(const model::Event& event, bool ends, std::vector<std::string>& arguments);

// One [id, [field, value, …]] as XRANGE and XREAD give it; `fields` not decoded.
Result<model::Event> parse_entry(redis::Reply& entry);

}  // namespace millstream::log
