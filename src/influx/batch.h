// influx/batch.h: lines that go to InfluxDB together.
//
// Shapes   A line's text may hold line breaks (within a quoted value), so that its size is kept beside it.
// Thread   value
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/event_id.h"

namespace millstream::influx {

struct Batch {
  std::string lines;            // each with its "\n"
  std::vector<uint32_t> sizes;  // bytes of each line, in order; their sum is lines.size()
  model::EventId after;         // the lines are of events above this one
  model::EventId to;            // up to and with this one

  bool empty() const { return sizes.empty(); }
};

}  // namespace millstream::influx
