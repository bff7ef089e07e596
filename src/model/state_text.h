// model/state_text.h: how engines write down their state for a checkpoint, and read it back.
//
// Shapes   tokens, each followed by one space: whole numbers in decimal, doubles as the shortest text that reads back
//          the same, strings as "<bytes>:<text>". Readable by eye, and no byte of a string can end it early.
// Errors   StateReader: the first wrong token makes ok() false for good; values read from then on are zero or empty.
// Thread   value
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millstream::model {

// `out` is whole once flush() was called or the writer is gone.
class StateWriter {
 public:
  explicit StateWriter(std::string& out) : out_(out) {}
  ~StateWriter() { flush(); }
  StateWriter(const StateWriter&) = delete;
  StateWriter& operator=(const StateWriter&) = delete;

  template <std::integral N>
  StateWriter& number(N value) {
    append(static_cast<int64_t>(value), ' ');
    return *this;
  }
  StateWriter& real(double value) {
    append(value, ' ');
    return *this;
  }
  StateWriter& text(std::string_view value) {
    append(static_cast<int64_t>(value.size()), ':');
    if (value.size() >= kBufferBytes - used_) flush();
    if (value.size() >= kBufferBytes) {
      out_ += value;
    } else {
      value.copy(buffer_ + used_, value.size());
      used_ += value.size();
    }
    buffer_[used_++] = ' ';
    return *this;
  }
  // A string that is long: write(*this) writes it where it belongs.
  template <class Write>
  StateWriter& text_by(const Write& write) {
    flush();
    out_ += "0000000000000000000:";  // its size goes here
    const size_t begin = out_.size();
    write(*this);
    flush();
    const std::string size = std::to_string(out_.size() - begin);
    out_.replace(begin - 1 - size.size(), size.size(), size);
    out_ += ' ';
    return *this;
  }
  void flush() {
    out_.append(buffer_, used_);
    used_ = 0;
  }

 private:
  static constexpr size_t kBufferBytes = 2048;
  static constexpr size_t kNumberBytesMax = 32;

  template <class N>
  void append(N value, char end) {
    if (kBufferBytes - used_ < kNumberBytesMax) flush();
    char* const begin = buffer_ + used_;
    char* const to = std::to_chars(begin, begin + kNumberBytesMax - 1, value).ptr;
    *to = end;
    used_ = static_cast<size_t>(to + 1 - buffer_);
  }

  std::string& out_;
  char buffer_[kBufferBytes];
  size_t used_ = 0;
};

// What write(StateWriter&) writes.
template <class Write>
std::string state_text(const Write& write) {
  std::string state;
  StateWriter out(state);
  write(out);
  out.flush();
  return state;
}

class StateReader {
 public:
  explicit StateReader(std::string_view state) : rest_(state) {}

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }
  void fail() { ok_ = false; }

  int64_t number() { return take<int64_t>(' '); }
  double real() { return take<double>(' '); }
  std::string_view text() {
    const int64_t size = take<int64_t>(':');
    if (!ok_ || size < 0 || rest_.size() < static_cast<size_t>(size) + 1 || rest_[static_cast<size_t>(size)] != ' ') {
      ok_ = false;
      return {};
    }
    const std::string_view value = rest_.substr(0, static_cast<size_t>(size));
    rest_.remove_prefix(static_cast<size_t>(size) + 1);
    return value;
  }

 private:
  template <class N>
  N take(char end) {
    N value{};
    if (!ok_) return value;
    const std::from_chars_result got = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (got.ec != std::errc{} || got.ptr == rest_.data() + rest_.size() || *got.ptr != end) {
      ok_ = false;
      return N{};
    }
    rest_.remove_prefix(static_cast<size_t>(got.ptr - rest_.data()) + 1);
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace millstream::model
