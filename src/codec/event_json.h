// codec/event_json.h: events and their data objects as JSON, both ways.
//
// Shapes   The wire contract's event object, compact, keys in the order id, ts, topic, type, data.
//          Output is always valid UTF-8 (input was checked at the edge) with control characters escaped, so a frame
//          never holds a raw CR, LF or NUL. Doubles print as the shortest text that reads back the same.
// Errors   decode_* and parse_* : Code::invalid naming the place ("data.fields.T1: not a number, boolean or string").
// Thread   value
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/alert.h"
#include "model/event.h"

namespace millstream::codec {

void append_json_string(std::string_view utf8, std::string& out);  // with the quotes
void append_json_number(double value, std::string& out);           // precondition: finite
void append_field_value(const model::FieldValue& value, std::string& out);

// {"id":…,"ts":…,"topic":…,"type":…,"data":…}
void append_event_json(const model::Event& event, std::string& out);
Result<model::Event> parse_event_json(std::string_view json);  // telemetry fields decoded

// {"deviceId":…,"fields":{…}} and, when there are any, "tags":{…}
std::string encode_telemetry_data(const model::DeviceId& device, const model::Fields& fields, const model::Tags& tags);
Result<model::Fields> decode_telemetry_fields(std::string_view data);
// Only those of these names, in their order.
Result<model::Fields> decode_telemetry_fields(std::string_view data, std::span<const std::string> names);
Result<model::Tags> decode_telemetry_tags(std::string_view data);

std::string encode_alert_data(const model::Alert& alert);
Result<model::Alert> decode_alert_data(std::string_view data);
std::string encode_device_status_data(const model::DeviceStatus& status);
Result<model::DeviceStatus> decode_device_status_data(std::string_view data);
std::string encode_presence_report_data(const model::PresenceReport& report);
// Of a system event. None: it is of another kind.
Result<std::optional<model::PresenceReport>> decode_presence_report_data(std::string_view data);

}  // namespace millstream::codec
