// codec/telemetry_json.h: JSON bodies of POST /api/ingest -> points.
//
// Shapes   One or an array of {deviceId, siteId?, ts?, tags?, fields{}}; and, with a device named in the request,
//          {k: v, …} and {ts, values{}} or arrays of these (the shapes ThingsBoard devices send).
//          ts: RFC 3339 or epoch milliseconds. A value: finite number, boolean or string. Members not named here are
//          ignored, a null stands for "not given", and of a repeated name the last one counts.
//          NDJSON is the same with one such object a line; lines of blanks alone are passed over.
// Errors   The whole body: Code::invalid (not JSON, not UTF-8, not an object or array). One element: a Rejected with
//          its index and a reason naming the place ("ts: neither RFC 3339 nor epoch milliseconds"); the others stand.
//          In NDJSON nothing is wrong with the whole body: a line that is not JSON or not UTF-8 is one bad point.
// Thread   value
// Source   simdjson's DOM parser (it picks the fastest implementation at run time)
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/point.h"

namespace millstream::codec {

struct Rejected {
  size_t index = 0;  // array index for JSON, line number for NDJSON (from 0) and line protocol (from 1)
  std::string reason;
  std::string original;  // the line as it came, as UTF-8, cut to 256 bytes; empty for JSON
};

// A body of nothing but bad lines must not grow into gigabytes of reasons: the first ones are listed, all are counted.
inline constexpr size_t kRejectedListedMax = 1000;

struct ParsedPoints {
  std::vector<model::Point> points;
  std::vector<Rejected> rejected;  // at most kRejectedListedMax
  size_t rejected_count = 0;       // all of them

  void reject(size_t index, std::string reason, std::string original);
};

// `default_device`: from ?deviceId=, empty if not given.
Result<ParsedPoints> parse_telemetry_json(std::string_view body, std::string_view default_device);
// The index of a point is the number of its line from 0, lines passed over counted too.
ParsedPoints parse_telemetry_ndjson(std::string_view body, std::string_view default_device);

}  // namespace millstream::codec
