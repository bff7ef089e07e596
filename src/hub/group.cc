#include "hub/group.h"

#include <algorithm>

namespace millstream::hub {

bool Group::takes(const model::Topic& topic, const FramedEvent& event) const {
  if (!takes_kind(event)) return false;
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return pattern.matches(topic); });
}

void Group::refill(int64_t per_second, int64_t now_ms) {
  const auto most = static_cast<double>(per_second);
  telemetry_left = std::min(most, telemetry_left + most * static_cast<double>(now_ms - refilled_at_ms) / 1000);
  refilled_at_ms = now_ms;
}

}  // namespace millstream::hub
