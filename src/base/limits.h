// base/limits.h: the limits of the wire contract, by name. Limits an operator may change live in app/config.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millstream {

inline constexpr int64_t kHourMs = 3'600'000;
inline constexpr int64_t kDayMs = 24 * kHourMs;

inline constexpr size_t kNameBytesMax = 64;  // an account, site or device name
inline constexpr size_t kTopicTextBytesMax = 3 * (kNameBytesMax + 16);
inline constexpr size_t kFieldNameBytesMax = 256;  // "<measurement>.<field>"
inline constexpr size_t kStringFieldBytesMax = 64 << 10;
inline constexpr size_t kFieldsPerPointMax = 256;
inline constexpr size_t kTagsPerPointMax = 64;
inline constexpr size_t kEventBytesMax = 32 << 10;     // one event as JSON; larger is refused at publish
inline constexpr size_t kJsonBodyBytesMax = 1 << 20;   // after inflation
inline constexpr size_t kLineBodyBytesMax = 25 << 20;  // after inflation
inline constexpr int64_t kFutureMsMax = 5 * 60'000;    // a device clock ahead of ours by more is refused

inline constexpr size_t kBackfillEventsDefault = 500;
inline constexpr size_t kBackfillEventsMax = 5000;
inline constexpr size_t kSeriesPointsDefault = 600;
inline constexpr size_t kSeriesPointsMax = 11'000;
inline constexpr size_t kSeriesFieldsMax = 64;
inline constexpr size_t kPatternsPerRequestMax = 256;

}  // namespace millstream
