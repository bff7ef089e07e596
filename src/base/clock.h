// base/clock.h: the only place that reads the time.
//
// Shapes   wall time: UTC milliseconds since 1970 (data only, may jump). Steady time: microseconds since an arbitrary
//          start (timers and latencies, never goes back).
// Thread   any
#pragma once

#include <atomic>
#include <cstdint>

namespace millstream {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t wall_ms() const = 0;
  virtual int64_t steady_us() const = 0;
  int64_t steady_ms() const { return steady_us() / 1000; }
};

class SystemClock final : public Clock {
 public:
  int64_t wall_ms() const override;
  int64_t steady_us() const override;
};

// For tests: stands still until told otherwise.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t wall_ms) : wall_ms_(wall_ms) {}
  int64_t wall_ms() const override { return wall_ms_.load(); }
  int64_t steady_us() const override { return steady_us_.load(); }

  // Both clocks move forward.
  void advance_ms(int64_t ms) {
    wall_ms_ += ms;
    steady_us_ += ms * 1000;
  }
  // Only the wall clock moves, as when an operator or NTP sets it.
  void set_wall_ms(int64_t wall_ms) { wall_ms_ = wall_ms; }

 private:
  std::atomic<int64_t> wall_ms_;
  std::atomic<int64_t> steady_us_{0};
};

}  // namespace millstream
