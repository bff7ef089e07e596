// Any bytes as the settings of a device: never a crash, and what is accepted comes out the same when it is read again,
// alone and inside the event that tells of it.
#include <cstdint>

#include "base/check.h"
#include "codec/device_settings_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  model::Event event;
  event.topic = *model::Topic::parse("account:a/site:s/device:d");
  event.type = model::EventType::system;
  event.data.assign(reinterpret_cast<const char*>(bytes), size);
  static_cast<void>(codec::decode_device_command(event));
  const auto settings = codec::parse_device_settings(event.data, event.topic.device);
  if (!settings) return 0;
  MS_CHECK(settings->parent != event.topic.device);
  const std::string text = codec::encode_device_settings(*settings);
  if (text.size() > codec::kDeviceSettingsBytesMax) return 0;
  const auto again = codec::parse_device_settings(text, event.topic.device);
  MS_CHECK(again.ok() && *again == *settings);
  event.data = codec::encode_device_command(event.topic.device, codec::SaveDevice{*settings, "user:a"});
  const auto command = codec::decode_device_command(event);
  MS_CHECK(command.ok() && *command && std::get<codec::SaveDevice>(**command).settings == *settings);
  return 0;
}
