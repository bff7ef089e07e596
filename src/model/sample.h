// model/sample.h: what a chart is drawn from: a field's values over time.
//
// Shapes   t_ms: event time, UTC.
// Thread   value
#pragma once

#include <cstdint>

namespace millstream::model {

struct Sample {
  int64_t t_ms = 0;
  double value = 0;
};

// Several samples of one field that nothing else falls between.
struct SampleSums {
  int64_t first_ms = 0;
  int64_t last_ms = 0;
  double min = 0;
  double max = 0;
  double sum = 0;
  double last = 0;
  uint64_t count = 0;
};

}  // namespace millstream::model
