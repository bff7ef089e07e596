// load/fleet_batch.h: line protocol of the demo's plant (app/simulated_fleet.h): slow drift with two decimals, a
// counter, a state.
//
// Shapes   One line a device and interval, as the devices' turn comes. Bodies are batches of so many lines, and either
//          as many lines are a whole number of rounds through the devices or the devices a whole number of batches.
//          FleetBatches renders its bodies before the clock starts and sets the times anew, in place: sending costs
//          next to nothing. FleetHistory renders each when it is asked for: no value repeats, and the times are the
//          past's. Times are milliseconds, 13 digits.
// Thread   value; gateways share one fleet
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/simulated_fleet.h"
#include "load/batch_source.h"

namespace millstream::load {

// "telemetry,device=pump-01,site=depot temperature=41.2,… 1769517296789\n", the time in its last 13 digits.
void append_line(const model::Point& point, std::string& out);

// The devices behind one connection.
struct FleetShare {
  std::shared_ptr<const app::SimulatedFleet> fleet;
  int first_device = 0;
  int devices = 1;
};

class FleetBatches : public BatchSource {
 public:
  FleetBatches(const FleetShare& share, size_t lines, int64_t start_ms);
  std::string_view next(int64_t now_ms) override;

 private:
  struct Body {
    std::string text;
    std::vector<size_t> times;  // where each time begins
  };
  Body make_body(const FleetShare& share, size_t index, int64_t start_ms) const;

  const size_t lines_;
  const size_t devices_;
  std::vector<Body> bodies_;
  size_t turn_ = 0;
  int64_t round_ms_ = 0;
};

class FleetHistory : public BatchSource {
 public:
  // From `from_ms` on, and before `to_ms`.
  FleetHistory(FleetShare share, size_t lines, int64_t from_ms, int64_t to_ms);
  std::string_view next(int64_t now_ms) override;

 private:
  const FleetShare share_;
  const size_t lines_;
  const int64_t to_ms_;
  int64_t round_ms_;
  int device_ = 0;
  std::string text_;
};

inline constexpr int64_t kFleetIntervalMs = 5'000;

}  // namespace millstream::load
