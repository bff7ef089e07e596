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

uint32_t Broadcasts::published(int64_t at_ns) {
  events_.push_back({at_ns});
  ++counts_.published;
  return static_cast<uint32_t>(events_.size() - 1);
}

void Broadcasts::refused(uint32_t n) {
  if (!events_[n].taken) return;
  events_[n].taken = false;
  ++counts_.refused;
}

void Broadcasts::delivered(ViewerPosition& viewer, std::string_view id, std::string_view data, int64_t at_ns) {
  const std::optional<uint64_t> packed = packed_id(id);
  if (!packed) {
    ++counts_.strange;
    return;
  }
  if (!find_place(viewer, *packed, data)) return;
  Event& event = events_[order_[viewer.next].n];
  ++viewer.next;
  ++counts_.deliveries;
  to_each_.add(at_ns - event.published_ns);
  if (++event.receivers == viewers_) {
    to_last_.add(at_ns - event.published_ns);
    ++complete_;
  }
}

// True when viewer.next now is the place of `id`.
bool Broadcasts::find_place(ViewerPosition& viewer, uint64_t id, std::string_view data) {
  if (viewer.next < order_.size() && order_[viewer.next].id == id) return true;
  if (order_.empty() || id > order_.back().id) {
    const std::optional<uint32_t> n = event_number(data);
    if (!n || *n >= events_.size()) {
      ++counts_.strange;
      return false;
    }
    counts_.skipped += static_cast<int64_t>(order_.size()) - viewer.next;
    viewer.next = static_cast<uint32_t>(order_.size());
    order_.push_back({id, *n});
    return true;
  }
  const auto place = std::lower_bound(order_.begin(), order_.end(), id,
                                      [](const Place& known, uint64_t wanted) { return known.id < wanted; });
  const uint32_t index = static_cast<uint32_t>(place - order_.begin());
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
