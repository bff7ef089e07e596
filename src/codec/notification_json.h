// codec/notification_json.h: notifications and how their delivery went, as system events in the log.
//
// Shapes   {"kind":"notification","notificationId","channel","groupKey","groupLabels","status","severity","firing",
//          "resolved","test","by"}: without the alerts (model/notification.h says why).
//          {"kind":"notification_result","notificationId","channel","state","attempts","reason"}.
// Errors   Code::invalid naming the place; none: it is a system event of another kind.
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/result.h"
#include "model/event.h"
#include "model/notification.h"

namespace millstream::codec {

std::string encode_notification(const model::Notification& notification);
std::string encode_delivery_result(const model::DeliveryResult& result);

// One line of a delivery log: the members of both but `kind`, and "decidedAt" and "changedAt".
std::string encode_delivery(const model::Notification& notification, const model::DeliveryResult& result,
                            int64_t changed_at_ms);

using NotificationEvent = std::variant<model::Notification, model::DeliveryResult>;
// Of a system event. A notification's `alerts` stay empty; its topic and time are the event's.
Result<std::optional<NotificationEvent>> decode_notification_event(const model::Event& event);

}  // namespace millstream::codec
