// influx/dead_letters.h: lines that InfluxDB refuses for good, kept for a person to look at.
//
// Shapes   <path>: line protocol; each line comes behind a comment "# <RFC 3339> <reason>", so that what was mended can
//          be sent again as it is. <path>.1: the file before.
// Limits   bytes_max together; the older half goes.
// Errors   a line that cannot be kept is logged; nothing stops for it.
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millstream::influx {

class DeadLetters {
 public:
  DeadLetters(std::string path, int64_t bytes_max) : path_(std::move(path)), bytes_max_(bytes_max) {}

  // `line` with its "\n".
  void add(std::string_view line, std::string_view reason, int64_t now_ms);

 private:
  const std::string path_;
  const int64_t bytes_max_;
};

}  // namespace millstream::influx
