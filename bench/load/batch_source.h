// load/batch_source.h: where a connection of `ingest` gets its bodies from, one after the other.
//
// Thread   value
#pragma once

#include <cstdint>
#include <string_view>

namespace millstream::load {

class BatchSource {
 public:
  virtual ~BatchSource() = default;

  // The next body, valid until the next call; empty when there is no more. `now_ms` is wall time. Times of one device
  // grow from body to body, or the later point would replace the earlier one.
  virtual std::string_view next(int64_t now_ms) = 0;
};

}  // namespace millstream::load
