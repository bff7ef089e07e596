#include "rules/alert_event.h"

#include <algorithm>

#include "codec/event_json.h"
#include "rules/alert_message.h"

namespace millstream::rules {
namespace {

using model::AlertState;

double number_of(const model::Limit& limit) {
  if (const auto* number = std::get_if<double>(&limit)) return *number;
  if (const auto* range = std::get_if<model::Range>(&limit)) return range->high;
  return 0;
}

std::string text_of(const model::Limit& limit) {
  std::string out;
  if (const auto* number = std::get_if<double>(&limit)) {
    codec::append_json_number(*number, out);
  } else if (const auto* range = std::get_if<model::Range>(&limit)) {
    codec::append_json_number(range->low, out);
    out += "..";
    codec::append_json_number(range->high, out);
  } else if (const auto* text = std::get_if<std::string>(&limit)) {
    out = *text;
  }
  return out;
}

std::string text_of(const Reading& reading) {
  if (reading.is_text) return reading.text;
  std::string out;
  codec::append_json_number(reading.number, out);
  return out;
}

model::Event event_of(const model::Alert& alert, const model::Topic& device, int64_t ts_ms) {
  return new_event(model::EventType::alert, device, codec::encode_alert_data(alert), ts_ms);
}

// The last value says nothing of it.
std::string_view no_data_message(const model::Condition& condition) {
  return condition.field.empty() ? "{{device}}: no data for {{duration}}"
                                 : "{{device}} {{field}}: no data for {{duration}}";
}

model::Alert alert_of(const Instance& instance, const model::Topic& device, const Attributes& attributes) {
  const model::Rule& rule = instance.rule->rule;
  const model::Level& level = rule.levels[static_cast<size_t>(std::max<int8_t>(instance.level, 0))];
  const size_t shown = shown_condition(instance, attributes);
  const model::Condition& condition = rule.when[shown];
  const Reading reading = reading_of(instance, shown);
  const model::Limit limit = limit_for(condition.op ? condition.value : level.value, attributes);
  model::Alert alert;
  alert.alert_id = alert_id(instance, device);
  alert.rule_id = rule.id;
  alert.rule_name = rule.name;
  alert.device = device.device;
  alert.severity = level.severity;
  alert.field = condition.field;
  alert.value = reading.is_text ? 0 : reading.number;
  alert.threshold = number_of(limit);
  alert.started_at_ms = instance.started_at_ms;
  alert.flapping = instance.flapping;
  if (instance.ack) alert.ack = *instance.ack;
  alert.labels = rule.labels;
  const bool says_no_data = instance.for_no_data && rule.no_data && rule.message == model::default_message(rule);
  alert.message = alert_message({.text = says_no_data ? no_data_message(condition) : std::string_view(rule.message),
                                 .rule = rule,
                                 .device = device,
                                 .condition = condition,
                                 .level = level,
                                 .value = text_of(reading),
                                 .threshold = text_of(limit),
                                 .for_ms = says_no_data ? rule.no_data->after_ms : level.for_ms.value_or(rule.for_ms)});
  return alert;
}

}  // namespace

std::string alert_id(const Instance& instance, const model::Topic& device) {
  return instance.rule->rule.id + "." + device.site.text() + "." + device.device.text() + "." +
         std::to_string(instance.started_at_ms) + "." + std::to_string(instance.alerts_at_start);
}

model::Event alert_event(const Instance& instance, const model::Topic& device, const Attributes& attributes,
                         const Change& change) {
  model::Alert alert = alert_of(instance, device, attributes);
  alert.state = change.state;
  alert.reason = change.reason;
  if (change.state == AlertState::resolved) alert.ended_at_ms = change.ts_ms;
  return event_of(alert, device, change.ts_ms);
}

model::Event farewell(const Instance& instance, const model::Topic& device, const Attributes& attributes,
                      const char* reason, int64_t now_ms) {
  return alert_event(instance, device, attributes,
                     {AlertState::resolved, std::max(now_ms, instance.started_at_ms), reason});
}

}  // namespace millstream::rules
