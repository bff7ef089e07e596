// rules/baseline.h: what has been normal for a field so far, and how far a value is from it.
//
// Flow     judge() says how a value stands to what came before it, and then learns it.
// Shapes   ewma: the smoothed value. zscore: distance from the smoothed mean in smoothed standard deviations. mad:
//          distance from the median of the last kMadValues values, in their median absolute deviations, scaled
//          by 1.4826 so that for normal noise it reads like a zscore. Weights halve with settings.half_life_ms of event
//          time. With direction up or down only that side counts.
// Source   West, "Updating mean and variance estimates" (1979); Rousseeuw and Croux (1993) for the scale
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/rule.h"
#include "model/state_text.h"

namespace millstream::rules {

class Baseline {
 public:
  static constexpr size_t kMadValues = 255;

  // Nothing while it is warming up.
  std::optional<double> judge(model::Function fn, const model::BaselineSettings& settings, double value, int64_t ms);

  void save(model::StateWriter& writer) const;
  bool load(model::StateReader& reader);

 private:
  double absolute_deviation(double centre) const;
  void learn(model::Function fn, const model::BaselineSettings& settings, double value, int64_t ms);

  uint64_t seen_ = 0;
  int64_t newest_ms_ = 0;
  double mean_ = 0;
  double variance_ = 0;
  std::vector<double> values_;  // mad: the last ones, in a ring
  std::vector<double> sorted_;  // the same
  size_t next_ = 0;
};

}  // namespace millstream::rules
