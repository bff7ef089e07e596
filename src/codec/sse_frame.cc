#include "codec/sse_frame.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "codec/event_json.h"

namespace millstream::codec {
namespace {

bool is_one_line(std::string_view text) {
  return text.find('\n') == std::string_view::npos && text.find('\r') == std::string_view::npos &&
         text.find('\0') == std::string_view::npos;
}

// Writes one chunk: room for the size line is left in front of the block and mended when the block is done, so that
// the block is written once. Most blocks take three digits (256 to 4095 bytes).
class Chunk {
 public:
  explicit Chunk(std::string& out) : out_(out), start_(out.size()) { out_.append(kRoom, ' '); }

  FrameExtent finish() && {
    const size_t block_size = out_.size() - start_ - kRoom;
    char head[20];
    char* end = std::to_chars(head, head + sizeof head, block_size, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    const auto head_size = static_cast<size_t>(end - head);
    out_.replace(start_, kRoom, head, head_size);
    out_ += "\r\n";
    return {static_cast<uint32_t>(start_), static_cast<uint32_t>(out_.size() - start_),
            static_cast<uint32_t>(start_ + head_size), static_cast<uint32_t>(block_size)};
  }

 private:
  static constexpr size_t kRoom = 5;
  std::string& out_;
  const size_t start_;
};

void append_line(std::string_view name, std::string_view value, std::string& out) {
  MS_CHECK(is_one_line(value));
  out += name;
  out += value;
  out += '\n';
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

FrameExtent append_event_frame(const model::Event& event, bool unnamed, std::string& out) {
  Chunk chunk(out);
  out += "id: ";
  event.id.append_text(out);
  out += '\n';
  if (!unnamed) append_line("event: ", event_type_name(event.type), out);
  out += "data: ";
  const size_t data_at = out.size();
  append_event_json(event, out);
  MS_CHECK(is_one_line(std::string_view(out).substr(data_at)));
  out += "\n\n";
  return std::move(chunk).finish();
}

FrameExtent append_unnamed_frame(std::string_view block, std::string& out) {
  const size_t event_at = block.find('\n') + 1;  // "id: …\n" comes first
  const size_t data_at = block.find('\n', event_at) + 1;
  MS_CHECK(block.substr(event_at).starts_with("event: "));
  Chunk chunk(out);
  out += block.substr(0, event_at);
  out += block.substr(data_at);
  return std::move(chunk).finish();
}

FrameExtent append_block(const Block& block, std::string& out) {
  MS_CHECK(!block.data.empty());  // without data nothing is dispatched, and some clients then ignore the retry
  Chunk chunk(out);
  if (block.retry_ms) append_line("retry: ", std::to_string(*block.retry_ms), out);
  if (!block.id.empty()) append_line("id: ", block.id, out);
  if (!block.event.empty()) append_line("event: ", block.event, out);
  append_line("data: ", block.data, out);
  out += '\n';
  return std::move(chunk).finish();
}

FrameExtent append_comment(std::string_view comment, std::string& out) {
  Chunk chunk(out);
  append_line(":", comment, out);
  return std::move(chunk).finish();
}

void append_chunk(std::string_view bytes, std::string& out) {
  MS_CHECK(!bytes.empty());  // an empty chunk would end the body
  Chunk chunk(out);
  out += bytes;
  std::move(chunk).finish();
}

std::string_view take_chunk(std::string_view& chunks) {
  size_t size = 0;
  const char* const end = std::from_chars(chunks.data(), chunks.data() + chunks.size(), size, 16).ptr;
  const auto head = static_cast<size_t>(end - chunks.data()) + 2;
  MS_CHECK(head > 2 && head + size + 2 <= chunks.size());
  const std::string_view bytes = chunks.substr(head, size);
  chunks.remove_prefix(head + size + 2);
  return bytes;
}

void SseReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes[0] == '\n') {  // the second half of a CRLF
        bytes.remove_prefix(1);
        continue;
      }
    }
    const size_t end = bytes.find_first_of("\r\n");
    if (end == std::string_view::npos) {
      line_ += bytes;
      return;
    }
    after_cr_ = bytes[end] == '\r';
    if (line_.empty()) {
      take_line(bytes.substr(0, end));
    } else {
      line_ += bytes.substr(0, end);
      take_line(line_);
      line_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
}

void SseReader::reset() {
  line_.clear();
  event_.clear();
  data_.clear();
  id_ = last_event_id_;
  has_data_ = has_lines_ = after_cr_ = false;
  at_start_ = true;
}

void SseReader::take_line(std::string_view line) {
  if (at_start_) {
    at_start_ = false;
    constexpr std::string_view bom = "\xEF\xBB\xBF";
    if (line.starts_with(bom)) {
      ++oddities_;
      line.remove_prefix(bom.size());
    }
  }
  if (line.empty()) {
    dispatch();
    return;
  }
  has_lines_ = true;
  const size_t colon = line.find(':');
  if (colon == 0) return;
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  take_field(line.substr(0, colon), value);
}

void SseReader::take_field(std::string_view name, std::string_view value) {
  if (name == "data") {
    data_ += value;
    data_ += '\n';
    has_data_ = true;
  } else if (name == "event") {
    event_ = value;
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) {
      id_ = value;
    } else {
      ++oddities_;
    }
  } else if (name == "retry") {
    int64_t ms = 0;
    if (is_digits(value) && std::from_chars(value.data(), value.data() + value.size(), ms).ec == std::errc()) {
      retry_ms_ = ms;
    } else {
      ++oddities_;
    }
  } else {
    ++oddities_;
  }
}

void SseReader::dispatch() {
  last_event_id_ = id_;
  Message message{event_.empty() ? "message" : std::move(event_), std::move(data_), last_event_id_};
  const bool complete = has_data_;
  if (has_lines_ && !has_data_) ++oddities_;
  event_.clear();
  data_.clear();
  has_data_ = has_lines_ = false;
  if (!complete) return;
  message.data.pop_back();  // the line end after the last data line
  on_message_(message);
}

}  // namespace millstream::codec
