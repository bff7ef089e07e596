// log/damage_told.h: which damaged parts have been counted and logged, so that each is told once however often it is
// read.
//
// Limits   kDamageToldMax parts; of further ones nothing is told any more.
// Thread   any
#pragma once

#include <cstdint>
#include <set>
#include <utility>

#include "base/guarded.h"
#include "log/event_log.h"

namespace millstream::log {

inline constexpr size_t kDamageToldMax = 100'000;

class DamageTold {
 public:
  // Of the part between these two packed ids, both as they stand in the file.
  bool first_time(int64_t first, int64_t last) {
    return parts_.with(
        [&](Parts& parts) { return parts.size() < kDamageToldMax && parts.emplace(first, last).second; });
  }
  // The same for a whole file, by the ids of its hour.
  bool first_time(const IdRange& ids) { return first_time(ids.after.packed(), ids.to.packed()); }
  void forget(const IdRange& ids) {
    parts_.with([&](Parts& parts) { parts.erase({ids.after.packed(), ids.to.packed()}); });
  }
  // Those that begin before this id.
  void forget_before(int64_t id) {
    parts_.with([&](Parts& parts) { parts.erase(parts.begin(), parts.lower_bound({id, INT64_MIN})); });
  }

 private:
  using Parts = std::set<std::pair<int64_t, int64_t>>;
  Guarded<Parts> parts_;
};

}  // namespace millstream::log
