// influx/influxql.h: names and texts inside InfluxQL, where nothing in them can end what they stand in.
//
// Thread   value
// Source   influxdata/influxql scanner.go: in quotes a backslash stands before the quote, a backslash, or n
#pragma once

#include <string>
#include <string_view>

namespace millstream::influx {

std::string quoted_name(std::string_view name);  // "in double quotes"
std::string quoted_text(std::string_view text);  // 'in single quotes'

// As one value of a form.
std::string form_encoded(std::string_view text);

}  // namespace millstream::influx
