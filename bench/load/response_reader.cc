#include "load/response_reader.h"

#include <strings.h>

#include <charconv>
#include <limits>
#include <utility>

namespace millstream::load {
namespace {

constexpr size_t kHeadBytesMax = 16 << 10;
constexpr size_t kChunkLineBytesMax = 256;

// The value of a header line, without surrounding blanks; empty when it is not there.
std::string_view header_value(std::string_view head, std::string_view name) {
  size_t at = head.find("\r\n");
  while (at != std::string_view::npos && at + 2 < head.size()) {
    const size_t begin = at + 2;
    at = head.find("\r\n", begin);
    const std::string_view line = head.substr(begin, at - begin);
    if (line.size() > name.size() && line[name.size()] == ':' &&
        ::strncasecmp(line.data(), name.data(), name.size()) == 0) {
      std::string_view value = line.substr(name.size() + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      while (value.ends_with(' ')) value.remove_suffix(1);
      return value;
    }
  }
  return {};
}

}  // namespace

size_t ResponseReader::take_head(std::string_view bytes) {
  const size_t before = head_.size();
  head_ += bytes;
  // The blank line may have begun in the bytes before these.
  const size_t end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    if (head_.size() > kHeadBytesMax) state_ = State::failed;
    return bytes.size();
  }
  head_.resize(end + 4);
  const size_t taken = head_.size() - before;
  read_head();
  return taken;
}

void ResponseReader::read_head() {
  state_ = State::failed;
  if (!head_.starts_with("HTTP/1.1 ") || head_.size() < 12) return;
  std::from_chars(head_.data() + 9, head_.data() + 12, status_);
  if (status_ < 100) return;
  closes_ = header_value(head_, "connection") == "close";
  if (header_value(head_, "transfer-encoding") == "chunked") {
    state_ = State::chunk_size;
    return;
  }
  const std::string_view length = header_value(head_, "content-length");
  if (length.empty() && status_ != 204 && status_ != 304) {
    left_ = std::numeric_limits<uint64_t>::max();
    closes_ = true;
  }
  std::from_chars(length.data(), length.data() + length.size(), left_);
  if (status_ == 204 || status_ == 304) left_ = 0;
  state_ = left_ == 0 ? State::done : State::sized;
}

size_t ResponseReader::take_line(std::string_view bytes) {
  const size_t end = bytes.find('\n');
  line_done_ = end != std::string_view::npos;
  line_ += bytes.substr(0, end);
  if (line_done_ && line_.ends_with('\r')) line_.pop_back();
  if (line_.size() > kChunkLineBytesMax) state_ = State::failed;
  return line_done_ ? end + 1 : bytes.size();
}

// Also the empty line after a chunk and the trailer after the last one: they are lines too.
void ResponseReader::read_chunk_size() {
  const std::string line = std::exchange(line_, {});
  if (state_ == State::failed) return;
  if (state_ == State::chunk_end) {
    state_ = line.empty() ? State::chunk_size : State::failed;
    return;
  }
  if (state_ == State::trailer) {
    if (line.empty()) state_ = State::done;
    return;
  }
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), left_, 16);
  const bool ends_well = end == line.data() + line.size() || *end == ';';
  if (error != std::errc() || !ends_well) {
    state_ = State::failed;
  } else {
    state_ = left_ == 0 ? State::trailer : State::chunk;
  }
}

}  // namespace millstream::load
