// model/alert.h: alerts and device status, as values.
//
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/point.h"
#include "model/topic.h"

namespace millstream::model {

enum class Severity : uint8_t { info, warning, critical };
inline constexpr int kSeverities = 3;
constexpr std::string_view severity_name(Severity s) {
  constexpr std::string_view names[] = {"info", "warning", "critical"};
  return names[static_cast<size_t>(s)];
}

constexpr std::optional<Severity> parse_severity(std::string_view text) {
  for (const Severity s : {Severity::info, Severity::warning, Severity::critical}) {
    if (text == severity_name(s)) return s;
  }
  return std::nullopt;
}

enum class AlertState : uint8_t { firing, updated, resolved, acknowledged, unacknowledged, stale };
inline constexpr int kAlertStates = 6;
constexpr std::string_view alert_state_name(AlertState s) {
  constexpr std::string_view names[] = {"firing", "updated", "resolved", "acknowledged", "unacknowledged", "stale"};
  return names[static_cast<size_t>(s)];
}

enum class Presence : uint8_t { unknown, online, stale, offline };
constexpr std::string_view presence_name(Presence p) {
  constexpr std::string_view names[] = {"unknown", "online", "stale", "offline"};
  return names[static_cast<size_t>(p)];
}

// Alerts of other systems, which are published here, have a colon in their id; those of this server's rules have none,
// so that nobody can speak for them.
constexpr bool is_published_alert(std::string_view alert_id) { return alert_id.find(':') != std::string_view::npos; }

// Who has seen an alert and says so.
struct AlertAck {
  std::string by;
  int64_t at_ms = 0;
  std::string note;
  bool operator==(const AlertAck&) const = default;
};

// The data of an `alert` event.
struct Alert {
  std::string alert_id;  // the same from firing to resolved
  std::string rule_id;
  std::string rule_name;
  DeviceId device;
  AlertState state = AlertState::firing;
  Severity severity = Severity::warning;
  std::string message;
  std::string field;
  double value = 0;  // the value that caused this event
  double threshold = 0;
  int64_t started_at_ms = 0;
  std::optional<int64_t> ended_at_ms;
  // A publisher says none of this; the ack of a published alert, and that it was closed, are told here too.
  std::string reason;  // why it is in this state, when it is not for a value: "no_data", "closed", …
  bool flapping = false;
  std::optional<AlertAck> ack;
  Tags labels;
  bool operator==(const Alert&) const = default;
};

// The data of a `device_status` event.
struct DeviceStatus {
  DeviceId device;
  Presence status = Presence::unknown;
  std::string reason;        // "data", "timeout", "never_seen", "gateway", or that of a report
  int64_t last_seen_ms = 0;  // 0: never
  size_t devices = 0;        // of a gateway: how many went with it, or may come back
  bool operator==(const DeviceStatus&) const = default;
};

// What someone who knows says of a device: a broker, that its connection was made or has broken. The data of a `system`
// event of kind "presence_report", from which the presence engine concludes; see model/system_kind.h.
struct PresenceReport {
  DeviceId device;
  Presence status = Presence::unknown;  // online or offline
  std::string reason;                   // [a-z_]: "last_will", "node_birth"
  bool retained = false;                // said at some time before, and kept by the broker
  bool operator==(const PresenceReport&) const = default;
};

}  // namespace millstream::model
