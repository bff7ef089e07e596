// load/inflater.h: a gzip stream read as it comes.
//
// Errors   feed() is false when it is not gzip.
// Thread   value
#pragma once

#include <zlib.h>

#include <array>
#include <string_view>

namespace millstream::load {

class Inflater {
 public:
  Inflater() { inflateInit2(&stream_, 16 + MAX_WBITS); }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  template <class OnBytes>
  bool feed(std::string_view bytes, OnBytes&& on_bytes) {
    static thread_local std::array<char, 64 << 10> out;
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(out.data());
      stream_.avail_out = out.size();
      const int result = inflate(&stream_, Z_SYNC_FLUSH);
      if (result != Z_OK && result != Z_BUF_ERROR) return false;
      on_bytes(std::string_view(out.data(), out.size() - stream_.avail_out));
    } while (stream_.avail_out == 0);
    return true;
  }

 private:
  z_stream stream_{};
};

}  // namespace millstream::load
