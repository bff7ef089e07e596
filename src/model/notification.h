// model/notification.h: what is told to people outside, and how that went.
//
// Shapes   A notification speaks of one group of alerts, through one channel. It becomes a `system` event of kind
//          "notification" that says how many alerts there are, but not which: whoever follows the topic may see less
//          than all of them. Delivery results are `system` events of kind "notification_result".
// Thread   value
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/alert.h"
#include "model/point.h"
#include "model/topic.h"

namespace millstream::model {

// What of an alert is among its labels and may change while it is open: with others it is another one to a receiver.
struct AlertIdentity {
  Severity severity = Severity::info;
  std::string rule_name = {};
  std::string field = {};
  Tags labels = {};
  bool operator==(const AlertIdentity&) const = default;
};
inline AlertIdentity identity_of(const Alert& alert) {
  return {alert.severity, alert.rule_name, alert.field, alert.labels};
}
inline void set_identity(const AlertIdentity& identity, Alert& alert) {
  alert.severity = identity.severity;
  alert.rule_name = identity.rule_name;
  alert.field = identity.field;
  alert.labels = identity.labels;
}

// One alert, as a notification tells it.
struct NotifiedAlert {
  Topic device;
  Alert alert;
  bool over = false;  // resolved, or no longer of this group
  int64_t ended_at_ms = 0;
  bool stale = false;
  std::optional<AlertIdentity> told_as = {};  // when it was last told
  bool operator==(const NotifiedAlert&) const = default;
};

struct Notification {
  std::string id;
  Topic topic;  // of its events: the account's, or what all of the group lies in
  std::string channel;
  std::string group_key;
  Tags group_labels;  // by name
  bool firing = true;
  Severity severity = Severity::info;  // the highest there is
  uint32_t firing_count = 0;
  uint32_t resolved_count = 0;
  bool is_test = false;
  std::string by;  // of a test: who asked for it
  int64_t decided_at_ms = 0;

  int64_t repeat_ms = 0;  // how long until it is told again if nothing changes
  std::vector<NotifiedAlert> alerts;
  uint32_t truncated = 0;  // alerts beyond those
  bool operator==(const Notification&) const = default;
};
using NotificationPtr = std::shared_ptr<const Notification>;

enum class DeliveryState : uint8_t { pending, retrying, sent, failed, gave_up, dropped };
inline constexpr size_t kDeliveryStates = 6;
constexpr std::string_view delivery_state_name(DeliveryState s) {
  constexpr std::string_view names[] = {"pending", "retrying", "sent", "failed", "gave_up", "dropped"};
  return names[static_cast<size_t>(s)];
}
constexpr bool is_final(DeliveryState s) { return s >= DeliveryState::sent; }

struct DeliveryResult {
  std::string notification_id = {};
  std::string channel = {};
  DeliveryState state = DeliveryState::sent;
  uint32_t attempts = 0;
  std::string reason = {};  // a word such as "timeout" or "answered_503"; empty when it was sent
  bool operator==(const DeliveryResult&) const = default;
};

}  // namespace millstream::model
