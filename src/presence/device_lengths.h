// presence/device_lengths.h: how long a device may be silent before it is stale, and before it is offline.
//
// Shapes   lengths of silence in milliseconds, stale below offline always.
// Rules    From the interval that the settings give: the factors times it. Else from the learned one, if there is one:
//          the same, but never below what is configured, nor above learn_max. Else what is configured.
//          stale_after and offline_after of the device replace theirs; of one that is given alone the other keeps its
//          proportion when they would cross.
// Thread   value
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "model/device_settings.h"

namespace millstream::presence {

struct PresenceOptions {
  int64_t stale_after_ms = 15'000;
  int64_t offline_after_ms = 60'000;  // above stale_after_ms
  int64_t offline_delay_ms = 5'000;
  bool learn = true;
  int64_t learn_stale_factor = 2;    // of the learned interval
  int64_t learn_offline_factor = 5;  // above learn_stale_factor
  int64_t learn_max_ms = 86'400'000;

  bool operator==(const PresenceOptions&) const = default;
};

struct Lengths {
  int64_t stale_ms = 0;
  int64_t offline_ms = 0;
};

// What a device's settings say of it; 0: nothing.
struct LengthSettings {
  int64_t interval_ms = 0;
  int64_t stale_after_ms = 0;
  int64_t offline_after_ms = 0;
  std::optional<int64_t> offline_delay_ms;

  static LengthSettings of(const model::DeviceSettings& settings) {
    return {settings.interval_ms.value_or(0), settings.stale_after_ms.value_or(0),
            settings.offline_after_ms.value_or(0), settings.offline_delay_ms};
  }
};

inline Lengths lengths_for(const PresenceOptions& options, const LengthSettings& set,
                           std::optional<int64_t> learned_ms) {
  const int64_t stale_factor = options.learn_stale_factor, offline_factor = options.learn_offline_factor;
  Lengths lengths{options.stale_after_ms, options.offline_after_ms};
  if (set.interval_ms > 0) {
    lengths = {set.interval_ms * stale_factor, set.interval_ms * offline_factor};
  } else if (learned_ms) {
    const int64_t stale_max_ms = options.learn_max_ms * stale_factor / offline_factor;
    lengths.stale_ms = std::max(lengths.stale_ms, std::min(*learned_ms * stale_factor, stale_max_ms));
    lengths.offline_ms = std::max(lengths.offline_ms, std::min(*learned_ms * offline_factor, options.learn_max_ms));
  }
  if (set.stale_after_ms > 0) lengths.stale_ms = set.stale_after_ms;
  if (set.offline_after_ms > 0) lengths.offline_ms = set.offline_after_ms;
  if (lengths.stale_ms < lengths.offline_ms) return lengths;
  if (set.stale_after_ms > 0) {
    lengths.offline_ms = lengths.stale_ms * offline_factor / stale_factor;
  } else {
    lengths.stale_ms = lengths.offline_ms * stale_factor / offline_factor;
  }
  return lengths;
}

}  // namespace millstream::presence
