#include "log/retention_time.h"

namespace millstream::log {

void RetentionTime::begin(int64_t known_ms, int64_t wall_ms, int64_t steady_ms) {
  follow(wall_ms);
  steady_ms_ = steady_ms;
  if (known_ms == 0 || wall_ms - known_ms <= kClockLeapMs) return;
  now_ms_ = known_ms;
  ahead_ms_ = wall_ms - known_ms;
  believed_at_ms_ = steady_ms + kPauseDoubtMs;
}

bool RetentionTime::move(int64_t wall_ms, int64_t steady_ms) {
  now_ms_ += steady_ms - steady_ms_;
  steady_ms_ = steady_ms;
  const int64_t ahead_ms = wall_ms - now_ms_;
  const bool leapt = ahead_ms > ahead_ms_ + kClockLeapMs;
  if (leapt) believed_at_ms_ = steady_ms + retention_ms_;
  if (ahead_ms <= kClockLeapMs || steady_ms >= *believed_at_ms_) {
    follow(wall_ms);
  } else {
    ahead_ms_ = ahead_ms;
  }
  return leapt;
}

void RetentionTime::follow(int64_t wall_ms) {
  now_ms_ = wall_ms;
  ahead_ms_ = 0;
  believed_at_ms_.reset();
}

}  // namespace millstream::log
