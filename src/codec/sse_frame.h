// codec/sse_frame.h: events as Server-Sent Events blocks, and a strict reader of such a stream.
//
// Shapes   A wire frame is one complete block ("id: …\nevent: …\ndata: …\n\n") already wrapped as one HTTP/1.1 chunk:
//            <hex length>\r\n<block>\r\n
//          so that the same bytes go to every HTTP/1.1 viewer. FrameExtent says where the block sits inside.
// Thread   value
// Source   WHATWG HTML 9.2; RFC 9112 7.1
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "model/event.h"

namespace millstream::codec {

struct FrameExtent {
  uint32_t offset = 0;        // of the chunk in the buffer
  uint32_t size = 0;          // of the chunk, framing included
  uint32_t block_offset = 0;  // of the SSE block in the buffer
  uint32_t block_size = 0;
};

// Appends one event. `unnamed`: no "event:" line, for clients that only take `message` events.
FrameExtent append_event_frame(const model::Event& event, bool unnamed, std::string& out);

// The same event without its "event:" line, out of a block that append_event_frame() made.
FrameExtent append_unnamed_frame(std::string_view block, std::string& out);

// Appends a block of our own: an optional retry, an optional id, an event name (none: unnamed) and one-line JSON data.
struct Block {
  std::optional<int> retry_ms;
  std::string_view id;
  std::string_view event;
  std::string_view data;
};
FrameExtent append_block(const Block& block, std::string& out);
// One comment line, no blank line after it (some clients make an empty event of that).
FrameExtent append_comment(std::string_view comment, std::string& out);

// Appends any bytes, at least one, as one chunk.
void append_chunk(std::string_view bytes, std::string& out);
// Takes the first of several whole chunks off their front; gives back what it holds.
std::string_view take_chunk(std::string_view& chunks);

inline constexpr std::string_view kFinalChunk = "0\r\n\r\n";

// Reads a stream as the standard says, any way it is cut. For `millstream tail`, tests and checkers.
class SseReader {
 public:
  struct Message {
    std::string event;  // "message" when the stream named none
    std::string data;
    std::string last_event_id;
  };
  explicit SseReader(std::function<void(const Message&)> on_message) : on_message_(std::move(on_message)) {}

  void feed(std::string_view bytes);
  // Forget a half-read block, keep last_event_id: what a client does on reconnecting.
  void reset();
  const std::string& last_event_id() const { return last_event_id_; }
  std::optional<int64_t> retry_ms() const { return retry_ms_; }
  // What the standard silently ignores but our server must never send: unknown field names, an id with NUL, a retry
  // that is not all digits, an empty line after a block or comment without data, a BOM. Counted for tests.
  size_t oddities() const { return oddities_; }

 private:
  void take_line(std::string_view line);
  void take_field(std::string_view name, std::string_view value);
  void dispatch();

  std::function<void(const Message&)> on_message_;
  std::string line_;
  std::string event_;
  std::string data_;
  std::string id_;  // becomes last_event_id_ at the end of its block
  std::string last_event_id_;
  std::optional<int64_t> retry_ms_;
  bool has_data_ = false;
  bool has_lines_ = false;  // of any kind, since the last empty line
  bool after_cr_ = false;
  bool at_start_ = true;
  size_t oddities_ = 0;
};

}  // namespace millstream::codec
