// http/unchunk.h: takes the chunk framing off a stream again, for HTTP/1.0 clients (nginx asks its upstream in HTTP/1.0
// unless told otherwise).
//
// Shapes   Streams carry frames as ready-made chunks, shared by all viewers; only these few pay for taking them apart.
// Thread   value
// Source   RFC 9112 6.1 (no transfer coding to an HTTP/1.0 client), 7.1
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace millstream::http {

class Unchunk {
 public:
  // Goes over `pieces` until `payload_max` bytes of payload are passed and the next byte would be payload too. Fills
  // `payload` with where these bytes are, as far as it has room (then it stops there). Says how many bytes of `pieces`
  // it passed, framing included; `payload_bytes` how many of them are payload.
  size_t advance(std::span<const iovec> pieces, size_t payload_max, std::span<iovec> payload, size_t& payload_count,
                 size_t& payload_bytes);

 private:
  enum class At : uint8_t { size, size_end, payload, payload_end };
  void take_framing(char c);

  uint64_t left_ = 0;  // of the chunk's payload, or its size while it is read
  At at_ = At::size;
};

}  // namespace millstream::http
