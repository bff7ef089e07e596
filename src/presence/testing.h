// presence/testing.h: events for the presence engine, and what it concludes as short lines, for tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "codec/event_json.h"
#include "presence/presence_engine.h"

namespace millstream::presence {

using model::Conclusions;
using model::Presence;
using Lines = std::vector<std::string>;

inline model::Topic topic_of(const std::string& device) {
  return *model::Topic::parse("account:a/site:s/device:" + device);
}

inline model::Event point(const std::string& device, int64_t received_ms, int64_t ts_ms) {
  model::Event event;
  event.id = {received_ms, 0};
  event.ts_ms = ts_ms;
  event.topic = topic_of(device);
  return event;
}

inline model::Event system_event(const std::string& device, std::string data, int64_t received_ms) {
  model::Event event = point(device, received_ms, received_ms);
  event.type = model::EventType::system;
  event.data = std::move(data);
  return event;
}

inline model::Event report(const std::string& device, Presence status, const std::string& reason, int64_t received_ms,
                           bool retained = false) {
  const model::PresenceReport said{topic_of(device).device, status, reason, retained};
  return system_event(device, codec::encode_presence_report_data(said), received_ms);
}

inline model::Event saved(const std::string& device, const model::DeviceSettings& settings, int64_t received_ms) {
  const codec::SaveDevice command{settings, "user:a"};
  return system_event(device, codec::encode_device_command(topic_of(device).device, command), received_ms);
}

inline model::Event deleted(const std::string& device, int64_t received_ms) {
  const codec::DeleteDevice command{"user:a"};
  return system_event(device, codec::encode_device_command(topic_of(device).device, command), received_ms);
}

inline model::DeviceSettings behind(const std::string& gateway) {
  model::DeviceSettings settings;
  settings.parent = *model::DeviceId::parse(gateway);
  return settings;
}

inline model::DeviceSettings lengths(int64_t stale_ms, int64_t offline_ms) {
  model::DeviceSettings settings;
  settings.stale_after_ms = stale_ms;
  settings.offline_after_ms = offline_ms;
  return settings;
}

// "ts device status reason lastSeen", and "+n" of a gateway with n behind it.
inline std::string line(const model::Event& event) {
  EXPECT_EQ(event.type, model::EventType::device_status);
  EXPECT_TRUE(event.id.is_zero());
  const Result<model::DeviceStatus> status = codec::decode_device_status_data(event.data);
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status->device, event.topic.device);
  return std::to_string(event.ts_ms) + " " + status->device.text() + " " +
         std::string(model::presence_name(status->status)) + " " + status->reason + " " +
         std::to_string(status->last_seen_ms) + (status->devices > 0 ? " +" + std::to_string(status->devices) : "");
}

inline Lines lines(const Conclusions& out) {
  Lines texts;
  for (const model::Event& event : out) texts.push_back(line(event));
  return texts;
}

// As the runner drives an engine.
struct Driver {
  explicit Driver(PresenceOptions options, model::SettingsByDevice known = {}) : engine(options, std::move(known)) {}

  PresenceEngine engine;
  Conclusions out;

  void event(const model::Event& event) {
    engine.advance(event.id.ms, out);
    engine.step(event, event.id.ms, out);
  }
  void data(const std::string& device, int64_t at_ms) { data(device, at_ms, at_ms); }
  void data(const std::string& device, int64_t at_ms, int64_t ts_ms) { event(point(device, at_ms, ts_ms)); }
  void says(const std::string& device, Presence status, const std::string& reason, int64_t at_ms,
            bool retained = false) {
    event(report(device, status, reason, at_ms, retained));
  }
  void save(const std::string& device, const model::DeviceSettings& settings, int64_t at_ms) {
    event(saved(device, settings, at_ms));
  }
  void until(int64_t at_ms) { engine.advance(at_ms, out); }
  Lines take() {
    const Lines texts = lines(out);
    out.clear();
    return texts;
  }
};

}  // namespace millstream::presence
