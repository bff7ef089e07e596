// influx/query_result.h: the JSON answers of /query.
//
// Shapes   {"results":[{"statement_id":0,"series":[{"name":…,"tags":{…},"columns":[…],"values":[[…],…]}]}]}
//          Every row has as many cells as there are columns. Also several such documents, one a line ("chunked").
// Errors   Code::unprocessable: in InfluxDB's words, of the whole or of one statement. Code::corrupt: not of this
// shape,
//          naming the place.
// Thread   value
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/point.h"

namespace millstream::influx {

using Cell = std::variant<std::monostate, double, int64_t, bool, std::string>;  // nothing: null

struct QuerySeries {
  std::string name;
  std::map<std::string, std::string> tags;
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows;
};

struct Statement {
  std::vector<QuerySeries> series;
  bool partial = false;  // the server gave fewer rows than there are
};

Result<std::vector<Statement>> parse_query_result(std::string_view body);

}  // namespace millstream::influx
