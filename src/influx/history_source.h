// influx/history_source.h: the seam to the log: where telemetry is read again, and where it is noted how far it is
// written.
//
// Thread   the writer's; blocks
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/result.h"
#include "model/event.h"

namespace millstream::influx {

struct HistoryPage {
  std::vector<model::Event> events;  // telemetry, in id order; `fields` need not be decoded
  model::EventId to;                 // everything up to and with this was looked at
  bool more = false;                 // there is more up to the end that was asked for
  model::EventId lost_after;         // before `events`, those above this one and up to
  model::EventId lost_to;            // this one are not in the log any more; equal: nothing is lost
};

class HistorySource {
 public:
  virtual ~HistorySource() = default;
  // Above `after`, up to and with `until`.
  virtual Result<HistoryPage> read(model::EventId after, model::EventId until, size_t events_max) = 0;
  // What save() was last given by whoever wrote last; nothing: never.
  virtual Result<std::optional<model::EventId>> load() = 0;
  virtual void save(model::EventId position) = 0;
  virtual model::EventId last_id() const = 0;  // the end of the log
};

}  // namespace millstream::influx
