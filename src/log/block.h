// log/block.h: the telemetry of one commit as one row's bytes, until it is sealed into chunks.
//
// Flow     hour_writer.h adds events as they are committed; readers and the sealer take them out in id order.
// Shapes   One record an event: id minus the one before (packed; of the first: 0), topic, shape, ts minus the id's
//          milliseconds (signed), values with their length: varints. Topics and shapes are numbered by the file.
// Errors   read_block() is false when the bytes are not a block; what it had read by then stays in `out`.
// Thread   value
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/event_id.h"

namespace millstream::log {

// A telemetry event as the log keeps it.
struct PackedEvent {
  model::EventId id;
  int64_t ts_ms = 0;
  int64_t topic = 0;
  int64_t shape = 0;
  std::string_view values;  // of the shape (data_shape.h)
};

class BlockWriter {
 public:
  void add(const PackedEvent& event);  // ids increase
  void clear();

  bool empty() const { return count_ == 0; }
  size_t count() const { return count_; }
  model::EventId first() const { return model::EventId::from_packed(first_); }
  model::EventId last() const { return model::EventId::from_packed(last_); }
  std::string_view bytes() const { return bytes_; }

 private:
  std::string bytes_;
  int64_t first_ = 0;
  int64_t last_ = 0;
  size_t count_ = 0;
};

bool read_block(model::EventId first, std::string_view bytes, std::vector<PackedEvent>& out);

}  // namespace millstream::log
