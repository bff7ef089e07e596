#include "log/missing_parts.h"

#include <algorithm>

namespace millstream::log {

void cut_to(const IdRange& range, std::vector<Missing>& parts) {
  std::erase_if(parts, [&](const Missing& part) { return !overlap(part.ids, range); });
  for (Missing& part : parts) {
    part.ids = {.after = std::max(part.ids.after, range.after), .to = std::min(part.ids.to, range.to)};
  }
}

std::vector<Missing> joined(std::vector<Missing> parts) {
  std::sort(parts.begin(), parts.end(), [](const Missing& a, const Missing& b) { return a.ids.after < b.ids.after; });
  std::vector<Missing> out;
  for (const Missing& part : parts) {
    const bool goes_on = !out.empty() && out.back().why == part.why && part.ids.after <= out.back().ids.to;
    if (goes_on || out.size() == kMissingPartsMax) {
      out.back().ids.to = std::max(out.back().ids.to, part.ids.to);
    } else {
      out.push_back(part);
    }
  }
  return out;
}

IdRange received_within(int64_t start_ms, int64_t end_ms) {
  const auto before = [](int64_t ms) {
    return model::EventId{std::clamp<int64_t>(ms, 1, model::EventId::kMsMax) - 1, model::EventId::kSeqMax};
  };
  return {.after = before(start_ms), .to = before(end_ms)};
}

}  // namespace millstream::log
