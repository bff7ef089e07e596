#include "log/block.h"

#include "log/varint.h"

namespace millstream::log {

void BlockWriter::add(const PackedEvent& event) {
  const int64_t id = event.id.packed();
  if (count_++ == 0) first_ = last_ = id;
  append_varint(static_cast<uint64_t>(id - last_), bytes_);
  last_ = id;
  append_varint(static_cast<uint64_t>(event.topic), bytes_);
  append_varint(static_cast<uint64_t>(event.shape), bytes_);
  append_signed(event.ts_ms - event.id.ms, bytes_);
  append_sized(event.values, bytes_);
}

void BlockWriter::clear() {
  bytes_.clear();
  count_ = 0;
}

bool read_block(model::EventId first, std::string_view bytes, std::vector<PackedEvent>& out) {
  ByteReader in(bytes);
  int64_t id = first.packed();
  while (!in.at_end()) {
    PackedEvent event;
    id = wrapping_add(id, static_cast<int64_t>(in.varint()));
    event.id = model::EventId::from_packed(id);
    event.topic = static_cast<int64_t>(in.varint());
    event.shape = static_cast<int64_t>(in.varint());
    event.ts_ms = wrapping_add(event.id.ms, in.signed_varint());
    event.values = in.sized();
    if (!in.ok()) return false;
    out.push_back(event);
  }
  return in.ok();
}

}  // namespace millstream::log
