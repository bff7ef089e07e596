#include "load/broadcasts.h"

#include <algorithm>
#include <charconv>

namespace millstream::load {

std::optional<uint64_t> packed_id(std::string_view id) {
  uint64_t ms = 0;
  uint64_t seq = 0;
  const char* const end = id.data() + id.size();
  const auto [dash, ms_error] = std::from_chars(id.data(), end, ms);
  if (ms_error != std::errc() || dash == end || (*dash != '-' && *dash != ':')) return std::nullopt;
  const auto [stop, seq_error] = std::from_chars(dash + 1, end, seq);
  if (seq_error != std::errc() || stop != end || seq >= (uint64_t{1} << 20)) return std::nullopt;
  return ms << 20 | seq;
}

std::optional<uint32_t> event_number(std::string_view data) {
  constexpr std::string_view kKey = "\"n\":";
  const size_t at = data.find(kKey);
  if (at == std::string_view::npos) return std::nullopt;
  uint32_t n = 0;
  const char* const begin = data.data() + at + kKey.size();
  if (std::from_chars(begin, data.data() + data.size(), n).ec != std::errc()) return std::nullopt;
  return n;
}

Broadcasts::Broadcasts(uint32_t viewers, uint32_t audiences) : audiences_(audiences) {
  for (uint32_t i = 0; i < audiences; ++i) {
    audiences_[i].viewers = viewers / audiences + (i < viewers % audiences ? 1 : 0);
  }
}

uint32_t Broadcasts::published(int64_t at_ns, uint32_t audience) {
  events_.push_back({at_ns, audience});
  ++counts_.published;
  counts_.expected += audiences_[audience].viewers;
  return static_cast<uint32_t>(events_.size() - 1);
}

void Broadcasts::refused(uint32_t n) {
  if (!events_[n].taken) return;
  events_[n].taken = false;
  ++counts_.refused;
  counts_.expected -= audiences_[events_[n].audience].viewers;
}

void Broadcasts::viewer_left(const ViewerPosition& viewer) {
  if (viewer.audience < audiences_.size()) ++audiences_[viewer.audience].left;
}

void Broadcasts::delivered(ViewerPosition& viewer, std::string_view id, std::string_view data, int64_t at_ns) {
  const std::optional<uint64_t> packed = packed_id(id);
  if (!packed || viewer.audience >= audiences_.size()) {
    ++counts_.strange;
    return;
  }
  if (!find_place(viewer, *packed, data)) return;
  const Audience& audience = audiences_[viewer.audience];
  Event& event = events_[audience.order[viewer.next].n];
  ++viewer.next;
  ++counts_.deliveries;
  to_each_.add(at_ns - event.published_ns);
  if (++event.receivers == audience.viewers - audience.left) {
    to_last_.add(at_ns - event.published_ns);
    ++complete_;
  }
}

// True when viewer.next now is the place of `id`.
bool Broadcasts::find_place(ViewerPosition& viewer, uint64_t id, std::string_view data) {
  std::vector<Place>& order = audiences_[viewer.audience].order;
  if (viewer.next < order.size() && order[viewer.next].id == id) return true;
  if (order.empty() || id > order.back().id) {
    const std::optional<uint32_t> n = event_number(data);
    if (!n || *n >= events_.size() || events_[*n].audience != viewer.audience) {
      ++counts_.strange;
      return false;
    }
    counts_.skipped += static_cast<int64_t>(order.size()) - viewer.next;
    viewer.next = static_cast<uint32_t>(order.size());
    order.push_back({id, *n});
    return true;
  }
  const auto place = std::lower_bound(order.begin(), order.end(), id,
                                      [](const Place& known, uint64_t wanted) { return known.id < wanted; });
  const uint32_t index = static_cast<uint32_t>(place - order.begin());
  if (place->id != id) {
    ++counts_.strange;  // between two ids the others got one after the other
  } else if (index < viewer.next) {
    ++counts_.duplicates;
  } else {
    counts_.skipped += index - viewer.next;
    viewer.next = index;
    return true;
  }
  return false;
}

void Broadcasts::restart_clock() {
  to_each_.clear();
  to_last_.clear();
}

}  // namespace millstream::load
