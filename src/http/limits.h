// http/limits.h: what a client may ask of a server, in bytes and milliseconds. All configurable downwards.
//
// Thread   value
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace millstream::http {

struct ServerLimits {
  size_t header_bytes_max = 16 << 10;
  size_t header_fields_max = 64;
  size_t target_bytes_max = 8 << 10;
  int64_t header_timeout_ms = 10'000;       // from the first byte (or accept) to the end of the header
  int64_t body_timeout_ms = 30'000;         // without any progress
  int64_t body_total_timeout_ms = 300'000;  // from the end of the header to that of the body
  int64_t idle_timeout_ms = 75'000;         // between requests
  int64_t write_timeout_ms = 30'000;        // a response nobody reads
  uint32_t http2_streams_max = 1000;        // at once on one connection
  size_t connections_max = 20'000;          // per server; beyond, a new one takes the place of an idle one or is closed
  // What the kernel holds for a peer beside what is on its way: without it, it takes megabytes for one that does not
  // read, and nobody would know that it is slow.
  int socket_unsent_bytes_max = 128 << 10;
  int socket_send_buffer_bytes = 0;  // 0: the kernel's choice
};

// Why a body is answered 413, by the maximum of its path.
inline std::string body_too_long(size_t bytes_max) {
  if (bytes_max == 0) return "no body is taken here";
  return "body: more than " + std::to_string(bytes_max) + " bytes";
}

}  // namespace millstream::http
