// log/hour_scan.h: one read() on its way through hour files.
//
// Thread   value
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "log/event_log.h"

namespace millstream::log {

struct Scan {
  const ReadRequest& request;
  int64_t low = 0;  // packed ids, both inclusive
  int64_t high = 0;
  size_t rows_left = 0;             // how many rows may still be looked at
  const TakeEvent* sink = nullptr;  // where events go; null: they are kept
  model::Event taken;               // the one on its way there, used again and again

  std::vector<model::Event> events;
  model::EventId scanned_to;  // newest row looked at, in the order asked
  bool stopped = false;       // before the end of the span: page full, or no rows left
  struct Damage {
    int64_t first = 0;  // packed, as the file has them: they may reach out of the span
    int64_t last = 0;
    size_t rows = 0;
  };
  std::vector<Damage> damaged;

  // An empty one, for a row to fill in and then give().
  model::Event& next_event() {
    if (!sink) return events.emplace_back();
    taken.data.clear();
    taken.fields.clear();
    taken.conclusion = 0;
    return taken;
  }
  void give() {
    if (sink) (*sink)(taken);
  }
  bool ascending() const { return request.order == Order::ascending; }
  // What has been gone through, cut to the span.
  IdRange scanned_span() const {
    const int64_t first = stopped && !ascending() ? scanned_to.packed() : low;
    return {.after = model::EventId::from_packed(first - 1),
            .to = stopped && ascending() ? scanned_to : model::EventId::from_packed(high)};
  }
  bool holds(int64_t id) const { return id >= low && id <= high; }
  // Ids of a row that fails its check may be anything. What lies outside the span is not missing from it.
  void add_damage(int64_t first, int64_t last, size_t rows) {
    if (last >= low && first <= high) damaged.push_back({first, last, rows});
  }
  // Calls take(IdRange) for each, cut to the span.
  template <class Take>
  void each_damage(const Take& take) const {
    for (const Damage& part : damaged) {
      take(IdRange{.after = model::EventId::from_packed(std::max(part.first, low) - 1),
                   .to = model::EventId::from_packed(std::min(part.last, high))});
    }
  }
};

}  // namespace millstream::log
