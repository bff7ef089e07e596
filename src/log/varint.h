// log/varint.h: whole numbers in as few bytes as they need, and bytes read without ever passing their end.
//
// Shapes   seven bits a byte, lowest first, the high bit says that more follow; signed numbers fold to unsigned ones
//          (0, -1, 1, -2, …), so that small ones stay short whatever their sign.
// Errors   a ByteReader that was asked for more than there is gives zeros and is not ok() from then on.
// Thread   value
// Source   protobuf.dev/programming-guides/encoding (varints, ZigZag)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millstream::log {

inline constexpr uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline constexpr int64_t unzigzag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

// Hostile or damaged differences wrap round rather than overflow.
inline int64_t wrapping_add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
inline int64_t wrapping_subtract(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

inline void append_varint(uint64_t value, std::string& out) {
  char bytes[10];
  size_t size = 0;
  while (value >= 0x80) {
    bytes[size++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  bytes[size++] = static_cast<char>(value);
  out.append(bytes, size);
}
inline void append_signed(int64_t value, std::string& out) { append_varint(zigzag(value), out); }
inline void append_sized(std::string_view bytes, std::string& out) {
  append_varint(bytes.size(), out);
  out += bytes;
}

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ == end_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  uint64_t varint() {
    if (at_ != end_ && static_cast<unsigned char>(*at_) < 0x80) return static_cast<unsigned char>(*at_++);
    return long_varint();
  }
  int64_t signed_varint() { return unzigzag(varint()); }
  uint8_t byte() { return at_ == end_ ? static_cast<uint8_t>(fail()) : static_cast<uint8_t>(*at_++); }
  std::string_view bytes(size_t size) {
    if (size > left()) {
      fail();
      return {};
    }
    const std::string_view found(at_, size);
    at_ += size;
    return found;
  }
  std::string_view sized() { return bytes(varint()); }

 private:
  uint64_t long_varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    return fail();
  }
  uint64_t fail() {
    ok_ = false;
    at_ = end_;
    return 0;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace millstream::log
