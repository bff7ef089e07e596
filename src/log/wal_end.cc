#include "log/wal_end.h"

#include <cstdint>
#include <fstream>
#include <string_view>
#include <vector>

namespace millstream::log {
namespace {

constexpr size_t kHeaderBytes = 32;
constexpr size_t kFrameHeaderBytes = 24;
constexpr uint32_t kMagic = 0x377f0682;  // the lowest bit: checksums of big-endian words

uint32_t big_endian(const char* at) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(at);
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

uint32_t little_endian(const char* at) { return __builtin_bswap32(big_endian(at)); }

class Checksum {
 public:
  explicit Checksum(bool of_big_endian_words) : word_(of_big_endian_words ? big_endian : little_endian) {}
  void add(std::string_view bytes) {
    for (size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first_ += word_(bytes.data() + at) + second_;
      second_ += word_(bytes.data() + at + 4) + first_;
    }
  }
  bool is(const char* stored) const { return big_endian(stored) == first_ && big_endian(stored + 4) == second_; }

 private:
  uint32_t (*word_)(const char*);
  uint32_t first_ = 0;
  uint32_t second_ = 0;
};

// Reads `size` bytes; false at the end of the file.
bool read_bytes(std::ifstream& in, std::vector<char>& out, size_t size) {
  out.resize(size);
  return static_cast<bool>(in.read(out.data(), static_cast<std::streamsize>(size)));
}

}  // namespace

bool wal_lost_its_end(const std::string& wal_path) {
  std::ifstream in(wal_path, std::ios::binary);
  std::vector<char> header, frame;
  if (!read_bytes(in, header, kHeaderBytes)) return false;
  const uint32_t magic = big_endian(header.data());
  const uint32_t page_bytes = big_endian(header.data() + 8);
  Checksum checksum(magic & 1);
  checksum.add({header.data(), 24});
  const bool sound_header =
      (magic | 1) == (kMagic | 1) && page_bytes >= 512 && page_bytes <= 65536 && checksum.is(header.data() + 24);
  const uint32_t usual_page_bytes = 4096;
  bool sound = sound_header;
  while (read_bytes(in, frame, kFrameHeaderBytes + (sound_header ? page_bytes : usual_page_bytes))) {
    const bool of_this_log = std::string_view(frame.data() + 8, 8) == std::string_view(header.data() + 16, 8);
    const bool commits = big_endian(frame.data() + 4) != 0;
    if (sound) {
      checksum.add({frame.data(), 8});
      checksum.add({frame.data() + kFrameHeaderBytes, page_bytes});
      sound = of_this_log && checksum.is(frame.data() + 16);
    }
    // A frame of an earlier round through the file is what usually follows the end.
    if (!sound && of_this_log && commits) return true;
  }
  return false;
}

}  // namespace millstream::log
