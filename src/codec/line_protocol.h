// codec/line_protocol.h: InfluxDB line protocol -> points.
//
// Shapes   measurement[,tag=value…] field=value[,field=value…] [timestamp]
//          A field is named "<measurement>.<field>" unless the measurement is "telemetry". The tag `device` (else
//          `host`) names the device, `site` the site; the other tags stay tags.
// Errors   never the whole body: each bad line is a Rejected with its line number and InfluxDB's own wording
//          ("missing fields", "invalid number", …); the good lines stand.
// Thread   value
// Source   influxdata/influxdb 1.12 models/points.go (behaviour), line-protocol.ebnf
#pragma once

#include <cstdint>
#include <string_view>

#include "codec/telemetry_json.h"

namespace millstream::codec {

// `by_magnitude`: each timestamp tells its unit by its size, as InfluxDB 3 has it: below 5e9 seconds, below 5e12
// milliseconds, below 5e15 microseconds, else nanoseconds; either side of 1970.
enum class Precision { nanoseconds, microseconds, milliseconds, seconds, minutes, hours, by_magnitude };

// Empty means ns. Fails with InfluxDB's own sentence for the version asked.
Result<Precision> parse_precision_v1(std::string_view text);  // n ns u us µ ms s m h
Result<Precision> parse_precision_v2(std::string_view text);  // ns us ms s
// auto, and nanosecond microsecond millisecond second, short as in version 2 (or n, u) too. Empty means auto.
Result<Precision> parse_precision_v3(std::string_view text);

ParsedPoints parse_line_protocol(std::string_view body, Precision precision);

// Adds the line to each of `rejected` (in order of their lines) that came without it: what was refused after parsing.
void quote_lines(std::string_view body, std::vector<Rejected>& rejected);

}  // namespace millstream::codec
