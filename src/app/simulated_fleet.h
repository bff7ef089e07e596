// app/simulated_fleet.h: a made-up plant for trying things out: boilers, chillers, pumps, meters and more.
//
// Flow     command_simulate asks due(now) and posts what comes back.
// Shapes   Each device sends one point an interval, all devices spread over it, so that something happens all the time.
//          The fields, in this order: temperature pressure humidity flow voltage current power vibration energy
//          (a counter), then state (text) or door (true or false), then temperature_2, temperature_3, …
//          A value is slow drift + daily wave + noise, and a function of (seed, device, time) alone.
//          Trouble comes on a schedule: every kTroublePeriodMs one device is for kTroubleMs too hot (a boiler), shaking
//          (a pump) or short of voltage (any), long and far enough for examples/demo.toml; the first, a boiler,
//          kFirstTroubleMs after the start. One device is silent for kDarkMs of every kDarkPeriodMs.
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/point.h"

namespace millstream::app {

struct FleetOptions {
  int devices = 24;
  int sites = 3;
  int fields = 10;
  int64_t interval_ms = 5'000;
  uint64_t seed = 1;
  int64_t start_ms = 0;  // wall time
};

class SimulatedFleet {
 public:
  static constexpr int64_t kFirstTroubleMs = 20'000;
  static constexpr int64_t kTroublePeriodMs = 90'000;
  static constexpr int64_t kTroubleMs = 50'000;
  static constexpr int64_t kFirstDarkMs = 60'000;
  static constexpr int64_t kDarkPeriodMs = 180'000;
  static constexpr int64_t kDarkMs = 40'000;

  enum class Trouble : uint8_t { none, hot, shaking, low_voltage };

  explicit SimulatedFleet(FleetOptions options);

  // The points that have become due since the last call, in the order of their times. After a long pause (a suspended
  // machine) the missed ones are skipped: a real device was not measuring either.
  std::vector<model::Point> due(int64_t now_ms);
  int64_t next_due_ms() const;

  model::Point sample(int device, int64_t ts_ms) const;
  bool is_dark(int device, int64_t ts_ms) const;
  Trouble trouble(int device, int64_t ts_ms) const;

  int devices() const { return static_cast<int>(devices_.size()); }
  const std::string& device_name(int device) const { return devices_[static_cast<size_t>(device)].name; }
  const std::string& site_name(int device) const { return devices_[static_cast<size_t>(device)].site; }

 private:
  struct Kind;
  struct Device {
    std::string name;
    std::string site;
    const Kind* kind;
    int64_t next_ms;
  };
  static const std::vector<Kind>& kinds();

  double severity(int device, int64_t ts_ms, Trouble asked) const;  // 0 none, 1 full
  int troubled_device(int64_t episode) const;
  Trouble troubled_how(int64_t episode) const;
  double wander(int device, int channel, int64_t ts_ms) const;
  double noise(int device, int channel, int64_t ts_ms) const;
  model::FieldValue value(int device, int channel, int64_t ts_ms) const;
  double measured(int device, int channel, int64_t ts_ms) const;
  std::vector<int> devices_of_kind(std::string_view kind) const;

  const FleetOptions options_;
  std::vector<Device> devices_;
  std::vector<int> boilers_;
  std::vector<int> pumps_;
};

}  // namespace millstream::app
