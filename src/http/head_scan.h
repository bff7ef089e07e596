// http/head_scan.h: finds where a request head ends while its bytes arrive, and refuses at the first sign what parsers
// are known to read differently: bare CR or LF, folded lines, an over-long target, head or field count.
//
// Flow     request_parser feeds it the same growing text until the head is complete, then parses that text.
// Limits   header_bytes_max, header_fields_max, target_bytes_max of ServerLimits.
// Thread   value
// Source   RFC 9112 2.2, 5.2, 11.2
#pragma once

#include <cstddef>
#include <string_view>

#include "http/limits.h"

namespace millstream::http {

inline constexpr size_t kMethodBytesMax = 16;
inline constexpr size_t kVersionBytesMax = 12;  // the space before the target, " HTTP/1.1" and CR, with one to spare

class HeadScan {
 public:
  enum class Verdict {
    more,
    complete,
    bad_line_ending,
    folded_line,
    target_too_long,
    head_too_long,
    too_many_fields,
  };

  explicit HeadScan(const ServerLimits& limits) : limits_(&limits) {}

  // `text`: everything from the first byte of the head. Bytes already looked at are not looked at again. After any
  // verdict but `more`, only reset() may follow.
  Verdict scan(std::string_view text);
  size_t begin() const { return begin_; }  // 2 after an empty line before the request line, which is skipped
  size_t end() const { return line_; }     // complete: one past the empty line
  void reset() { *this = HeadScan(*limits_); }

 private:
  Verdict take_line(std::string_view text, size_t line_feed);
  size_t request_line_bytes_max() const { return limits_->target_bytes_max + kMethodBytesMax + kVersionBytesMax; }
  Verdict check_unfinished(std::string_view text) const;

  const ServerLimits* limits_;
  size_t begin_ = 0;
  size_t line_ = 0;   // where the line being looked at starts
  size_t seen_ = 0;   // no line feed from line_ up to here
  size_t lines_ = 0;  // finished ones, without the skipped empty line
};

}  // namespace millstream::http
