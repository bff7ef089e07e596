// log/window_chunks.h: the blocks of a window, turned into chunks: one a device.
//
// Errors   Code::corrupt: a block fails its check. Then nothing is given, and the blocks stay what they are: a chunk
//          made of the rest would hide what is missing.
// Thread   reader threads; blocking
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "log/chunk.h"
#include "log/hour_reader.h"

namespace millstream::log {

struct WindowLimits {
  size_t events_max = 500'000;
  size_t bytes_max = 16 << 20;  // of blocks; decoded they may be twenty times that
};

struct WindowChunks {
  model::EventId first;
  model::EventId through;  // where it ends; both zero: there was nothing
  size_t events = 0;
  std::vector<ChunkRow> rows;  // of a topic in id order
};

// From the first block after what is sealed on, as far as the limits go; a single block may pass them.
Result<WindowChunks> make_window_chunks(HourReader& reader, const WindowLimits& limits);

}  // namespace millstream::log
