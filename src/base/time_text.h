// base/time_text.h: times and durations as text.
//
// Shapes   UTC milliseconds since 1970 <-> "2026-01-27T12:34:56.789Z"; durations as "500ms", "30s", "5m", "24h", "7d".
// Thread   value
// Source   RFC 3339; years 0000..9999 only
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millstream {

inline constexpr int64_t kTimeMsMin = -62'167'219'200'000;  // 0000-01-01T00:00:00.000Z
inline constexpr int64_t kTimeMsMax = 253'402'300'799'999;  // 9999-12-31T23:59:59.999Z

// Always 24 characters, always milliseconds. Times outside 0000..9999 are clamped.
void append_rfc3339_ms(int64_t utc_ms, std::string& out);
std::string rfc3339_ms(int64_t utc_ms);

// Any RFC 3339 date-time: offset or Z, 0 to 9 fraction digits (cut to milliseconds, not rounded). Fails with "not RFC
// 3339".
Result<int64_t> parse_rfc3339(std::string_view text);

// RFC 3339, or epoch milliseconds as a decimal integer, of the years above. Fails with "neither RFC 3339 nor epoch
// milliseconds".
Result<int64_t> parse_time(std::string_view text);

// "[0-9]+(ms|s|m|h|d)" -> milliseconds, at most 10 years.
Result<int64_t> parse_duration_ms(std::string_view text);
std::string duration_text(int64_t ms);

}  // namespace millstream
