// app/event_text.h: events as lines for a person's terminal.
//
// Shapes   12:34:56.789 telemetry  north-plant/boiler-01  temperature=71.2 pressure=3.1
//          12:34:57.001 alert      north-plant/boiler-01  FIRING critical Too hot: …
// Thread   value
#pragma once

#include <string>
#include <string_view>

#include "codec/sse_frame.h"

namespace millstream::app {

// Control characters become spaces: what a server sends must not move the cursor or change the terminal.
std::string printable(std::string_view text);
// The same for JSON, which keeps its meaning: inside of strings they are escaped.
std::string printable_json(std::string_view json);

// The string at `key` of a JSON object; empty when there is none.
std::string json_member_text(std::string_view json, std::string_view key);

// Never fails: what does not parse as an event is shown as it came.
std::string pretty_line(const codec::SseReader::Message& message);

}  // namespace millstream::app
