#include "http/unchunk.h"

#include <algorithm>

#include "http/ascii.h"

namespace millstream::http {

size_t Unchunk::advance(std::span<const iovec> pieces, size_t payload_max, std::span<iovec> payload,
                        size_t& payload_count, size_t& payload_bytes) {
  payload_count = 0;
  payload_bytes = 0;
  size_t passed = 0;
  for (const iovec& piece : pieces) {
    char* const bytes = static_cast<char*>(piece.iov_base);
    for (size_t i = 0; i < piece.iov_len;) {
      if (at_ != At::payload) {
        take_framing(bytes[i++]);
        ++passed;
        continue;
      }
      const size_t take = std::min({static_cast<size_t>(left_), piece.iov_len - i, payload_max - payload_bytes});
      if (take == 0 || (!payload.empty() && payload_count == payload.size())) return passed;
      if (!payload.empty()) payload[payload_count++] = {bytes + i, take};
      payload_bytes += take;
      passed += take;
      i += take;
      left_ -= take;
      if (left_ == 0) at_ = At::payload_end;
    }
  }
  return passed;
}

void Unchunk::take_framing(char c) {
  switch (at_) {
    case At::size:
      if (const int digit = hex_value(c); digit >= 0) {
        left_ = left_ * 16 + static_cast<uint64_t>(digit);
      } else {
        at_ = At::size_end;  // at CR
      }
      return;
    case At::size_end: at_ = left_ > 0 ? At::payload : At::payload_end; return;  // at LF
    case At::payload_end:
      if (c == '\n') at_ = At::size;
      return;
    case At::payload: return;
  }
}

}  // namespace millstream::http
