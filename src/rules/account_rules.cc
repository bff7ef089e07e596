#include "rules/account_rules.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "codec/event_json.h"
#include "codec/rule_json.h"

namespace millstream::rules {
namespace {

using model::AlertState;

constexpr uint32_t kNoField = 0;

Error unreadable() { return Error{Code::corrupt, "rules: the saved state cannot be read"}; }

bool is_idle(const Instance& instance, int64_t ms) {
  return instance.phase == Phase::ok && !instance.closed && instance.timer_ms == kNever &&
         instance.newest_ms < ms - instance.rule->rule.max_lateness_ms;
}

const char* reason_of(codec::AlertAction action) { return action == codec::AlertAction::close ? "closed" : ""; }

AlertState state_of(codec::AlertAction action) {
  switch (action) {
    case codec::AlertAction::ack: return AlertState::acknowledged;
    case codec::AlertAction::unack: return AlertState::unacknowledged;
    case codec::AlertAction::close: break;
  }
  return AlertState::resolved;
}

}  // namespace

bool Deadline::operator<(const Deadline& other) const {
  if (ms != other.ms) return ms < other.ms;
  if (device != other.device) {
    const auto order = *device->topic <=> *other.device->topic;
    if (order != 0) return order < 0;
  }
  return device->instances[instance].rule->rule.id < other.device->instances[other.instance].rule->rule.id;
}

// ---- rules ----

uint32_t AccountRules::number_of(const std::string& field) {
  const auto [entry, added] = numbers_.emplace(field, static_cast<uint32_t>(numbers_.size()));
  if (added) readers_.emplace_back();
  return entry->second;
}

void AccountRules::index_rules() {
  ++generation_;
  for (auto& readers : readers_) readers.clear();
  asks_for_tags_ = false;
  for (const auto& [id, rule] : rules_) {
    if (!rule->rule.enabled) continue;
    asks_for_tags_ |= !rule->rule.tags.empty();
    for (const model::Condition& condition : rule->rule.when) {
      auto& readers = readers_[number_of(condition.field)];
      if (readers.empty() || readers.back() != rule.get()) readers.push_back(rule.get());
    }
  }
}

void AccountRules::put(std::unique_ptr<const CompiledRule> rule, int64_t now_ms, model::Conclusions& out) {
  const std::string id = rule->rule.id;
  std::unique_ptr<const CompiledRule> before = std::move(rules_[id]);
  rules_[id] = std::move(rule);
  const CompiledRule& after = *rules_[id];
  index_rules();
  if (!before) return;
  const bool same = same_condition(before->rule, after.rule);
  const char* reason = after.rule.enabled ? "rule_changed" : "rule_disabled";
  for (WatchedDevice* device : watched_by(*before)) {
    replace(*device, *before, same && after.rule.enabled ? &after : nullptr, reason, now_ms, out);
  }
}

void AccountRules::remove(const std::string& rule_id, int64_t now_ms, model::Conclusions& out) {
  const auto found = rules_.find(rule_id);
  if (found == rules_.end()) return;
  const std::unique_ptr<const CompiledRule> before = std::move(found->second);
  rules_.erase(found);
  index_rules();
  for (WatchedDevice* device : watched_by(*before)) replace(*device, *before, nullptr, "rule_deleted", now_ms, out);
}

const model::Rule* AccountRules::find(std::string_view rule_id) const {
  const auto found = rules_.find(rule_id);
  return found == rules_.end() ? nullptr : &found->second->rule;
}

std::vector<std::string> AccountRules::rule_ids() const {
  std::vector<std::string> ids;
  for (const auto& [id, rule] : rules_) ids.push_back(id);
  return ids;
}

RuleTallyPtr AccountRules::tally(std::string_view rule_id) const {
  const auto found = rules_.find(rule_id);
  return found == rules_.end() ? nullptr : found->second->tally;
}

void AccountRules::replace(WatchedDevice& device, const CompiledRule& before, const CompiledRule* after,
                           const char* reason, int64_t now_ms, model::Conclusions& out) {
  unset_timers(device);
  for (size_t at = device.instances.size(); at > 0; --at) {
    Instance& instance = device.instances[at - 1];
    if (instance.rule != &before) continue;
    if (after != nullptr && covers(after->rule, *device.topic, device.tags)) {
      count(instance, -1);
      instance.rule = after;
      count(instance, 1);
    } else {
      drop(device, at - 1, after == nullptr ? reason : "device_not_covered", now_ms, out);
    }
  }
  set_timers(device, now_ms);
}

void AccountRules::drop(WatchedDevice& device, size_t at, const char* reason, int64_t now_ms, model::Conclusions& out) {
  const auto place = device.instances.begin() + static_cast<std::ptrdiff_t>(at);
  if (place->open()) out.push_back(farewell(*place, *device.topic, device.attributes, reason, now_ms));
  count(*place, -1);
  note_newest_alert(*place, *device.topic);
  device.instances.erase(place);
  room_may_have_come();
}

void AccountRules::count(const Instance& instance, int64_t by) {
  instances_ += by;
  instance.rule->tally->add(instance.phase, by);
}

void AccountRules::note_newest_alert(const Instance& instance, const model::Topic& device) {
  if (instance.started_at_ms == kNever) return;
  newest_alerts_[{device, instance.rule->rule.id}] = {instance.started_at_ms, instance.alerts_at_start};
}

void AccountRules::recall_newest_alert(Instance& instance, const model::Topic& device) {
  if (newest_alerts_.empty()) return;
  const auto found = newest_alerts_.find({device, instance.rule->rule.id});
  if (found == newest_alerts_.end()) return;
  instance.started_at_ms = found->second.started_at_ms;
  instance.alerts_at_start = found->second.alerts_at_start;
  newest_alerts_.erase(found);
}

// Whether anything is refused must not depend on what devices remember: a restart forgets that.
void AccountRules::room_may_have_come() {
  if (!full_ || instances_ >= limits_.rule_instances_per_account_max) return;
  full_ = false;
  ++generation_;
  for (const auto& [id, rule] : rules_) rule->tally->set_limited(false);
}

// ---- devices ----

WatchedDevice& AccountRules::device(const model::Topic& topic) {
  const auto [entry, added] = devices_.try_emplace(topic);
  if (added) {
    entry->second.account = this;
    entry->second.topic = &entry->first;
  }
  return entry->second;
}

std::vector<WatchedDevice*> AccountRules::watched_by(const CompiledRule& rule) {
  std::vector<WatchedDevice*> devices;
  for (auto& [topic, device] : devices_) {
    const auto is_watching = [&](const Instance& instance) { return instance.rule == &rule; };
    if (std::any_of(device.instances.begin(), device.instances.end(), is_watching)) devices.push_back(&device);
  }
  std::sort(devices.begin(), devices.end(),
            [](const WatchedDevice* a, const WatchedDevice* b) { return *a->topic < *b->topic; });
  return devices;
}

std::optional<uint32_t> AccountRules::instance_of(WatchedDevice& device, const CompiledRule& rule, int64_t now_ms,
                                                  model::Conclusions& out) {
  for (uint32_t at = 0; at < device.instances.size(); ++at) {
    if (device.instances[at].rule == &rule) return at;
  }
  if (instances_ >= limits_.rule_instances_per_account_max) {
    rule.tally->set_limited(true);
    board_.count_refused();
    const int64_t max = limits_.rule_instances_per_account_max;
    if (!full_) tell(device.topic->account, kInstancesLimit, max, told_full_ms_, now_ms, out);
    full_ = true;
    return std::nullopt;
  }
  device.instances.push_back(make_instance(rule));
  recall_newest_alert(device.instances.back(), *device.topic);
  count(device.instances.back(), 1);
  return static_cast<uint32_t>(device.instances.size() - 1);
}

void AccountRules::tell(const model::AccountId& account, std::string_view limit, int64_t max, int64_t& told_ms,
                        int64_t now_ms, model::Conclusions& out) {
  if (now_ms - told_ms < kToldEveryMs) return;
  told_ms = now_ms;
  out.push_back(
      new_event(model::EventType::system, {account, {}, {}}, codec::encode_rules_limited(limit, max), now_ms));
}

std::vector<WatchedDevice::Watch>& AccountRules::watches(WatchedDevice& device, uint32_t field, int64_t now_ms,
                                                         model::Conclusions& out) {
  if (device.fields_as_of != generation_) {
    device.fields.clear();
    device.fields_as_of = generation_;
  }
  const auto place = std::lower_bound(device.fields.begin(), device.fields.end(), field,
                                      [](const WatchedDevice::Field& f, uint32_t n) { return f.number < n; });
  if (place != device.fields.end() && place->number == field) return place->watches;
  WatchedDevice::Field found{field, {}};
  for (const CompiledRule* rule : readers_[field]) {
    if (!covers(rule->rule, *device.topic, device.tags)) continue;
    const std::optional<uint32_t> at = instance_of(device, *rule, now_ms, out);
    if (!at) continue;
    for (uint32_t condition = 0; condition < rule->rule.when.size(); ++condition) {
      if (numbers_.at(rule->rule.when[condition].field) == field) found.watches.push_back({*at, condition});
    }
  }
  return device.fields.insert(place, std::move(found))->watches;
}

void AccountRules::set_attributes(const model::Topic& topic, Attributes attributes) {
  const auto found = devices_.find(topic);
  if (found == devices_.end() && attributes.empty()) return;
  device(topic).attributes = std::move(attributes);
}

std::vector<model::Topic> AccountRules::devices_with_attributes() const {
  std::vector<model::Topic> topics;
  for (const auto& [topic, device] : devices_) {
    if (!device.attributes.empty()) topics.push_back(topic);
  }
  std::sort(topics.begin(), topics.end());
  return topics;
}

void AccountRules::set_gateway(const model::Topic& topic, const model::DeviceId& gateway, int64_t now_ms,
                               model::Conclusions& out) {
  if (!gateways_.put(topic, gateway)) return;
  const auto found = devices_.find(topic);
  if (found != devices_.end()) tell_instances(found->second, on_gateway_back, now_ms, now_ms, out);
}

void AccountRules::take_tags(WatchedDevice& device, const model::Event& event, int64_t now_ms,
                             model::Conclusions& out) {
  Result<model::Tags> tags = codec::decode_telemetry_tags(event.data);
  if (!tags || *tags == device.tags) return;
  device.tags = std::move(*tags);
  device.fields.clear();
  unset_timers(device);
  for (size_t at = device.instances.size(); at > 0; --at) {
    if (covers(device.instances[at - 1].rule->rule, *device.topic, device.tags)) continue;
    drop(device, at - 1, "device_not_covered", now_ms, out);
  }
  set_timers(device, now_ms);
}

// ---- what happens ----

// The budget is spent: the device was heard of, and that is all.
bool AccountRules::shed(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  if (rules_.empty() || budget_.has_left(now_ms, limits_.rule_evaluations_per_second_max)) return false;
  board_.count_shed();
  if (const auto found = devices_.find(event.topic); found != devices_.end()) found->second.unseen_ms = now_ms;
  const int64_t max = limits_.rule_evaluations_per_second_max;
  tell(event.topic.account, kEvaluationsLimit, max, told_shed_ms_, now_ms, out);
  return true;
}

void AccountRules::on_telemetry(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  if (shed(event, now_ms, out)) return;
  int64_t evaluations = 0;
  WatchedDevice* watched = nullptr;
  touched_.clear();
  for (const model::Field& field : event.fields) {
    const auto number = numbers_.find(field.name);
    if (number == numbers_.end() || readers_[number->second].empty()) continue;
    if (watched == nullptr) {
      watched = &device(event.topic);
      if (asks_for_tags_) take_tags(*watched, event, now_ms, out);
    }
    const auto& concerned = watches(*watched, number->second, now_ms, out);
    evaluations += static_cast<int64_t>(concerned.size());
    for (const auto [at, condition] : concerned) {
      if (!take(watched->instances[at], condition, field.value, event.ts_ms, now_ms)) continue;
      if (std::find(touched_.begin(), touched_.end(), at) == touched_.end()) touched_.push_back(at);
    }
  }
  budget_.spend(evaluations);
  if (touched_.empty()) return;
  const Moment moment{watched->attributes, now_ms, watched->unseen_ms};
  for (const uint32_t at : touched_) {
    changes_.clear();
    Instance& instance = watched->instances[at];
    const Phase before = instance.phase;
    judge(instance, moment, changes_);
    conclude(*watched, at, before, now_ms, out);
  }
}

void AccountRules::on_status(const model::Topic& topic, const model::DeviceStatus& status, int64_t ts_ms,
                             int64_t now_ms, model::Conclusions& out) {
  const bool gone = status.status == model::Presence::offline;
  if (!gone && status.status != model::Presence::online) return;
  const bool watched = !readers_[kNoField].empty();
  const auto found = devices_.find(topic);
  if (found != devices_.end() || watched) {
    WatchedDevice& known = found == devices_.end() ? device(topic) : found->second;
    if (watched) (void)watches(known, kNoField, now_ms, out);
    tell_instances(known, gone ? on_offline : on_online, ts_ms, now_ms, out);
  }
  if (!gone) return tell_behind(topic, on_gateway_back, ts_ms, now_ms, out);
  // One that was never heard takes nobody along.
  if (status.devices > 0) tell_behind(topic, on_gateway_gone, ts_ms, now_ms, out);
}

void AccountRules::on_deleted(const model::Topic& topic, int64_t now_ms, model::Conclusions& out) {
  if (const auto found = devices_.find(topic); found != devices_.end()) {
    WatchedDevice& device = found->second;
    unset_timers(device);
    for (size_t at = device.instances.size(); at > 0; --at) drop(device, at - 1, "device_deleted", now_ms, out);
    devices_.erase(found);
  }
  (void)gateways_.put(topic, {});
  tell_behind(topic, on_gateway_back, now_ms, now_ms, out);
}

void AccountRules::tell_instances(WatchedDevice& device, Tell tell, int64_t ts_ms, int64_t now_ms,
                                  model::Conclusions& out) {
  for (uint32_t at = 0; at < device.instances.size(); ++at) {
    changes_.clear();
    const Phase before = device.instances[at].phase;
    tell(device.instances[at], ts_ms, {device.attributes, now_ms, device.unseen_ms}, changes_);
    conclude(device, at, before, now_ms, out);
  }
}

void AccountRules::tell_behind(const model::Topic& gateway, Tell tell, int64_t ts_ms, int64_t now_ms,
                               model::Conclusions& out) {
  for (const model::Topic& topic : gateways_.behind(gateway)) {
    const auto found = devices_.find(topic);
    if (found != devices_.end()) tell_instances(found->second, tell, ts_ms, now_ms, out);
  }
}

void AccountRules::on_command(const model::Topic& topic, const codec::AlertCommand& command, int64_t now_ms,
                              model::Conclusions& out) {
  const auto found = devices_.find(topic);
  if (found == devices_.end()) return;
  WatchedDevice& device = found->second;
  for (uint32_t at = 0; at < device.instances.size(); ++at) {
    Instance& instance = device.instances[at];
    if (!instance.open() || alert_id(instance, topic) != command.alert_id) continue;
    if (command.action == codec::AlertAction::unack && !instance.ack) return;
    instance.ack.reset();
    if (command.action != codec::AlertAction::unack) {
      instance.ack = std::make_unique<model::AlertAck>(model::AlertAck{command.by, now_ms, command.note});
    }
    const int64_t ts_ms = std::max(now_ms, instance.started_at_ms);
    out.push_back(
        alert_event(instance, topic, device.attributes, {state_of(command.action), ts_ms, reason_of(command.action)}));
    if (command.action == codec::AlertAction::close) {
      count(instance, -1);
      close_by_hand(instance);
      count(instance, 1);
    }
    set_timer(device, at, now_ms);
    return;
  }
}

void AccountRules::on_deadline(WatchedDevice& device, uint32_t at, int64_t now_ms, model::Conclusions& out) {
  changes_.clear();
  unset_timer(device, at);
  const Phase before = device.instances[at].phase;
  rules::on_deadline(device.instances[at], {device.attributes, now_ms, device.unseen_ms}, changes_);
  conclude(device, at, before, now_ms, out);
}

void AccountRules::conclude(WatchedDevice& device, uint32_t at, Phase before, int64_t now_ms, model::Conclusions& out) {
  Instance& instance = device.instances[at];
  if (instance.phase != before) {
    instance.rule->tally->add(before, -1);
    instance.rule->tally->add(instance.phase, 1);
  }
  for (const Change& change : changes_) {
    budget_.spend(kAlertEvaluations);
    out.push_back(alert_event(instance, *device.topic, device.attributes, change));
    if (change.state == AlertState::resolved) instance.ack.reset();
  }
  set_timer(device, at, now_ms);
}

// ---- deadlines ----

// A timer that is due earlier than it need be finds nothing to do and is set again: so the next value mostly moves
// none.
void AccountRules::set_timer(WatchedDevice& device, uint32_t at, int64_t now_ms) {
  Instance& instance = device.instances[at];
  const int64_t due_ms = deadline_of(instance, now_ms);
  if (due_ms == kNever || (instance.timer_ms != kNever && instance.timer_ms <= due_ms)) return;
  unset_timer(device, at);
  instance.timer_ms = due_ms;
  deadlines_.insert({due_ms, &device, at});
}

void AccountRules::unset_timer(WatchedDevice& device, uint32_t at) {
  Instance& instance = device.instances[at];
  if (instance.timer_ms == kNever) return;
  deadlines_.erase({instance.timer_ms, &device, at});
  instance.timer_ms = kNever;
}

void AccountRules::unset_timers(WatchedDevice& device) {
  for (uint32_t at = 0; at < device.instances.size(); ++at) unset_timer(device, at);
}

void AccountRules::set_timers(WatchedDevice& device, int64_t now_ms) {
  for (uint32_t at = 0; at < device.instances.size(); ++at) set_timer(device, at, now_ms);
}

void AccountRules::postpone(int64_t ms, int64_t now_ms) {
  for (auto& [topic, device] : devices_) {
    unset_timers(device);
    if (device.unseen_ms != kNever) device.unseen_ms += ms;
    for (Instance& instance : device.instances) rules::postpone(instance, ms);
    set_timers(device, now_ms);
  }
}

void AccountRules::forget_idle_since(int64_t ms, int64_t now_ms) {
  for (auto entry = devices_.begin(); entry != devices_.end();) {
    WatchedDevice& device = entry->second;
    std::vector<const CompiledRule*> idle;  // a device has one instance of a rule
    for (const Instance& instance : device.instances) {
      if (!is_idle(instance, ms)) continue;
      idle.push_back(instance.rule);
      count(instance, -1);
      note_newest_alert(instance, *device.topic);
    }
    if (!idle.empty()) {
      unset_timers(device);  // they name places, which change
      std::erase_if(device.instances, [&](const Instance& instance) {
        return std::find(idle.begin(), idle.end(), instance.rule) != idle.end();
      });
      device.fields.clear();
      set_timers(device, now_ms);
    }
    const bool empty = device.instances.empty() && device.attributes.empty();
    entry = empty ? devices_.erase(entry) : std::next(entry);
  }
  std::erase_if(newest_alerts_, [ms](const auto& each) { return each.second.started_at_ms < ms; });
  room_may_have_come();
}

// ---- the saved state ----

void AccountRules::save(model::StateWriter& writer) const {
  writer.number(rules_.size());
  for (const auto& [id, rule] : rules_) writer.text(codec::encode_rule(rule->rule));
  writer.number(full_).number(told_full_ms_).number(told_shed_ms_);
  budget_.save(writer);
  gateways_.save(writer);
  writer.number(devices_.size());
  for (const auto& [topic, device] : devices_) {
    writer.text(topic.text()).number(device.tags.size()).number(device.attributes.size());
    for (const model::Tag& tag : device.tags) writer.text(tag.name).text(tag.value);
    for (const auto& [name, value] : device.attributes) writer.text(name).real(value);
    writer.number(device.unseen_ms).number(device.instances.size());
    for (const Instance& instance : device.instances) {
      writer.text(instance.rule->rule.id).number(instance.timer_ms);
      rules::save(instance, writer);
    }
  }
  writer.number(newest_alerts_.size());
  for (const auto& [of, alert] : newest_alerts_) {
    writer.text(of.first.text()).text(of.second).number(alert.started_at_ms).number(alert.alerts_at_start);
  }
}

Status AccountRules::load(const model::AccountId& account, model::StateReader& reader) {
  const int64_t rules = reader.number();
  for (int64_t i = 0; i < rules && reader.ok(); ++i) {
    Result<model::Rule> rule = codec::parse_rule(reader.text(), account);
    if (!rule) return unreadable();
    auto compiled = compile(std::move(*rule));
    if (!compiled) return compiled.error();
    rules_[(*compiled)->rule.id] = std::move(*compiled);
  }
  index_rules();
  full_ = reader.number() != 0;
  told_full_ms_ = reader.number();
  told_shed_ms_ = reader.number();
  budget_.load(reader);
  if (!gateways_.load(reader)) return unreadable();
  const int64_t devices = reader.number();
  for (int64_t i = 0; i < devices && reader.ok(); ++i) {
    if (Status s = load_device(reader); !s) return s;
  }
  return load_newest_alerts(reader) ? Status() : Status(unreadable());
}

bool AccountRules::load_newest_alerts(model::StateReader& reader) {
  const int64_t alerts = reader.number();
  for (int64_t i = 0; i < alerts && reader.ok(); ++i) {
    Result<model::Topic> device = model::Topic::parse(reader.text());
    if (!device) return false;
    std::string rule_id(reader.text());
    const int64_t started_at_ms = reader.number();
    newest_alerts_[{std::move(*device), std::move(rule_id)}] = {started_at_ms, static_cast<uint32_t>(reader.number())};
  }
  return reader.ok();
}

Status AccountRules::load_device(model::StateReader& reader) {
  const Result<model::Topic> topic = model::Topic::parse(reader.text());
  if (!topic || devices_.contains(*topic)) return unreadable();
  WatchedDevice& added = device(*topic);
  const int64_t tags = reader.number(), attributes = reader.number();
  for (int64_t i = 0; i < tags && reader.ok(); ++i) {
    std::string name(reader.text());
    added.tags.push_back({std::move(name), std::string(reader.text())});
  }
  for (int64_t i = 0; i < attributes && reader.ok(); ++i) {
    std::string name(reader.text());
    added.attributes.emplace_back(std::move(name), reader.real());
  }
  added.unseen_ms = reader.number();
  const int64_t instances = reader.number();
  for (int64_t i = 0; i < instances && reader.ok(); ++i) {
    const auto rule = rules_.find(reader.text());
    const int64_t timer_ms = reader.number();
    if (rule == rules_.end()) return unreadable();
    Instance& instance = added.instances.emplace_back(make_instance(*rule->second));
    if (!rules::load(instance, reader)) return unreadable();
    count(instance, 1);
    instance.timer_ms = timer_ms;
    if (timer_ms != kNever && !deadlines_.insert({timer_ms, &added, static_cast<uint32_t>(i)}).second) {
      return unreadable();  // a rule named twice
    }
  }
  return {};
}

}  // namespace millstream::rules
