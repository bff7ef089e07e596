// codec/line_reader.h: one line of line protocol -> a point. For codec's .cc files only.
//
// Errors   Code::invalid in InfluxDB's own wording ("missing fields", "invalid number", …).
// Thread   value
// Source   influxdata/influxdb 1.12 models/points.go (behaviour)
#pragma once

#include <string_view>

#include "base/result.h"
#include "codec/line_protocol.h"
#include "model/point.h"

namespace millstream::codec {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\0'; }

// The line is UTF-8, has no blanks in front and no line end behind. The names of device and site stay among the tags.
// On failure the point is in no particular state.
Status read_line(std::string_view line, Precision precision, model::Point& point);

}  // namespace millstream::codec
