// model/event.h: everything that happens.
//
// Shapes   `data` is the event's data object as compact JSON, made once and used for the log, the stream and history.
//          ts_ms is the device's time if it sent one, else the receive time; order is by id, never by ts.
//          The receive time of an event is id.ms.
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/event_id.h"
#include "model/point.h"
#include "model/topic.h"

namespace millstream::model {

enum class EventType : uint8_t { telemetry, alert, device_status, system };
inline constexpr int kEventTypes = 4;

constexpr std::string_view event_type_name(EventType type) {
  constexpr std::string_view names[] = {"telemetry", "alert", "device_status", "system"};
  return names[static_cast<size_t>(type)];
}

constexpr std::optional<EventType> parse_event_type(std::string_view text) {
  for (int i = 0; i < kEventTypes; ++i) {
    if (event_type_name(static_cast<EventType>(i)) == text) return static_cast<EventType>(i);
  }
  return std::nullopt;
}

// A set of event types, as a stream or a query asks for them.
class EventTypes {
 public:
  static constexpr EventTypes all() { return EventTypes((1u << kEventTypes) - 1); }
  static constexpr EventTypes none() { return EventTypes(0); }
  constexpr EventTypes with(EventType type) const { return EventTypes(bits_ | (1u << static_cast<unsigned>(type))); }
  constexpr bool has(EventType type) const { return (bits_ >> static_cast<unsigned>(type)) & 1u; }
  static constexpr EventTypes from_bits(uint8_t bits) { return EventTypes(bits & all().bits_); }
  constexpr EventTypes operator&(EventTypes other) const { return EventTypes(bits_ & other.bits_); }
  constexpr bool is_all() const { return *this == all(); }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr uint8_t bits() const { return bits_; }
  constexpr auto operator<=>(const EventTypes&) const = default;

 private:
  constexpr explicit EventTypes(unsigned bits) : bits_(static_cast<uint8_t>(bits)) {}
  uint8_t bits_;
};

struct Event {
  EventId id;  // zero until the log has given one
  int64_t ts_ms = 0;
  Topic topic;
  EventType type = EventType::telemetry;
  std::string data;
  // The decoded values of a telemetry event. Filled at ingest; empty on events read back from the log
  // until codec::decode_telemetry() is asked.
  Fields fields;
  // n > 0: the n-th conclusion of the engines, counted over the life of the log; 0: came from outside.
  uint64_t conclusion = 0;
};

// One that is not telemetry, before the log has it.
inline Event new_event(EventType type, Topic topic, std::string data, int64_t ts_ms) {
  return {.ts_ms = ts_ms, .topic = std::move(topic), .type = type, .data = std::move(data)};
}

}  // namespace millstream::model
