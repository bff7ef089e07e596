// Any bytes as a stream: the same messages come out whole, and cut in two anywhere, and byte by byte.
#include <cstdint>

#include "base/check.h"
#include "codec/sse_frame.h"

namespace {

std::string read_in_pieces(std::string_view stream, size_t piece_bytes) {
  std::string seen;
  millstream::codec::SseReader reader([&](const millstream::codec::SseReader::Message& message) {
    seen += message.event + '\0' + message.data + '\0' + message.last_event_id + '\0';
  });
  while (!stream.empty()) {
    const std::string_view piece = stream.substr(0, piece_bytes);
    reader.feed(piece);
    stream.remove_prefix(piece.size());
  }
  return seen + std::to_string(reader.retry_ms().value_or(-1)) + ' ' + std::to_string(reader.oddities());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const std::string whole = read_in_pieces(input, size + 1);
  MS_CHECK(read_in_pieces(input, 1) == whole);
  if (size > 1) MS_CHECK(read_in_pieces(input, 1 + bytes[0] % size) == whole);
  return 0;
}
