#include "rules/schedule.h"

#include <date/tz.h>

#include <algorithm>
#include <exception>

namespace millstream::rules {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

date::sys_time<milliseconds> moment(int64_t utc_ms) { return date::sys_time<milliseconds>(milliseconds(utc_ms)); }

bool has_day(const model::ActiveTime& part, date::local_days day) {
  const unsigned from_monday = date::weekday(day).iso_encoding() - 1;
  return (part.days >> from_monday & 1u) != 0;
}

}  // namespace

Result<Schedule> Schedule::make(const model::Schedule& settings) {
  // The library throws for a name it does not know, and for a system without the database.
  try {
    return Schedule(date::locate_zone(settings.tz), settings.active);
  } catch (const std::exception&) {
    return Error{Code::invalid, "schedule.tz: no time zone is called \"" + settings.tz + "\""};
  }
}

bool Schedule::active(int64_t utc_ms) const {
  const auto local = zone_->to_local(moment(utc_ms));
  const auto day = date::floor<date::days>(local);
  const auto minute = static_cast<int>(std::chrono::duration_cast<minutes>(local - day).count());
  return std::any_of(active_.begin(), active_.end(), [&](const model::ActiveTime& part) {
    if (part.from_min < part.to_min) return has_day(part, day) && minute >= part.from_min && minute < part.to_min;
    return (has_day(part, day) && minute >= part.from_min) ||
           (has_day(part, day - date::days(1)) && minute < part.to_min);
  });
}

int64_t Schedule::next_active_ms(int64_t utc_ms) const {
  if (active(utc_ms)) return utc_ms;
  const auto today = date::floor<date::days>(zone_->to_local(moment(utc_ms)));
  int64_t next = kNever;
  for (int ahead = 0; ahead <= 8; ++ahead) {
    const auto day = today + date::days(ahead);
    for (const model::ActiveTime& part : active_) {
      if (!has_day(part, day)) continue;
      // A beginning that the clocks leap over is the leap.
      const date::local_time<milliseconds> begins = day + minutes(part.from_min);
      const int64_t ms = zone_->to_sys(begins, date::choose::earliest).time_since_epoch().count();
      if (ms > utc_ms && ms < next && active(ms)) next = ms;
    }
  }
  return next;
}

}  // namespace millstream::rules
