#include "codec/device_settings_json.h"

#include <gtest/gtest.h>

#include "model/system_kind.h"

namespace millstream::codec {
namespace {

const model::DeviceId kDevice = *model::DeviceId::parse("d1");

std::string error_of(std::string_view json) {
  const Result<model::DeviceSettings> settings = parse_device_settings(json, kDevice);
  return settings ? "" : settings.error().detail;
}

TEST(DeviceSettingsJson, EveryMemberComesBackAndWhatIsNotSetIsLeftOut) {
  const std::string text =
      R"({"name":"Pump \"1\"","attributes":{"T1_crit":85.5,"T1_warn":70},"parent":"gw-1","interval":"30s",)"
      R"("staleAfter":"1m","offlineAfter":"5m","offlineDelay":"0ms"})";
  const Result<model::DeviceSettings> settings = parse_device_settings(text, kDevice);
  ASSERT_TRUE(settings.ok()) << settings.error().detail;
  EXPECT_EQ(settings->name, "Pump \"1\"");
  EXPECT_EQ(settings->attributes, (model::DeviceAttributes{{"T1_crit", 85.5}, {"T1_warn", 70}}));
  EXPECT_EQ(settings->parent.text(), "gw-1");
  EXPECT_EQ(settings->interval_ms, 30'000);
  EXPECT_EQ(settings->offline_delay_ms, 0);
  const std::string written = encode_device_settings(*settings);
  EXPECT_EQ(*parse_device_settings(written, kDevice), *settings);
  EXPECT_EQ(encode_device_settings(*parse_device_settings(R"({"attributes":{},"parent":null})", kDevice)), "{}");
}

TEST(DeviceSettingsJson, WhatIsWrongIsNamedWithItsPlace) {
  EXPECT_EQ(error_of("[]"), "device: not an object");
  EXPECT_EQ(error_of(""), "device: empty, JSON expected");
  EXPECT_EQ(error_of(R"({"attributes":{"a":"x"}})"), "attributes.a: not a number");
  EXPECT_EQ(error_of(R"({"attributes":{"a":1,"a":2}})"), "attributes.a: given more than once");
  EXPECT_EQ(error_of(R"({"attributes":[1]})"), "attributes: not an object");
  EXPECT_EQ(error_of(R"({"parent":"a b"})"), "parent: a name is 1 to 64 of A-Z a-z 0-9 . _ -");
  EXPECT_EQ(error_of(R"({"parent":"d1"})"), "parent: the device itself");
  EXPECT_EQ(error_of(R"({"parent":1})"), "parent: not a string");
  EXPECT_EQ(error_of(R"({"interval":30})"), R"(interval: a duration from 100ms to 7d, such as "30s")");
  EXPECT_EQ(error_of(R"({"offlineDelay":"2h"})"), R"(offlineDelay: a duration from 0s to 1h, such as "30s")");
  EXPECT_EQ(error_of(R"({"staleAfter":"5m","offlineAfter":"300s"})"), "offlineAfter: not above staleAfter");
  EXPECT_EQ(error_of(R"({"name":""})"), "name: 1 to 256 bytes");
  EXPECT_TRUE(error_of(R"({"timeout":"1m"})").starts_with("timeout: unknown; known are:"))
      << error_of(R"({"timeout":1})");
  std::string many = R"({"attributes":{)";
  for (size_t i = 0; i <= model::kDeviceAttributesMax; ++i) many += (i ? ",\"a" : "\"a") + std::to_string(i) + "\":1";
  EXPECT_EQ(error_of(many + "}}"), "attributes: at most 64");
  EXPECT_EQ(error_of(std::string(kDeviceSettingsBytesMax + 1, ' ')), "device: at most 16384 bytes");
  // Fits as it comes, and not as it is stored.
  std::string longer = R"({"attributes":{)";
  for (int i = 10; i < 40; ++i) {
    longer += (i > 10 ? ",\"" : "\"") + std::to_string(i);
    for (int n = 0; n < 200; ++n) longer += "\\b";
    longer += "\":1";
  }
  longer += "}}";
  ASSERT_LE(longer.size(), kDeviceSettingsBytesMax);
  EXPECT_EQ(error_of(longer), "device: at most 16384 bytes");
}

TEST(DeviceSettingsJson, CommandsTellTheEnginesAndOtherEventsAreNone) {
  model::Event event;
  event.topic = *model::Topic::parse("account:a/site:s/device:d1");
  event.type = model::EventType::system;
  const model::DeviceSettings settings{.name = "Pump", .attributes = {{"T1", 1.5}}, .parent = {}};
  event.data = encode_device_command(kDevice, SaveDevice{settings, "user:anna"});
  EXPECT_EQ(
      event.data,
      R"({"kind":"device_saved","deviceId":"d1","settings":{"name":"Pump","attributes":{"T1":1.5}},"by":"user:anna"})");
  const auto saved = decode_device_command(event);
  ASSERT_TRUE(saved.ok() && *saved);
  EXPECT_EQ(std::get<SaveDevice>(**saved).settings, settings);
  EXPECT_EQ(std::get<SaveDevice>(**saved).by, "user:anna");
  event.data = encode_device_command(kDevice, DeleteDevice{"user:anna"});
  const auto deleted = decode_device_command(event);
  ASSERT_TRUE(deleted.ok() && *deleted);
  EXPECT_EQ(std::get<DeleteDevice>(**deleted).by, "user:anna");
  event.data = R"({"kind":"maintenance"})";
  EXPECT_FALSE(*decode_device_command(event));
  event.data = R"({"kind":"device_saved","settings":{"parent":"d1"}})";
  EXPECT_EQ(decode_device_command(event).error().detail, "parent: the device itself");
  event.data = R"({"kind":"device_saved"})";
  EXPECT_EQ(decode_device_command(event).error().detail, "data.settings: not as it should be");
  EXPECT_TRUE(model::is_stream_kind("device_saved") && model::is_stream_kind("device_deleted"));
}

}  // namespace
}  // namespace millstream::codec
