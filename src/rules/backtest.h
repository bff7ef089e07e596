// rules/backtest.h: what a rule would have said of the past: the same engine, led through what was stored.
//
// Flow     api/rule_past.h reads the log. may_fire() passes over the devices of which no alert can come; every other
//          one has an engine of its own, a DeviceBacktest, which takes its events; PastAlerts gathers what comes of
//          all.
// Shapes   The rule is in force from the first event on, with nothing known before: windows and baselines begin empty.
//          Time is that of the ids, as for the engine that is live.
// Limits   PastAlerts keeps the first of all alert events by their time, up to a number, and counts the others.
// Thread   value
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/engine.h"
#include "model/rule.h"
#include "rules/rule_engine.h"
#include "rules/rule_instance.h"

namespace millstream::rules {

// Between which bounds a field's numbers lay; bool counts as 0 or 1.
struct Extremes {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  bool none() const { return low > high; }
};
using FieldExtremes = std::map<std::string, Extremes, std::less<>>;

// False: no value within these bounds makes the rule fire, whatever their order and times. True where bounds cannot
// tell: of a rule that may fire without any number, always.
bool may_fire(const model::Rule& rule, const Attributes& attributes, const FieldExtremes& seen);

// The fields the rule looks at, each once.
std::vector<std::string> fields_of(const model::Rule& rule);

// One device's past.
class DeviceBacktest {
 public:
  // `attributes`: of the device.
  DeviceBacktest(const model::Rule& rule, const model::Topic& device, Attributes attributes);

  // In id order; of telemetry the fields the rule looks at are decoded.
  void take(const model::Event& event);
  // What has come so far, each once.
  const model::Conclusions& alerts() const { return out_; }
  model::Conclusions take_alerts() { return std::exchange(out_, {}); }
  // Lets time pass up to the end of the stretch, and gives the alert events in the order in which they came.
  model::Conclusions end(int64_t until_ms) &&;

 private:
  RuleEngine engine_;
  model::Conclusions out_;
};

class PastAlerts {
 public:
  explicit PastAlerts(size_t kept_max) : kept_max_(kept_max) {}

  void add(model::Conclusions of_device);
  // Part of what one device brings, after what came of it before; `at_ms` is kept for it between its parts.
  void add(model::Conclusions part, int64_t& at_ms);
  size_t fired() const { return fired_; }  // alerts that began
  size_t left_out() const { return count_ - std::min(count_, kept_max_); }
  const std::set<model::Topic>& devices() const { return devices_; }  // of which there was any
  // In order of time, and those of one device as they came.
  std::vector<model::Event> first() &&;

 private:
  struct Kept {
    int64_t at_ms;  // its time, or that of one before it of the same device
    uint64_t number;
    model::Event event;
  };
  static bool earlier(const Kept& a, const Kept& b);

  const size_t kept_max_;
  size_t count_ = 0;
  size_t fired_ = 0;
  std::set<model::Topic> devices_;
  std::vector<Kept> kept_;  // less than twice as many as are to be kept, and what one part adds
};

}  // namespace millstream::rules
