// codec/device_settings_json.h: the settings of a device as JSON, both ways, and what people tell the engines of
// devices, as system events.
//
// Shapes   {"name":"Pump 1","attributes":{"T1_warn":70},"parent":"gw-1","interval":"30s","staleAfter":"1m",
//          "offlineAfter":"5m","offlineDelay":"5s"}, each of them optional; encode_device_settings() leaves out what is
//          not set. A command is on the device's topic: {"kind":"device_saved","deviceId":…,"settings":{…},"by":…}, or
//          "device_deleted" without settings. `by` is the subject.
// Errors   Code::invalid naming the place and what is allowed: "attributes.T1_warn: not a number".
//          decode: none: it is a system event of another kind.
// Thread   value
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "model/device_settings.h"
#include "model/event.h"

namespace millstream::codec {

inline constexpr size_t kDeviceSettingsBytesMax = 16 << 10;

// `device`: whose they are; it cannot be its own parent.
Result<model::DeviceSettings> parse_device_settings(std::string_view json, const model::DeviceId& device);
std::string encode_device_settings(const model::DeviceSettings& settings);

struct SaveDevice {
  model::DeviceSettings settings;
  std::string by;
};
struct DeleteDevice {
  std::string by;
};
using DeviceCommand = std::variant<SaveDevice, DeleteDevice>;

std::string encode_device_command(const model::DeviceId& device, const DeviceCommand& command);
// Of a system event on the device's topic.
Result<std::optional<DeviceCommand>> decode_device_command(const model::Event& event);

}  // namespace millstream::codec
