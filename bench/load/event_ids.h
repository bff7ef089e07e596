// load/event_ids.h: ids and times as Millstream writes them, for those that must make their own.
//
// Thread   value
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millstream::load {

int64_t utc_ms();
// "2026-01-27T12:34:56.789Z"
std::string rfc3339(int64_t ms);

// "<ms>-<seq>", always growing.
class EventIds {
 public:
  std::string next(int64_t now_ms);

 private:
  int64_t last_ms_ = 0;
  int64_t seq_ = 0;
};

// {"id":…,"ts":…,"topic":…,"type":"telemetry","data":<body>}
std::string event_json(const std::string& id, int64_t now_ms, std::string_view body);

}  // namespace millstream::load
