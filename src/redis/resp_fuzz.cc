// Any bytes as what a Redis says: never a crash, and the same replies or the same error wherever the bytes are split.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "redis/resp.h"

namespace {

using namespace millstream::redis;

constexpr ReplyLimits kLimits{.depth_max = 4, .items_max = 1000, .bulk_bytes_max = 4096, .reply_bytes_max = 16384};

void show(const Reply& reply, std::string& out) {
  out += static_cast<char>('0' + static_cast<int>(reply.kind));
  out += std::to_string(reply.number) + ":" + std::to_string(reply.text.size()) + reply.text;
  MS_CHECK(reply.items.size() <= kLimits.items_max && reply.text.size() <= kLimits.reply_bytes_max);
  for (const Reply& item : reply.items) show(item, out);
}

// False: there was an error.
bool read_all(ReplyReader& reader, std::string& out) {
  while (true) {
    const auto reply = reader.next();
    if (!reply) out += reply.error().detail;
    if (!reply || !*reply) return reply.ok();
    show(**reply, out);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  std::string at_once;
  ReplyReader whole(kLimits);
  whole.feed(stream);
  read_all(whole, at_once);

  std::string in_pieces;
  ReplyReader split(kLimits);
  const size_t piece = size_t{1} + bytes[0] % 32;
  for (size_t at = 0; at < stream.size(); at += piece) {
    split.feed(stream.substr(at, piece));
    if (!read_all(split, in_pieces)) break;
  }
  MS_CHECK(at_once == in_pieces);
  return 0;
}
