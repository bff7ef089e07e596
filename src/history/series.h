// history/series.h: charts: one device's fields over a span, as buckets that keep the true extremes.
//
// Flow     the caller reads the device's telemetry from the log page by page and adds it; result() gives the buckets.
// Shapes   bucket i covers [start + i*step, start + (i+1)*step) of event time, ms; empty buckets are left out, so gaps
//          stay visible. Values are numbers; bool counts as 0 or 1; strings are left out.
//          Same (field, ts) again: the later event wins, also in min, max, avg and count.
// Limits   raw: never more than twice `points` of a field are held (and a few), however long the span.
// Thread   value
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/event.h"

namespace millstream::history {

struct SeriesRequest {
  std::vector<std::string> fields;  // empty: every field that appears (at most kSeriesFieldsMax)
  int64_t start_ms = 0;             // inclusive, event time
  int64_t end_ms = 0;               // exclusive
  size_t points = 600;              // how many buckets at most
  bool raw = false;                 // every point instead of buckets, at most `points` newest
};

struct Bucket {
  int64_t t_ms = 0;  // start of the bucket
  double min = 0;
  double max = 0;
  double avg = 0;
  double last = 0;
  uint64_t count = 0;
};

struct RawPoint {
  int64_t t_ms = 0;
  double value = 0;
};

struct SeriesResult {
  int64_t step_ms = 0;
  std::map<std::string, std::vector<Bucket>> buckets;  // by field, in time order
  std::map<std::string, std::vector<RawPoint>> raw;    // with `raw`
  bool truncated = false;                              // fields or raw points were left out
};

class SeriesBuilder {
 public:
  // Fails with Code::unprocessable naming the maximum, or Code::invalid for an empty span.
  static Result<SeriesBuilder> make(SeriesRequest request);

  // Events in id order. Other types and times outside the span are passed over.
  void add(const model::Event& event);
  SeriesResult result() &&;

 private:
  struct Sample {
    int64_t t_ms;
    double value;
  };
  explicit SeriesBuilder(SeriesRequest request);
  void keep_newest(std::vector<Sample>& samples);

  SeriesRequest request_;
  int64_t step_ms_ = 1;
  bool truncated_ = false;
  std::map<std::string, std::vector<Sample>> samples_;
};

}  // namespace millstream::history
