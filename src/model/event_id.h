// model/event_id.h: the one id and the one order of everything that happens.
//
// Shapes   "<epoch_ms>-<seq>", for example "1769517296789-4"; strictly increasing over the whole deployment,
//          assigned by the log at append. Packed into 64 bits (43 bits of ms, 20 bits of seq) for storage.
// Thread   value
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millstream::model {

struct EventId {
  int64_t ms = 0;
  uint32_t seq = 0;

  static constexpr uint32_t kSeqMax = (1u << 20) - 1;
  static constexpr int64_t kMsMax = (int64_t{1} << 43) - 1;

  // Only the exact form: digits, one dash, digits, no leading zeros, within the limits above. Nothing else is an id.
  static std::optional<EventId> parse(std::string_view text);
  static EventId from_packed(int64_t packed) { return {packed >> 20, static_cast<uint32_t>(packed & kSeqMax)}; }
  int64_t packed() const { return (ms << 20) | seq; }
  void append_text(std::string& out) const;
  std::string text() const;

  bool is_zero() const { return ms == 0 && seq == 0; }
  auto operator<=>(const EventId&) const = default;
};

}  // namespace millstream::model
