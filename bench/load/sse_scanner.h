// load/sse_scanner.h: the events of a stream, found with as little work as possible.
//
// Flow     feed() the body bytes of a stream; each complete block comes out as views into the buffer, valid only during
//          the call. A block cut by the end of the buffer is kept and scanned again with the next bytes.
// Shapes   only what the load program needs: the last id, event and data line of a block. A strict reader that follows
//          the whole standard is codec/sse_frame.h; here the receiver must cost less than the sender.
// Thread   value
#pragma once

#include <cstring>
#include <string>
#include <string_view>

namespace millstream::load {

struct SseBlock {
  std::string_view id;
  std::string_view event;
  std::string_view data;
};

class SseScanner {
 public:
  template <class OnBlock>
  void feed(std::string_view bytes, OnBlock&& on_block) {
    if (carry_.empty()) {
      const size_t used = scan(bytes, on_block);
      carry_.assign(bytes.substr(used));
    } else {
      carry_ += bytes;
      const size_t used = scan(carry_, on_block);
      carry_.erase(0, used);
    }
  }

 private:
  // Returns where the first incomplete block begins.
  template <class OnBlock>
  static size_t scan(std::string_view bytes, OnBlock&& on_block) {
    size_t block_begin = 0;
    size_t at = 0;
    SseBlock block;
    while (at < bytes.size()) {
      const void* found = std::memchr(bytes.data() + at, '\n', bytes.size() - at);
      if (found == nullptr) break;
      const size_t end = static_cast<size_t>(static_cast<const char*>(found) - bytes.data());
      std::string_view line = bytes.substr(at, end - at);
      if (line.ends_with('\r')) line.remove_suffix(1);
      at = end + 1;
      if (!line.empty()) {
        take_line(line, block);
        continue;
      }
      if (!block.data.empty()) on_block(block);
      block = SseBlock();
      block_begin = at;
    }
    return block_begin;
  }

  static void take_line(std::string_view line, SseBlock& block) {
    if (line.starts_with("id:")) {
      block.id = value_after(line, 3);
    } else if (line.starts_with("event:")) {
      block.event = value_after(line, 6);
    } else if (line.starts_with("data:")) {
      block.data = value_after(line, 5);
    }
  }

  static std::string_view value_after(std::string_view line, size_t name_size) {
    line.remove_prefix(name_size);
    if (line.starts_with(' ')) line.remove_prefix(1);
    return line;
  }

  std::string carry_;
};

}  // namespace millstream::load
