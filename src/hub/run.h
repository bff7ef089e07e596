// hub/run.h: bytes to send, as slices of shared frames.
//
// Flow     a shard builds one run per group and turn; a session that cannot take all of it keeps a shared copy of the
//          run (slices and owners, no bytes) and an offset.
// Thread   loop
#pragma once

#include <sys/uio.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hub/framed_batch.h"

namespace millstream::hub {

class Run {
 public:
  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }
  uint64_t events() const { return events_; }
  const std::vector<iovec>& slices() const { return slices_; }

  void clear() {
    slices_.clear();
    owners_.clear();
    bytes_ = 0;
    events_ = 0;
  }

  // Event `index` of the batch; neighbours grow the last slice instead of adding one.
  void add(const FramedBatchPtr& batch, size_t index, bool unnamed) {
    const Rendering& rendering = batch->rendering(unnamed);
    const codec::FrameExtent& extent = rendering.extents[index];
    add_slice(rendering.bytes.data() + extent.offset, extent.size);
    if (owners_.empty() || owners_.back() != batch) owners_.push_back(batch);
    ++events_;
  }

  // Bytes of one's own, for example a heartbeat, or `events` merged ones.
  void add(const std::shared_ptr<const std::string>& text, uint64_t events = 0) {
    add_slice(text->data(), text->size());
    owners_.push_back(text);
    events_ += events;
  }

 private:
  void add_slice(const char* data, size_t size) {
    char* start = const_cast<char*>(data);  // iovec has no const form; nothing writes through it
    if (!slices_.empty() && static_cast<char*>(slices_.back().iov_base) + slices_.back().iov_len == start) {
      slices_.back().iov_len += size;
    } else {
      slices_.push_back({start, size});
    }
    bytes_ += size;
  }

  std::vector<iovec> slices_;
  std::vector<std::shared_ptr<const void>> owners_;
  size_t bytes_ = 0;
  uint64_t events_ = 0;
};

using RunPtr = std::shared_ptr<const Run>;

}  // namespace millstream::hub
