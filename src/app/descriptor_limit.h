// app/descriptor_limit.h: how many files and sockets the process may have open.
//
// Thread   startup
#pragma once

#include <cstddef>
#include <cstdint>

namespace millstream::app {

inline constexpr int64_t kStorageDescriptors = 256;  // kept for hour files, readers and the rest of the process

// Raises the soft limit (often 1024) to the hard one, and gives it back.
int64_t raise_descriptor_limit();

// Connections each of `io_threads` may hold: what is asked for, or what `limit` leaves room for if that is less.
int64_t connections_within(int64_t limit, int64_t io_threads, int64_t asked);

// With more connections than this no stream is opened: a twentieth, 100 at most, is left for requests.
size_t connections_for_streams(int64_t connections_max);

}  // namespace millstream::app
