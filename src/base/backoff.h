// base/backoff.h: how long to wait before the next try: doubled at every failure, capped, and drawn at random below
// that, so that many who lost the same broker do not come back in step.
//
// Thread   one thread at a time
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

namespace millstream {

class Backoff {
 public:
  Backoff(int64_t first_ms, int64_t max_ms, uint64_t seed) : first_ms_(first_ms), max_ms_(max_ms), random_(seed) {}

  void succeeded() { ceiling_ms_ = 0; }
  // From half of the ceiling to the whole of it.
  int64_t next_ms() {
    ceiling_ms_ = std::clamp(ceiling_ms_ * 2, first_ms_, max_ms_);
    const int64_t half = ceiling_ms_ / 2;
    return half + static_cast<int64_t>(random_() % static_cast<uint64_t>(ceiling_ms_ - half + 1));
  }

 private:
  const int64_t first_ms_;
  const int64_t max_ms_;
  std::mt19937_64 random_;
  int64_t ceiling_ms_ = 0;
};

}  // namespace millstream
