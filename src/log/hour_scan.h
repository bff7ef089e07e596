// log/hour_scan.h: one read() on its way through hour files.
//
// Thread   value
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "log/event_log.h"

namespace millstream::log {

struct Scan {
  const ReadRequest& request;
  int64_t low = 0;  // packed ids, both inclusive
  int64_t high = 0;
  size_t rows_left = 0;  // how many rows may still be looked at

  std::vector<model::Event> events;
  model::EventId scanned_to;  // newest row looked at, in the order asked
  bool stopped = false;       // before the end of the span: page full, or no rows left
  size_t damaged_rows = 0;
  int64_t first_damaged = 0;  // packed; the span of ids in which rows were damaged
  int64_t last_damaged = 0;

  bool ascending() const { return request.order == Order::ascending; }
  bool holds(int64_t id) const { return id >= low && id <= high; }
  // Ids of a row that fails its check may be anything. What lies outside the span is not missing from it.
  void add_damage(int64_t first, int64_t last, size_t rows) {
    if (last < low || first > high) return;
    first = std::max(first, low);
    last = std::min(last, high);
    first_damaged = damaged_rows == 0 ? first : std::min(first_damaged, first);
    last_damaged = damaged_rows == 0 ? last : std::max(last_damaged, last);
    damaged_rows += rows;
  }
};

}  // namespace millstream::log
