// rules/evaluation_budget.h: what an account may spend on looking at values: a bucket that fills up with log time.
//
// Shapes   A second's worth at most. What one event costs is known only afterwards, so that a debt may arise, which is
//          paid before anything more is spent.
// Thread   one thread at a time
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/state_text.h"

namespace millstream::rules {

class EvaluationBudget {
 public:
  // Whether anything is left at that time, which does not go back.
  bool has_left(int64_t now_ms, int64_t per_second) {
    if (now_ms != filled_ms_) fill(now_ms, per_second);
    return left_ > 0;
  }
  void spend(int64_t evaluations) { left_ -= evaluations * kParts; }

  void save(model::StateWriter& writer) const { writer.number(left_).number(filled_ms_); }
  void load(model::StateReader& reader) {
    left_ = reader.number();
    filled_ms_ = reader.number();
  }

 private:
  static constexpr int64_t kParts = 1000;  // a millisecond's worth is a whole number of them
  static constexpr int64_t kFillMsMax = 3'600'000;

  void fill(int64_t now_ms, int64_t per_second) {
    const int64_t full = per_second * kParts;
    const int64_t passed_ms = std::min<int64_t>(now_ms - filled_ms_, kFillMsMax);
    left_ = std::min(full, left_ + passed_ms * per_second);
    filled_ms_ = now_ms;
  }
  int64_t left_ = 0;
  int64_t filled_ms_ = -kFillMsMax;  // full when it is first asked
};

}  // namespace millstream::rules
