// rules/schedule.h: whether a rule is in force at a moment, by the local time of a place.
//
// Shapes   a part of a day lasts from `from` up to `to` by the clock on the wall there: on the day summer time begins
// an
//          hour of it may be missing, on the day it ends one comes twice. A part with `to` not above `from` goes on
//          into the next day, and belongs to the day it begins on.
// Errors   make(): Code::invalid for a time zone the system does not know.
// Thread   value
// Source   the IANA time zone database of the system, by Howard Hinnant's date library
#pragma once

#include <cstdint>
#include <limits>

#include "base/result.h"
#include "model/rule.h"

namespace date {
class time_zone;
}

namespace millstream::rules {

class Schedule {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  static Result<Schedule> make(const model::Schedule& settings);

  bool active(int64_t utc_ms) const;
  // The first moment from there on that is active.
  int64_t next_active_ms(int64_t utc_ms) const;

 private:
  explicit Schedule(const date::time_zone* zone, std::vector<model::ActiveTime> active)
      : zone_(zone), active_(std::move(active)) {}

  const date::time_zone* zone_;
  std::vector<model::ActiveTime> active_;
};

}  // namespace millstream::rules
