#include "rules/rule_engine.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "codec/event_json.h"
#include "model/state_text.h"
#include "rules/alert_message.h"
#include "rules/rule_set.h"
#include "rules/watched_devices.h"

namespace millstream::rules {

struct RuleEngine::State {
  explicit State(std::vector<model::ThresholdRule> in_force) : rules(std::move(in_force)), devices(rules) {}

  const RuleSet rules;
  WatchedDevices devices;
  model::Conclusions farewells;  // alerts of rules no longer in force, for the next advance()
  int64_t next_forget_ms = 0;    // not saved: forgetting once more shows nowhere
};

namespace {

using model::AlertState;
using model::ThresholdRule;

constexpr int64_t kStateVersion = 1;

Error unreadable() { return Error{Code::corrupt, "rules: the saved state cannot be read"}; }

std::string alert_id(const ThresholdRule& rule, const model::Topic& device, const Instance& instance) {
  return rule.id + "." + device.site.text() + "." + device.device.text() + "." +
         std::to_string(instance.started_at_ms) + "." + std::to_string(instance.alerts_at_start);
}

model::Alert make_alert(const ThresholdRule& rule, const model::Topic& device, const Instance& instance,
                        AlertState state) {
  model::Alert alert;
  alert.alert_id = alert_id(rule, device, instance);
  alert.rule_id = rule.id;
  alert.rule_name = rule.name;
  alert.device = device.device;
  alert.state = state;
  alert.severity = rule.severity;
  alert.field = rule.field;
  alert.value = instance.value;
  alert.threshold = rule.value;
  alert.started_at_ms = instance.started_at_ms;
  return alert;
}

model::Event alert_event(const model::Alert& alert, const model::Topic& device, int64_t ts_ms) {
  model::Event event;
  event.ts_ms = ts_ms;
  event.topic = device;
  event.type = model::EventType::alert;
  event.data = codec::encode_alert_data(alert);
  return event;
}

AlertState state_after(Change change) {
  switch (change) {
    case Change::fired: return AlertState::firing;
    case Change::resolved: return AlertState::resolved;
    case Change::went_stale: return AlertState::stale;
    case Change::returned:
    case Change::none: break;
  }
  return AlertState::updated;
}

void conclude(const ThresholdRule& rule, const model::Topic& device, const Instance& instance, Change change,
              int64_t ts_ms, model::Conclusions& out) {
  if (change == Change::none) return;
  model::Alert alert = make_alert(rule, device, instance, state_after(change));
  alert.message = alert_message(rule, device, instance.value);
  if (change == Change::resolved) alert.ended_at_ms = ts_ms = std::max(ts_ms, instance.started_at_ms);
  out.push_back(alert_event(alert, device, ts_ms));
}

// What becomes of an instance when the rule it was made for gives way to `now`; nullptr: there is none of that id.
const char* reason_to_end(const ThresholdRule& before, const ThresholdRule* now, const model::Topic& device) {
  if (now == nullptr) return "resolved because the rule was removed";
  if (!now->enabled) return "resolved because the rule was disabled";
  if (!same_condition(before, *now)) return "resolved because the rule was changed";
  if (!now->scope.matches(device)) return "resolved because the rule no longer covers the device";
  return nullptr;
}

model::Event farewell(const ThresholdRule& rule, const model::Topic& device, const Instance& instance,
                      const char* reason, int64_t now_ms) {
  model::Alert alert = make_alert(rule, device, instance, AlertState::resolved);
  alert.message = reason;
  alert.ended_at_ms = std::max(now_ms, instance.started_at_ms);
  return alert_event(alert, device, now_ms);
}

void save_rule(const ThresholdRule& rule, model::StateWriter& writer) {
  writer.text(rule.id).text(rule.name).number(rule.enabled ? 1 : 0).text(rule.scope.text()).text(rule.field);
  writer.number(static_cast<int>(rule.op)).real(rule.value).real(rule.clear).number(rule.for_ms);
  writer.number(rule.max_lateness_ms).number(static_cast<int>(rule.severity)).text(rule.message);
}

Result<ThresholdRule> load_rule(model::StateReader& reader) {
  ThresholdRule rule;
  rule.id = reader.text();
  rule.name = reader.text();
  rule.enabled = reader.number() != 0;
  Result<model::TopicPattern> scope = model::TopicPattern::parse(reader.text());
  rule.field = reader.text();
  const int64_t op = reader.number();
  rule.value = reader.real();
  rule.clear = reader.real();
  rule.for_ms = reader.number();
  rule.max_lateness_ms = reader.number();
  const int64_t severity = reader.number();
  rule.message = reader.text();
  if (!reader.ok() || !scope || op < 0 || op > 3 || severity < 0 || severity > 2) return unreadable();
  rule.scope = std::move(*scope);
  rule.op = static_cast<model::Comparison>(op);
  rule.severity = static_cast<model::Severity>(severity);
  return rule;
}

Result<std::vector<ThresholdRule>> load_rules(model::StateReader& reader) {
  std::vector<ThresholdRule> rules;
  const int64_t count = reader.number();
  for (int64_t i = 0; i < count; ++i) {
    Result<ThresholdRule> rule = load_rule(reader);
    if (!rule) return rule.error();
    rules.push_back(std::move(*rule));
  }
  return rules;
}

void save_farewells(const model::Conclusions& farewells, model::StateWriter& writer) {
  writer.number(farewells.size());
  for (const model::Event& event : farewells) writer.number(event.ts_ms).text(event.topic.text()).text(event.data);
}

Result<model::Conclusions> load_farewells(model::StateReader& reader) {
  model::Conclusions farewells;
  const int64_t count = reader.number();
  for (int64_t i = 0; i < count; ++i) {
    model::Event event;
    event.ts_ms = reader.number();
    Result<model::Topic> topic = model::Topic::parse(reader.text());
    if (!topic) return unreadable();
    event.topic = std::move(*topic);
    event.type = model::EventType::alert;
    event.data = reader.text();
    farewells.push_back(std::move(event));
  }
  if (!reader.ok()) return unreadable();
  return farewells;
}

}  // namespace

RuleEngine::RuleEngine(std::vector<ThresholdRule> rules)
    : configured_(std::move(rules)), state_(std::make_unique<State>(configured_)) {}
RuleEngine::~RuleEngine() = default;

void RuleEngine::step(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  if (!event.topic.is_device()) return;
  if (event.type == model::EventType::telemetry) {
    step_telemetry(event, now_ms, out);
  } else if (event.type == model::EventType::device_status) {
    const Result<model::DeviceStatus> status = codec::decode_device_status_data(event.data);
    if (status && status->status == model::Presence::offline) step_offline(event.topic, event.ts_ms, out);
  }
}

void RuleEngine::step_telemetry(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  WatchedDevices& devices = state_->devices;
  WatchedDevices::Device* device = nullptr;
  for (const model::Field& field : event.fields) {
    const std::optional<uint32_t> number = state_->rules.field_number(field.name);
    if (!number) continue;
    const std::optional<double> value = model::as_number(field.value);
    if (!value) continue;
    if (device == nullptr) device = &devices.device(event.topic);
    for (Instance& instance : devices.instances(*device, *number)) {
      const ThresholdRule& rule = state_->rules[instance.rule];
      devices.unset_deadline(*device, instance);
      const Change change = on_value(rule, instance, *value, event.ts_ms, now_ms);
      devices.set_deadline(*device, instance);
      const int64_t ts_ms = change == Change::fired ? instance.started_at_ms : instance.newest_ms;
      conclude(rule, event.topic, instance, change, ts_ms, out);
    }
  }
}

void RuleEngine::step_offline(const model::Topic& topic, int64_t ts_ms, model::Conclusions& out) {
  WatchedDevices::Device* device = state_->devices.find(topic);
  if (device == nullptr) return;
  for (WatchedDevices::WatchedField& field : device->fields) {
    for (Instance& instance : field.instances) {
      const Change change = on_offline(instance, ts_ms);
      conclude(state_->rules[instance.rule], topic, instance, change, ts_ms, out);
    }
  }
}

void RuleEngine::advance(int64_t now_ms, model::Conclusions& out) {
  for (model::Event& event : state_->farewells) out.push_back(std::move(event));
  state_->farewells.clear();
  fire_due(now_ms, out);
  if (now_ms < state_->next_forget_ms) return;
  const int64_t hour = now_ms / kHourMs;
  state_->next_forget_ms = (hour + 1) * kHourMs;
  state_->devices.forget_idle_since(hour * kHourMs - kDayMs);
}

void RuleEngine::fire_due(int64_t now_ms, model::Conclusions& out) {
  WatchedDevices& devices = state_->devices;
  while (const WatchedDevices::Deadline* earliest = devices.earliest()) {
    if (earliest->ms > now_ms) return;
    const auto [deadline_ms, device, instance] = *earliest;
    const ThresholdRule& rule = state_->rules[instance->rule];
    const model::Topic& topic = *device->topic;
    devices.unset_deadline(*device, *instance);
    const Change change = on_deadline(rule, *instance);
    conclude(rule, topic, *instance, change, deadline_ms, out);
    // It fires on what was last heard; that the device has gone silent since must be seen on the alert.
    if (instance->silent) conclude(rule, topic, *instance, Change::went_stale, deadline_ms, out);
  }
}

void RuleEngine::resume(int64_t from_ms, int64_t now_ms) {
  if (now_ms > from_ms) state_->devices.postpone(now_ms - from_ms);
  if (!state_->rules.same_as(configured_)) adopt_configured(now_ms);
}

void RuleEngine::adopt_configured(int64_t now_ms) {
  auto next = std::make_unique<State>(configured_);
  next->farewells = std::move(state_->farewells);
  for (WatchedDevices::Device* device : state_->devices.by_topic()) {
    for (const WatchedDevices::WatchedField& field : device->fields) {
      for (const Instance& instance : field.instances) {
        const ThresholdRule& before = state_->rules[instance.rule];
        const std::optional<uint32_t> place = next->rules.place_of(before.id);
        const char* reason = reason_to_end(before, place ? &next->rules[*place] : nullptr, *device->topic);
        if (reason != nullptr) {
          if (instance.phase != Phase::firing) continue;
          next->farewells.push_back(farewell(before, *device->topic, instance, reason, now_ms));
          continue;
        }
        WatchedDevices::Device& there = next->devices.device(*device->topic);
        for (Instance& kept : next->devices.instances(there, *next->rules.field_number(before.field))) {
          if (kept.rule != *place) continue;
          kept = instance;
          kept.rule = *place;
          next->devices.set_deadline(there, kept);
        }
      }
    }
  }
  state_ = std::move(next);
}

std::string RuleEngine::save() const {
  std::string state;
  model::StateWriter writer(state);
  writer.number(kStateVersion).number(state_->rules.rules().size());
  for (const ThresholdRule& rule : state_->rules.rules()) save_rule(rule, writer);
  save_farewells(state_->farewells, writer);
  state_->devices.save(writer);
  return state;
}

Status RuleEngine::load(std::string_view state) {
  model::StateReader reader(state);
  if (reader.number() != kStateVersion) return unreadable();
  Result<std::vector<ThresholdRule>> rules = load_rules(reader);
  if (!rules) return rules.error();
  auto loaded = std::make_unique<State>(std::move(*rules));
  Result<model::Conclusions> farewells = load_farewells(reader);
  if (!farewells) return farewells.error();
  loaded->farewells = std::move(*farewells);
  if (Status s = loaded->devices.load(reader); !s) return s;
  if (!reader.at_end()) return unreadable();
  state_ = std::move(loaded);
  return {};
}

}  // namespace millstream::rules
