#include "load/event_ids.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace millstream::load {

int64_t utc_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::string rfc3339(int64_t ms) {
  const time_t seconds = ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  const size_t size = std::strftime(text, sizeof text, "%FT%T", &parts);
  std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(ms % 1000));
  return text;
}

std::string EventIds::next(int64_t now_ms) {
  seq_ = now_ms > last_ms_ ? 0 : seq_ + 1;
  last_ms_ = std::max(last_ms_, now_ms);
  return std::to_string(last_ms_) + "-" + std::to_string(seq_);
}

std::string event_json(const std::string& id, int64_t now_ms, std::string_view body) {
  std::string event = "{\"id\":\"" + id + "\",\"ts\":\"" + rfc3339(now_ms) +
                      "\",\"topic\":\"account:demo/site:bench/device:bench-0\",\"type\":\"telemetry\",\"data\":";
  event.append(body).append("}");
  return event;
}

}  // namespace millstream::load
