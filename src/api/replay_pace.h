// api/replay_pace.h: when the next event of a replay is due.
//
// Flow     due() before an event, told() when it has been told, hold() when the viewer took its time.
// Shapes   event times in UTC ms, as in the ids; everything else in steady ms. Pauses add up as fractions, so that a
//          long replay keeps its time. What is late because of us is made up for; because of the viewer, it is not.
// Limits   a pause of more than kPauseMsMax, at the chosen speed, is cut to that.
// Thread   value
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

namespace millstream::api {

class ReplayPace {
 public:
  static constexpr int64_t kPauseMsMax = 5000;

  // `speed`: how much faster than it was; none: no pauses at all.
  explicit ReplayPace(std::optional<double> speed) : speed_(speed) {}

  // As if this had just been told.
  void begin(int64_t event_ms, int64_t now_ms) {
    last_ms_ = event_ms;
    last_due_ms_ = static_cast<double>(now_ms);
  }
  // The first is due at once.
  int64_t due(int64_t event_ms, int64_t now_ms) const {
    return speed_ && last_ms_ ? static_cast<int64_t>(std::ceil(exactly_due(event_ms))) : now_ms;
  }
  bool is_cut(int64_t event_ms) const { return speed_ && last_ms_ && pause(event_ms) > kPauseMsMax; }
  void told(int64_t event_ms, int64_t now_ms) {
    if (speed_ && last_ms_) {
      last_due_ms_ = exactly_due(event_ms);
      last_ms_ = event_ms;
    } else {
      begin(event_ms, now_ms);
    }
  }
  void hold(int64_t now_ms) { last_due_ms_ = std::max(last_due_ms_, static_cast<double>(now_ms)); }

 private:
  double pause(int64_t event_ms) const { return static_cast<double>(event_ms - *last_ms_) / *speed_; }
  double exactly_due(int64_t event_ms) const {
    return last_due_ms_ + std::min(pause(event_ms), static_cast<double>(kPauseMsMax));
  }

  std::optional<double> speed_;
  std::optional<int64_t> last_ms_;
  double last_due_ms_ = 0;
};

}  // namespace millstream::api
