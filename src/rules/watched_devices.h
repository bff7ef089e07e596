// rules/watched_devices.h: every (rule, device) the engine keeps state for, and the deadlines among them.
//
// Flow     at the first value of a field, a device gets one instance for each rule that reads the field and takes the
//          device; from then on a value finds its rules by one look-up.
// Limits   a device's fields without a pending or firing instance are forgotten a day after their newest value, which
//          nothing can tell from having kept them: any value to come is newer than what lateness could reach.
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/state_text.h"
#include "model/topic.h"
#include "rules/rule_instance.h"
#include "rules/rule_set.h"

namespace millstream::rules {

class WatchedDevices {
 public:
  struct WatchedField {
    uint32_t number;
    std::vector<Instance> instances;  // by rule place; never resized, so that pointers to them stay good
  };
  struct Device {
    const model::Topic* topic;         // the key it is stored under
    std::vector<WatchedField> fields;  // by number
  };
  struct Deadline {
    int64_t ms;
    const Device* device;
    Instance* instance;
    bool operator<(const Deadline& other) const;  // by (time, topic, rule place)
  };

  // `rules` outlives this.
  explicit WatchedDevices(const RuleSet& rules) : rules_(rules) {}

  Device& device(const model::Topic& topic);                                // added if it is new
  Device* find(const model::Topic& topic);                                  // nullptr: no state
  std::vector<Instance>& instances(Device& device, uint32_t field_number);  // added if they are new
  std::vector<Device*> by_topic();

  // Before an instance's phase or deadline changes, and after.
  void unset_deadline(const Device& device, Instance& instance);
  void set_deadline(const Device& device, Instance& instance);
  const Deadline* earliest() const { return deadlines_.empty() ? nullptr : &*deadlines_.begin(); }
  // Every pending instance takes `ms` longer: that span does not count for `for`.
  void postpone(int64_t ms);

  void forget_idle_since(int64_t ms);

  void save(model::StateWriter& writer) const;
  Status load(model::StateReader& reader);

 private:
  Status load_instance(Device& device, model::StateReader& reader);

  const RuleSet& rules_;
  std::unordered_map<model::Topic, Device> devices_;
  std::set<Deadline> deadlines_;  // one for every pending instance
};

}  // namespace millstream::rules
