// history/series.h: charts: one device's fields over a span, as buckets that keep the true extremes.
//
// Flow     the caller reads the device's numbers from the log and adds them; result() gives the buckets.
// Shapes   bucket i covers [start + i*step, start + (i+1)*step) of event time, ms; empty buckets are left out, so gaps
//          stay visible. Values are numbers; bool counts as 0 or 1; strings are left out.
//          Same (field, ts) again: the later event wins, also in min, max, avg and count.
// Limits   raw: never more than twice `points` of a field are held (and a few), however long the span.
// Thread   value
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/sample.h"

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

  int64_t step_ms() const { return step_ms_; }
  // Of one field, in id order; so are calls for one field. Times lie in the span.
  void add(std::string_view field, std::span<const model::Sample> samples);
  // Sums within one bucket, between whose times no other value falls. Not with `raw`.
  void add(std::string_view field, const model::SampleSums& sums);
  SeriesResult result() &&;

 private:
  struct Values {
    std::vector<model::Sample> samples;
    std::vector<model::SampleSums> sums;
  };
  explicit SeriesBuilder(SeriesRequest request);
  Values* values_of(std::string_view field);  // null: one field too many
  void keep_newest(std::vector<model::Sample>& samples);
  std::vector<Bucket> buckets_of(Values& values) const;

  SeriesRequest request_;
  int64_t step_ms_ = 1;
  bool truncated_ = false;
  std::map<std::string, Values, std::less<>> values_;
};

}  // namespace millstream::history
