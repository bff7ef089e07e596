// presence/rhythm.h: how often a device is heard, learned from when it was.
//
// Shapes   the median of the last kKept intervals between reports, of which kNeeded must have been seen. What comes
//          within kBurstMs of a report belongs to it: a device that empties its buffer has not become a fast one.
// Rules    An interval in which the listener was away, or the way was cut, says nothing: pause() leaves it out.
//          An outage of the device itself is one interval among others, which a median does not follow.
// Thread   value
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "model/state_text.h"

namespace millstream::presence {

class Rhythm {
 public:
  static constexpr size_t kKept = 8;
  static constexpr size_t kNeeded = 4;
  static constexpr int64_t kBurstMs = 1000;

  // True when it added an interval.
  bool heard(int64_t now_ms) {
    if (from_ms_ == kPaused) {
      from_ms_ = now_ms;
      return false;
    }
    const int64_t interval_ms = now_ms - from_ms_;
    if (interval_ms < kBurstMs) return false;
    from_ms_ = now_ms;
    intervals_ms_[next_] = static_cast<uint32_t>(std::min<int64_t>(interval_ms, std::numeric_limits<uint32_t>::max()));
    next_ = static_cast<uint8_t>((next_ + 1) % kKept);
    count_ = static_cast<uint8_t>(std::min<size_t>(count_ + 1u, kKept));
    return true;
  }
  void pause() { from_ms_ = kPaused; }

  std::optional<int64_t> interval_ms() const {
    if (count_ < kNeeded) return std::nullopt;
    std::array<uint32_t, kKept> sorted = intervals_ms_;
    const auto middle = sorted.begin() + count_ / 2;
    std::nth_element(sorted.begin(), middle, sorted.begin() + count_);
    return *middle;
  }

  // The oldest first.
  void save(model::StateWriter& out) const {
    out.number(from_ms_).number(count_);
    for (size_t i = 0; i < count_; ++i) out.number(intervals_ms_[(next_ + kKept - count_ + i) % kKept]);
  }
  void load(model::StateReader& in) {
    from_ms_ = in.number();
    const int64_t count = in.number();
    if (count < 0 || count > static_cast<int64_t>(kKept)) return in.fail();
    for (int64_t i = 0; i < count; ++i) {
      const int64_t interval_ms = in.number();
      if (interval_ms < 0 || interval_ms > std::numeric_limits<uint32_t>::max()) return in.fail();
      intervals_ms_[static_cast<size_t>(i)] = static_cast<uint32_t>(interval_ms);
    }
    count_ = static_cast<uint8_t>(count);
    next_ = static_cast<uint8_t>(count % static_cast<int64_t>(kKept));
  }

 private:
  static constexpr int64_t kPaused = -1;

  int64_t from_ms_ = kPaused;  // when the interval that is running began
  std::array<uint32_t, kKept> intervals_ms_{};
  uint8_t count_ = 0;
  uint8_t next_ = 0;
};

}  // namespace millstream::presence
