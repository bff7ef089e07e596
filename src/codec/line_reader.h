// codec/line_reader.h: one line of line protocol -> a point. For codec's .cc files only.
//
// Errors   Code::invalid in InfluxDB's own wording ("missing fields", "invalid number", …).
// Thread   value
// Source   influxdata/influxdb 1.12 models/points.go (behaviour)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/line_protocol.h"
#include "model/point.h"

namespace millstream::codec {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\0'; }

// What the lines before looked like: where the next one has the same bytes, they are not looked at again. Views are of
// the lines, whose bytes must stay where they are.
struct LinePattern {
  struct FieldName {
    std::string_view text;  // as written, with its "="
    std::string full;       // "<measurement>.<field>", checked
  };

  std::string_view key;               // measurement and tags of the last point, as written
  std::string_view measurement_text;  // as written
  std::string measurement;
  std::string field_prefix;            // of the full names: "<measurement>.", or nothing
  std::vector<FieldName> field_names;  // distinct, all of this measurement; in the order of the line
  size_t field_names_used = 0;         // the others are there for their memory

  // What comes behind it is no longer known. `number` is at most field_names_used.
  void set_field_name(size_t number, std::string_view text, std::string_view full);
};

// Adds the point of line `number` of one body; `pattern` is of that body. The line is UTF-8, has no blanks in front and
// no line end behind. On failure no point is added.
Status read_line(std::string_view line, size_t number, Precision precision, LinePattern& pattern,
                 std::vector<model::Point>& points);

}  // namespace millstream::codec
