#include "ingest/inflate.h"

#include <libdeflate.h>

#include <algorithm>
#include <memory>

namespace millstream::ingest {
namespace {

struct FreeDecompressor {
  void operator()(libdeflate_decompressor* d) const { libdeflate_free_decompressor(d); }
};

libdeflate_decompressor* thread_decompressor() {
  thread_local const std::unique_ptr<libdeflate_decompressor, FreeDecompressor> decompressor(
      libdeflate_alloc_decompressor());
  return decompressor.get();
}

}  // namespace

Result<std::string> inflate_gzip(std::string_view compressed, size_t bytes_max) {
  std::string out;
  size_t used = 0;
  // Deflate never compresses below 1:1032; growing geometrically from a usual ratio keeps small bodies small.
  size_t room = std::min(bytes_max, std::max<size_t>(4096, compressed.size() * 8));
  while (!compressed.empty()) {
    out.resize(used + room);
    size_t taken = 0;
    size_t made = 0;
    const libdeflate_result result = libdeflate_gzip_decompress_ex(
        thread_decompressor(), compressed.data(), compressed.size(), out.data() + used, room, &taken, &made);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
      if (used + room >= bytes_max) {
        return Error{Code::too_large, "body: more than " + std::to_string(bytes_max) + " bytes after inflation"};
      }
      room = std::min(bytes_max - used, room * 4);
      continue;
    }
    if (result != LIBDEFLATE_SUCCESS) return Error{Code::invalid, "body: not gzip, or damaged"};
    used += made;
    compressed.remove_prefix(taken);
    room = std::min(bytes_max - used, room);
    if (room == 0 && !compressed.empty()) {
      return Error{Code::too_large, "body: more than " + std::to_string(bytes_max) + " bytes after inflation"};
    }
  }
  out.resize(used);
  return out;
}

size_t announced_size(std::string_view compressed) {
  constexpr size_t kSizeBytes = 4;  // RFC 1952 2.3.1: ISIZE, the least significant byte first
  if (compressed.size() < kSizeBytes) return 0;
  size_t size = 0;
  for (size_t i = 1; i <= kSizeBytes; ++i) {
    size = size << 8 | static_cast<unsigned char>(compressed[compressed.size() - i]);
  }
  return size;
}

}  // namespace millstream::ingest
