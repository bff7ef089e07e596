// Any bytes as an answer of /query: never a crash, and every row has a cell for each column.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "influx/query_result.h"
#include "influx/write_outcome.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const std::string_view body(reinterpret_cast<const char*>(bytes), size);
  (void)influx::outcome_of(influx::HttpReply{.status = 400, .body = std::string(body)});
  const auto statements = influx::parse_query_result(body);
  if (!statements) return 0;
  for (const influx::Statement& statement : *statements) {
    for (const influx::QuerySeries& series : statement.series) {
      for (const auto& row : series.rows) MS_CHECK(row.size() == series.columns.size());
    }
  }
  return 0;
}
