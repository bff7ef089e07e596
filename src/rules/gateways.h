// rules/gateways.h: which devices of an account speak through which gateway.
//
// Flow     settings of devices go in; account_rules.h asks when a gateway comes or goes. A point asks nothing here.
// Thread   value
#pragma once

#include <map>
#include <set>
#include <vector>

#include "model/state_text.h"
#include "model/topic.h"

namespace millstream::rules {

class Gateways {
 public:
  // `gateway`: of the same site; empty: none. False: it is so already.
  bool put(const model::Topic& device, const model::DeviceId& gateway);
  std::vector<model::Topic> behind(const model::Topic& gateway) const;  // in order
  std::vector<model::Topic> devices() const;                            // that have one

  void save(model::StateWriter& writer) const;
  bool load(model::StateReader& reader);

 private:
  std::map<model::Topic, model::DeviceId> gateways_;            // by device
  std::map<model::Topic, std::set<model::DeviceId>> children_;  // by gateway; none is empty
};

}  // namespace millstream::rules
