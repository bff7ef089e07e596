#include "hub/framed_batch.h"

#include "codec/event_json.h"

namespace millstream::hub {
namespace {

// What cannot be read is not held back.
model::Severity severity_of(const model::Event& event) {
  if (event.type != model::EventType::alert) return model::Severity::critical;
  const Result<model::Alert> alert = codec::decode_alert_data(event.data);
  return alert ? alert->severity : model::Severity::critical;
}

}  // namespace

FramedBatch::FramedBatch(std::span<const model::Event> events, model::EventId through, int64_t committed_at_us)
    : through_(through), committed_at_us_(committed_at_us) {
  events_.reserve(events.size());
  named_.extents.reserve(events.size());
  size_t bytes = 0;
  for (const model::Event& event : events) bytes += event.data.size() + 256;
  named_.bytes.reserve(bytes);
  for (const model::Event& event : events) {
    if (topics_.empty() || topics_.back() != event.topic) topics_.push_back(event.topic);
    events_.push_back({.id = event.id,
                       .type = event.type,
                       .severity = severity_of(event),
                       .topic = static_cast<uint32_t>(topics_.size() - 1)});
    named_.extents.push_back(codec::append_event_frame(event, false, named_.bytes));
  }
  named_.bytes.shrink_to_fit();
}

const Rendering& FramedBatch::unnamed_rendering() const {
  std::call_once(unnamed_once_, [this] {
    unnamed_.bytes.reserve(named_.bytes.size());
    unnamed_.extents.reserve(named_.extents.size());
    for (const codec::FrameExtent& extent : named_.extents) {
      const std::string_view block(named_.bytes.data() + extent.block_offset, extent.block_size);
      unnamed_.extents.push_back(codec::append_unnamed_frame(block, unnamed_.bytes));
    }
  });
  return unnamed_;
}

}  // namespace millstream::hub
