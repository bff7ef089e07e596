#include "app/jwks_schedule.h"

#include <algorithm>

namespace millstream::app {

JwksSchedule::Due JwksSchedule::due(int64_t now_ms) const {
  // Before a fetch, which may take its time to fail: keys that are too old must not count meanwhile.
  if (good_ms_ && now_ms >= *good_ms_ + kKeepMs) return Due::drop;
  return wanted_ || now_ms >= regular_ms_ ? Due::fetch : Due::nothing;
}

int64_t JwksSchedule::next_ms() const {
  if (wanted_) return INT64_MIN;
  return good_ms_ ? std::min(regular_ms_, *good_ms_ + kKeepMs) : regular_ms_;
}

bool JwksSchedule::want(int64_t now_ms) {
  if (wanted_ || (wanted_ms_ && now_ms < *wanted_ms_ + refetch_min_ms_)) return false;
  wanted_ = true;
  wanted_ms_ = now_ms;
  return true;
}

void JwksSchedule::began() { wanted_ = false; }

void JwksSchedule::succeeded(int64_t now_ms) {
  good_ms_ = now_ms;
  regular_ms_ = now_ms + refresh_ms_;
}

void JwksSchedule::failed(int64_t now_ms) {
  regular_ms_ = now_ms + std::min(refresh_ms_, good_ms_ ? kRetryKeptMs : kRetryMs);
}

}  // namespace millstream::app
