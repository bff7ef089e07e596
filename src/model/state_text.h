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

class StateWriter {
 public:
  explicit StateWriter(std::string& out) : out_(out) {}

  template <std::integral N>
  StateWriter& number(N value) {
    append(static_cast<int64_t>(value));
    out_ += ' ';
    return *this;
  }
  StateWriter& real(double value) {
    append(value);
    out_ += ' ';
    return *this;
  }
  StateWriter& text(std::string_view value) {
    append(static_cast<int64_t>(value.size()));
    out_ += ':';
    out_ += value;
    out_ += ' ';
    return *this;
  }

 private:
  template <class N>
  void append(N value) {
    char buffer[32];
    const std::to_chars_result end = std::to_chars(buffer, buffer + sizeof buffer, value);
    out_.append(buffer, end.ptr);
  }

  std::string& out_;
};

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
