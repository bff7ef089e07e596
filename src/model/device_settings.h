// model/device_settings.h: what people say of a device.
//
// Flow     kept by the registry, told to the engines through the log (codec/device_settings_json.h); the rules read the
//          attributes, presence the rest. docs/presence.md tells what it means.
// Shapes   durations in milliseconds; what is not given is learned, or as configured.
// Thread   value
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/topic.h"

namespace millstream::model {

inline constexpr size_t kDeviceAttributesMax = 64;
inline constexpr size_t kDeviceTextBytesMax = 256;
inline constexpr int64_t kSilenceAfterMsMin = 100;             // of every length of silence
inline constexpr int64_t kSilenceAfterMsMax = 7 * 86'400'000;  // the same
inline constexpr int64_t kOfflineDelayMsMax = 3'600'000;

// Numbers by name, in the order of the names; the rules' limits may name one.
using DeviceAttributes = std::vector<std::pair<std::string, double>>;

struct DeviceSettings {
  std::string name;  // for people; empty: none
  DeviceAttributes attributes;
  DeviceId parent;  // the gateway it speaks through, at the same site; empty: none
  std::optional<int64_t> interval_ms;
  std::optional<int64_t> stale_after_ms;
  std::optional<int64_t> offline_after_ms;  // above stale_after_ms
  std::optional<int64_t> offline_delay_ms;

  bool operator==(const DeviceSettings&) const = default;
};

using SettingsByDevice = std::map<Topic, DeviceSettings>;

}  // namespace millstream::model
