#include "codec/device_settings_json.h"

#include <algorithm>

#include "base/limits.h"
#include "base/overloaded.h"
#include "codec/command_data.h"
#include "codec/event_json.h"
#include "codec/json_input.h"
#include "codec/object_members.h"
#include "codec/object_text.h"
#include "model/system_kind.h"

namespace millstream::codec {
namespace {

using model::DeviceSettings;
using simdjson::dom::object;

void read_attributes(ObjectMembers& in, model::DeviceAttributes& attributes) {
  const auto found = in.find("attributes");
  if (!found) return;
  object values;
  if (found->get(values)) return in.fail("attributes", "not an object");
  if (values.size() > model::kDeviceAttributesMax) {
    return in.fail("attributes", "at most " + std::to_string(model::kDeviceAttributesMax));
  }
  for (const auto member : values) {
    const std::string_view key = member.key;
    const std::string place = "attributes." + std::string(key.substr(0, kNameBytesMax));
    double number = 0;
    if (key.empty() || key.size() > kFieldNameBytesMax) {
      return in.fail("attributes", "names of 1 to " + std::to_string(kFieldNameBytesMax) + " bytes");
    }
    if (member.value.get(number)) return in.fail(place, "not a number");
    if (std::any_of(attributes.begin(), attributes.end(), [&](const auto& a) { return a.first == key; })) {
      return in.fail(place, "given more than once");
    }
    attributes.emplace_back(key, number);
  }
  std::sort(attributes.begin(), attributes.end());
}

void read_parent(ObjectMembers& in, const model::DeviceId& device, model::DeviceId& parent) {
  const auto found = in.find("parent");
  if (!found) return;
  std::string_view text;
  if (found->get(text)) return in.fail("parent", "not a string");
  Result<model::DeviceId> id = model::DeviceId::parse(text);
  if (!id) return in.fail("parent", id.error().detail);
  if (*id == device) return in.fail("parent", "the device itself");
  parent = std::move(*id);
}

void read_duration(ObjectMembers& in, std::string_view name, int64_t low_ms, int64_t high_ms,
                   std::optional<int64_t>& target) {
  if (!in.find(name)) return;
  int64_t ms = 0;
  in.duration(name, low_ms, high_ms, ms);
  target = ms;
}

void read_settings(ObjectMembers& in, const model::DeviceId& device, DeviceSettings& settings) {
  using namespace model;
  in.text("name", kDeviceTextBytesMax, settings.name);
  read_attributes(in, settings.attributes);
  read_parent(in, device, settings.parent);
  read_duration(in, "interval", kSilenceAfterMsMin, kSilenceAfterMsMax, settings.interval_ms);
  read_duration(in, "staleAfter", kSilenceAfterMsMin, kSilenceAfterMsMax, settings.stale_after_ms);
  read_duration(in, "offlineAfter", kSilenceAfterMsMin, kSilenceAfterMsMax, settings.offline_after_ms);
  read_duration(in, "offlineDelay", 0, kOfflineDelayMsMax, settings.offline_delay_ms);
  if (settings.stale_after_ms && settings.offline_after_ms && *settings.stale_after_ms >= *settings.offline_after_ms) {
    in.fail("offlineAfter", "not above staleAfter");
  }
}

}  // namespace

Result<DeviceSettings> parse_device_settings(std::string_view json, const model::DeviceId& device) {
  Result<DeviceSettings> settings =
      parse_object(json, "device", kDeviceSettingsBytesMax, DeviceSettings{},
                   [&](ObjectMembers& in, DeviceSettings& target) { read_settings(in, device, target); });
  // Escapes and numbers may take more room than they came in, and what is stored must be read again.
  if (settings && encode_device_settings(*settings).size() > kDeviceSettingsBytesMax) {
    return Error{Code::invalid, "device: at most " + std::to_string(kDeviceSettingsBytesMax) + " bytes"};
  }
  return settings;
}

std::string encode_device_settings(const DeviceSettings& settings) {
  std::string out;
  {
    ObjectText w(out);
    if (!settings.name.empty()) w.text("name", settings.name);
    if (!settings.attributes.empty()) {
      ObjectText attributes(w.key("attributes"));
      for (const auto& [name, value] : settings.attributes) attributes.number(name, value);
    }
    if (!settings.parent.empty()) w.text("parent", settings.parent.text());
    if (settings.interval_ms) w.duration("interval", *settings.interval_ms);
    if (settings.stale_after_ms) w.duration("staleAfter", *settings.stale_after_ms);
    if (settings.offline_after_ms) w.duration("offlineAfter", *settings.offline_after_ms);
    if (settings.offline_delay_ms) w.duration("offlineDelay", *settings.offline_delay_ms);
  }
  return out;
}

std::string encode_device_command(const model::DeviceId& device, const DeviceCommand& command) {
  std::string out;
  {
    ObjectText object(out);
    const bool saved = std::holds_alternative<SaveDevice>(command);
    object.text("kind", saved ? model::kDeviceSavedKind : model::kDeviceDeletedKind);
    object.text("deviceId", device.text());
    std::visit(Overloaded{[&](const SaveDevice& c) {
                            object.key("settings") += encode_device_settings(c.settings);
                            object.text("by", c.by);
                          },
                          [&](const DeleteDevice& c) { object.text("by", c.by); }},
               command);
  }
  return out;
}

Result<std::optional<DeviceCommand>> decode_device_command(const model::Event& event) {
  const Result<CommandData> data = CommandData::of(event);
  if (!data) return data.error();
  const std::string kind = data->text("kind");
  std::string by = data->text("by");
  if (kind == model::kDeviceDeletedKind) return std::optional<DeviceCommand>(DeleteDevice{std::move(by)});
  if (kind != model::kDeviceSavedKind) return std::optional<DeviceCommand>();
  const Result<std::string> json = data->json("settings");
  if (!json) return json.error();
  Result<DeviceSettings> parsed = parse_device_settings(*json, event.topic.device);  // the tree is gone from here on
  if (!parsed) return parsed.error();
  return std::optional<DeviceCommand>(SaveDevice{std::move(*parsed), std::move(by)});
}

}  // namespace millstream::codec
