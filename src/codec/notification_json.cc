#include "codec/notification_json.h"

#include <limits>

#include "base/limits.h"
#include "codec/json_input.h"
#include "codec/object_members.h"
#include "codec/object_text.h"
#include "model/system_kind.h"

namespace millstream::codec {
namespace {

using model::DeliveryResult;
using model::Notification;
using simdjson::dom::element;

constexpr size_t kTextBytesMax = kEventBytesMax;
constexpr int64_t kCountMax = std::numeric_limits<uint32_t>::max();

// Where the schema has names that a rule's labels may fill with empty text.
void read_text(ObjectMembers& in, std::string_view name, std::string& target) {
  const auto found = in.find(name);
  std::string_view text;
  if (!found) return;
  if (found->get(text)) return in.fail(name, "not a string");
  target = text;
}

bool read_status(std::string_view status, bool& firing) {
  firing = status == "firing";
  return firing || status == "resolved";
}

void read_notification(ObjectMembers& in, Notification& n) {
  for (const std::string_view name : {"notificationId", "channel", "groupKey", "status"}) in.needs(name);
  std::string status;
  in.text("notificationId", kTextBytesMax, n.id);
  in.text("channel", kNameBytesMax, n.channel);
  in.text("groupKey", kTextBytesMax, n.group_key);
  in.tags("groupLabels", kTagsPerPointMax, n.group_labels);
  in.text("status", kNameBytesMax, status);
  if (!read_status(status, n.firing)) in.fail("status", "firing or resolved");
  in.one_of("severity", 3, &model::severity_name, n.severity);
  in.whole("firing", 0, kCountMax, n.firing_count);
  in.whole("resolved", 0, kCountMax, n.resolved_count);
  in.flag("test", n.is_test);
  read_text(in, "by", n.by);
}

void read_result(ObjectMembers& in, DeliveryResult& result) {
  for (const std::string_view name : {"notificationId", "channel", "state"}) in.needs(name);
  in.text("notificationId", kTextBytesMax, result.notification_id);
  in.text("channel", kNameBytesMax, result.channel);
  in.one_of("state", model::kDeliveryStates, &model::delivery_state_name, result.state);
  in.whole("attempts", 0, kCountMax, result.attempts);
  read_text(in, "reason", result.reason);
}

void write_notification(ObjectText& object, const Notification& n) {
  object.text("notificationId", n.id);
  object.text("channel", n.channel);
  object.text("groupKey", n.group_key);
  object.tags("groupLabels", n.group_labels);
  object.text("status", n.firing ? "firing" : "resolved");
  object.text("severity", model::severity_name(n.severity));
  object.number("firing", n.firing_count);
  object.number("resolved", n.resolved_count);
  if (n.is_test) object.flag("test", true);
  if (!n.by.empty()) object.text("by", n.by);
}

void write_result(ObjectText& object, const DeliveryResult& result) {
  object.text("state", model::delivery_state_name(result.state));
  object.number("attempts", result.attempts);
  if (!result.reason.empty()) object.text("reason", result.reason);
}

template <class T, class Read>
Result<std::optional<NotificationEvent>> read_all(element data, T value, Read read) {
  std::optional<Error> error;
  {
    ObjectMembers in(data, "data", error);
    in.find("kind");
    read(in, value);
  }
  if (error) return *error;
  return std::optional<NotificationEvent>(std::move(value));
}

}  // namespace

std::string encode_notification(const Notification& n) {
  std::string out;
  {
    ObjectText object(out);
    object.text("kind", model::kNotificationKind);
    write_notification(object, n);
  }
  return out;
}

std::string encode_delivery_result(const DeliveryResult& result) {
  std::string out;
  {
    ObjectText object(out);
    object.text("kind", model::kNotificationResultKind);
    object.text("notificationId", result.notification_id);
    object.text("channel", result.channel);
    write_result(object, result);
  }
  return out;
}

std::string encode_delivery(const Notification& n, const DeliveryResult& result, int64_t changed_at_ms) {
  std::string out;
  {
    ObjectText object(out);
    write_notification(object, n);
    object.time("decidedAt", n.decided_at_ms);
    write_result(object, result);
    object.time("changedAt", changed_at_ms);
  }
  return out;
}

Result<std::optional<NotificationEvent>> decode_notification_event(const model::Event& event) {
  const Result<element> root = parse_json(event.data);
  if (!root) return root.error();
  std::string_view kind;
  if (root->at_key("kind").get(kind)) return std::optional<NotificationEvent>();
  if (kind == model::kNotificationResultKind) return read_all(*root, DeliveryResult{}, &read_result);
  if (kind != model::kNotificationKind) return std::optional<NotificationEvent>();
  Notification n;
  n.topic = event.topic;
  n.decided_at_ms = event.ts_ms;
  return read_all(*root, std::move(n), &read_notification);
}

}  // namespace millstream::codec
