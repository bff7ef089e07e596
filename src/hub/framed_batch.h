// hub/framed_batch.h: the ready-to-send bytes of a run of events, made once per process and shared by every viewer.
//
// Flow     log batch -> make_framed_batch() once -> every shard (live, ring) and every replaying session.
// Shapes   all frames lie one behind the other in one buffer, so that neighbours in the log are neighbours in memory
//          and a viewer of everything gets one slice.
// Thread   value; immutable and shared (the unnamed rendering is made on first use, locks inside)
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "codec/sse_frame.h"
#include "model/alert.h"
#include "model/event.h"

namespace millstream::hub {

struct FramedEvent {
  model::EventId id;
  model::EventType type = model::EventType::telemetry;
  model::Severity severity = model::Severity::critical;  // of an alert; nothing else is held back by it
  uint32_t topic = 0;                                    // index into FramedBatch::topics()
};

struct Rendering {
  std::string bytes;
  std::vector<codec::FrameExtent> extents;  // one per event, in order
};

class FramedBatch {
 public:
  // `through`: no event after this batch has an id at or below it. At least the last event's id.
  FramedBatch(std::span<const model::Event> events, model::EventId through, int64_t committed_at_us);

  const std::vector<FramedEvent>& events() const { return events_; }
  const model::Topic& topic(const FramedEvent& event) const { return topics_[event.topic]; }
  const Rendering& rendering(bool unnamed) const { return unnamed ? unnamed_rendering() : named_; }
  model::EventId through() const { return through_; }
  int64_t committed_at_us() const { return committed_at_us_; }
  size_t bytes() const { return named_.bytes.size(); }

 private:
  const Rendering& unnamed_rendering() const;

  // constant after construction
  std::vector<FramedEvent> events_;
  std::vector<model::Topic> topics_;
  Rendering named_;
  model::EventId through_;
  int64_t committed_at_us_;

  mutable std::once_flag unnamed_once_;
  mutable Rendering unnamed_;
};

using FramedBatchPtr = std::shared_ptr<const FramedBatch>;

}  // namespace millstream::hub
