// log/retention_time.h: the time that retention goes by, which no leap of the wall clock can carry away.
//
// Flow     move() every second: it is the wall clock's time, as long as that does not run ahead of the steady clock.
// Shapes   A wall clock that is ahead by more than kClockLeapMs has leapt: a wrong NTP answer, an operator, or a
// machine
//          that slept. Then retention goes on by the steady clock alone, until the wall clock is back, or has been
//          ahead for a whole retention: all that was stored before the leap has been kept its time then, so that a
//          wrong clock takes nothing, and a right one makes the log keep no more than twice as much. A start cannot
//          tell a leap from a pause. Where more than kClockLeapMs have passed since the last that is known, retention
//          goes on from there, and believes the wall clock after kPauseDoubtMs. A clock set back is followed at once:
//          nothing goes too early by that.
// Thread   one at a time
#pragma once

#include <cstdint>
#include <optional>

#include "base/limits.h"

namespace millstream::log {

inline constexpr int64_t kClockLeapMs = 5 * 60'000;
inline constexpr int64_t kPauseDoubtMs = kHourMs;

class RetentionTime {
 public:
  explicit RetentionTime(int64_t retention_ms) : retention_ms_(retention_ms) {}

  // `known_ms`: the newest time that is known from before; 0: nothing is.
  void begin(int64_t known_ms, int64_t wall_ms, int64_t steady_ms);
  // True: the wall clock has leapt since the last call.
  bool move(int64_t wall_ms, int64_t steady_ms);

  int64_t now_ms() const { return now_ms_; }
  int64_t oldest_kept_ms() const { return now_ms_ > retention_ms_ ? now_ms_ - retention_ms_ : 0; }
  bool doubts() const { return believed_at_ms_.has_value(); }  // the wall clock
  int64_t ahead_ms() const { return ahead_ms_; }               // of this time, while that is doubted

 private:
  void follow(int64_t wall_ms);

  const int64_t retention_ms_;
  int64_t now_ms_ = 0;
  int64_t steady_ms_ = 0;
  int64_t ahead_ms_ = 0;
  std::optional<int64_t> believed_at_ms_;  // steady
};

}  // namespace millstream::log
