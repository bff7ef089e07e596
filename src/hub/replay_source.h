// hub/replay_source.h: where a session gets what is older than the frames in memory.
//
// Flow     app/ implements it over the log and the reader threads; the hub knows neither.
// Thread   loop; `done` comes back on the same loop
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "hub/framed_batch.h"
#include "model/event.h"

namespace millstream::hub {

struct ReplayRequest {
  model::EventId after;  // exclusive
  model::EventId until;  // inclusive
  std::vector<model::TopicPattern> patterns;
  model::EventTypes types = model::EventTypes::all();
  bool first = false;  // the first page of a resume: also check for trimmed history and for too many events
};

struct ReplayPage {
  FramedBatchPtr frames;      // null: nothing matched up to scanned_to
  model::EventId scanned_to;  // go on after this id
  bool too_many = false;      // more than replay_events_max events are missing; nothing was read
  // Set when events up to this id are lost: they are older than the retention, or damaged. The page begins after it.
  std::optional<model::EventId> trimmed_to;
};

class ReplaySource {
 public:
  // Does not block and does not call `done` from inside. An Error means: not now (queue full, log unreadable).
  virtual void read(ReplayRequest request, std::function<void(Result<ReplayPage>)> done) = 0;
  // The newest id given by the log, possibly not delivered to this shard yet.
  virtual model::EventId last_id() const = 0;

 protected:
  ~ReplaySource() = default;
};

}  // namespace millstream::hub
