// influx/line_writer.h: telemetry -> InfluxDB line protocol.
//
// Shapes   telemetry,account=1,site=2,device=3 T1=21.5,door=true,mode="auto" 1769517296789
//          The timestamp is the event's ts in milliseconds. A number is always a float, also a whole one, so that a
//          field never changes its type: whole numbers beyond 2^53 are rounded. The event's other tags stay here.
//          Written twice, it is one point: InfluxDB knows a point by its measurement, tags and timestamp.
// Errors   none returned: fields whose names InfluxDB has no way to take are left out and counted.
// Thread   value
// Source   influxdata/influxdb 1.12 models/points.go
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "model/event.h"

namespace millstream::influx {

inline constexpr std::string_view kMeasurement = "telemetry";

// "time" is InfluxDB's own. In front of a blank, comma, equals sign or quote, and at the end of a name, a backslash
// cannot be written: it would escape what follows.
bool is_field_name(std::string_view name);

// Appends the line with its "\n"; nothing when no field is left. `event.fields` are decoded. Gives back how many
// fields were left out.
size_t append_line(const model::Event& event, std::string& out);

}  // namespace millstream::influx
