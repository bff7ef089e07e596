#include "notify/account_groups.h"

#include <algorithm>
#include <tuple>

#include "base/hex.h"
#include "codec/alertmanager_json.h"
#include "codec/event_json.h"
#include "notify/saved_parts.h"

namespace millstream::notify {
namespace {

using model::Alert;
using model::AlertState;
using model::Notification;
using model::NotifiedAlert;
using model::NotifyPolicy;
using model::Severity;
using model::Tag;
using model::Tags;

std::string_view value_of(const Tags& tags, std::string_view name) {
  const auto found = std::find_if(tags.begin(), tags.end(), [&](const Tag& tag) { return tag.name == name; });
  return found == tags.end() ? std::string_view() : std::string_view(found->value);
}

bool groups_by(const NotifyPolicy& policy, std::string_view name) {
  return std::find(policy.group_by.begin(), policy.group_by.end(), name) != policy.group_by.end();
}

// Devices of two sites may have one name.
Tags group_labels(const NotifyPolicy& policy, const Tags& labels) {
  Tags out;
  for (const std::string& name : policy.group_by) out.push_back({name, std::string(value_of(labels, name))});
  if (groups_by(policy, "device") && !groups_by(policy, "site"))
    out.push_back({"site", std::string(value_of(labels, "site"))});
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Stays the same over restarts and versions: receivers know incidents by it.
uint64_t policy_fingerprint(const NotifyPolicy& policy) {
  Tags text = {{"min", std::string(model::severity_name(policy.min_severity))},
               {"resolved", policy.resolved ? "1" : "0"},
               {"wait", std::to_string(policy.group_wait_ms)},
               {"interval", std::to_string(policy.group_interval_ms)},
               {"repeat", std::to_string(policy.repeat_ms)}};
  for (const std::string& name : policy.group_by) text.push_back({"by", name});
  return codec::label_fingerprint(text);
}

std::string key_of(const model::AccountId& account, const NotifyPolicy& policy, const Tags& labels) {
  std::string key = account.text() + "/" + policy.channel + "/" + hex_text(policy_fingerprint(policy), 8) + ":{";
  for (const Tag& label : labels) {
    if (key.back() != '{') key += ", ";
    key += label.name + "=";
    codec::append_json_string(label.value, key);
  }
  return key + "}";
}

// The narrowest that all of the group lies in.
model::Topic topic_of(const NotifyPolicy& policy, const model::Topic& device) {
  model::Topic topic;
  topic.account = device.account;
  if (groups_by(policy, "device") || groups_by(policy, "site")) topic.site = device.site;
  if (groups_by(policy, "device")) topic.device = device.device;
  return topic;
}

int64_t plus(int64_t ms, int64_t span_ms) { return ms == kNever ? kNever : ms + span_ms; }

// What matters most is told first, and what is cut off matters least.
bool tell_before(const NotifiedAlert& a, const NotifiedAlert& b) {
  if (a.over != b.over) return b.over;
  if (a.alert.severity != b.alert.severity) return a.alert.severity > b.alert.severity;
  return std::tie(a.alert.started_at_ms, a.alert.rule_id, a.device) <
         std::tie(b.alert.started_at_ms, b.alert.rule_id, b.device);
}

void write_policy(const NotifyPolicy& policy, model::StateWriter& writer) {
  writer.text(policy.channel).number(static_cast<int>(policy.min_severity)).number(policy.group_by.size());
  for (const std::string& name : policy.group_by) writer.text(name);
  writer.number(policy.group_wait_ms).number(policy.group_interval_ms).number(policy.repeat_ms).number(policy.resolved);
}

NotifyPolicy read_policy(model::StateReader& reader) {
  NotifyPolicy policy;
  policy.channel = reader.text();
  policy.min_severity = static_cast<Severity>(std::clamp<int64_t>(reader.number(), 0, 2));
  const int64_t names = reader.number();
  for (int64_t i = 0; i < names && reader.ok(); ++i) policy.group_by.emplace_back(reader.text());
  policy.group_wait_ms = reader.number();
  policy.group_interval_ms = reader.number();
  policy.repeat_ms = reader.number();
  policy.resolved = reader.number() != 0;
  return policy;
}

}  // namespace

bool Due::operator<(const Due& other) const {
  if (ms != other.ms) return ms < other.ms;
  if (account != other.account) return account->account() < other.account->account();
  if (group == other.group || other.group == nullptr) return false;
  return group == nullptr || group->key < other.group->key;
}

AccountGroups::~AccountGroups() {
  for (auto& [key, group] : groups_) dues_.erase({group.due_ms, this, &group});
  dues_.erase({silence_due_ms_, this, nullptr});
}

// ---- what is true of an alert ----

bool AccountGroups::silenced(const AlertKey& key, int64_t now_ms) const {
  return silences_.is_covered(key.second, key.first, now_ms);
}

bool AccountGroups::is_over(const Tracked& tracked, const Group::Member& member) {
  return !tracked.open || member.left_at_ms != kNever;
}

bool AccountGroups::is_news(const Entry& entry, const Group& group, const Group::Member& member, int64_t now_ms) const {
  const auto& [key, tracked] = entry;
  if (silenced(key, now_ms)) return false;
  if (is_over(tracked, member)) return member.told && group.policy.resolved;
  const Alert& alert = tracked.alert;
  if (alert.ack && alert.severity <= tracked.acked_at) return false;
  if (!member.told) return true;
  return alert.severity > member.told_as.severity || (alert.flapping && !member.told_flapping);
}

bool AccountGroups::wants_repeat(const Entry& entry, const Group::Member& member, int64_t now_ms) const {
  const auto& [key, tracked] = entry;
  return member.told && !is_over(tracked, member) && !tracked.alert.ack && !tracked.alert.flapping &&
         !silenced(key, now_ms);
}

// ---- which groups it belongs to ----

Group& AccountGroups::group_of(const NotifyPolicy& policy, const Entry& entry) {
  const model::Topic& device = entry.first.second;
  Tags labels = group_labels(policy, codec::alert_labels(device, entry.second.alert));
  std::string key = key_of(account_, policy, labels);
  const auto [found, is_new] = groups_.try_emplace(std::move(key));
  Group& group = found->second;
  if (!is_new) return group;
  group.key = found->first;
  group.policy = policy;
  group.topic = topic_of(policy, device);
  group.labels = std::move(labels);
  return group;
}

GroupSet AccountGroups::wanted_groups(const Entry& entry) {
  GroupSet wanted;
  const auto policies = policies_.find(entry.first.first);
  if (policies == policies_.end()) return wanted;
  for (const NotifyPolicy& policy : policies->second) {
    Group& group = group_of(policy, entry);
    const auto member = group.members.find(entry.first);
    const bool told = member != group.members.end() && member->second.told;
    if (told || entry.second.alert.severity >= policy.min_severity) {
      wanted.insert(&group);
    } else {
      drop_if_empty(group);
    }
  }
  return wanted;
}

// Precondition: it is open.
void AccountGroups::place(Entry& entry, bool policies_changed, int64_t now_ms) {
  const GroupSet wanted = wanted_groups(entry);
  std::map<std::string, Group::Member> told_before;  // by channel
  for (Group* group : GroupSet(entry.second.groups)) {
    if (wanted.contains(group)) continue;
    Group::Member& member = group->members.at(entry.first);
    if (member.told && !policies_changed) {
      member.left_at_ms = std::min(member.left_at_ms, now_ms);
      continue;
    }
    // Told as open through this channel, and it is: whatever group it is of.
    if (member.told && member.left_at_ms == kNever) told_before.emplace(group->policy.channel, member);
    leave(entry, *group);
  }
  for (Group* group : wanted) {
    const auto [member, is_new] = group->members.try_emplace(entry.first);
    entry.second.groups.insert(group);
    member->second.left_at_ms = kNever;
    const auto before = told_before.find(group->policy.channel);
    if (is_new && before != told_before.end()) {
      member->second = before->second;
      group->told_at_ms = group->told_at_ms == kNever ? now_ms : group->told_at_ms;
    }
  }
  for (Group* group : entry.second.groups) touch(entry, *group, now_ms);
}

void AccountGroups::leave(Entry& entry, Group& group) {
  group.members.erase(entry.first);
  entry.second.groups.erase(&group);
  drop_if_empty(group);
}

void AccountGroups::drop_if_empty(Group& group) {
  if (!group.members.empty()) return;
  dues_.erase({group.due_ms, this, &group});
  groups_.erase(std::string(group.key));
}

void AccountGroups::forget_if_over(const AlertKey& key) {
  const auto found = alerts_.find(key);
  if (found != alerts_.end() && !found->second.open && found->second.groups.empty()) alerts_.erase(found);
}

// ---- when something is to be told ----

// Something about this alert has changed: is there news, or something to repeat?
void AccountGroups::touch(const Entry& entry, Group& group, int64_t now_ms) {
  const Group::Member& member = group.members.at(entry.first);
  if (group.news_at_ms == kNever && is_news(entry, group, member, now_ms)) group.news_at_ms = now_ms;
  if (group.repeat_at_ms == kNever && group.told_at_ms != kNever && wants_repeat(entry, member, now_ms)) {
    group.repeat_at_ms = std::max(now_ms, group.told_at_ms + group.policy.repeat_ms);
  }
  set_due(group);
}

void AccountGroups::set_due(Group& group) {
  const int64_t earliest_ms =
      std::max(resumed_at_ms_, group.told_at_ms == kNever ? 0 : group.told_at_ms + group.policy.group_interval_ms);
  const int64_t wanted_ms = std::min(plus(group.news_at_ms, group.policy.group_wait_ms), group.repeat_at_ms);
  const int64_t due_ms = std::max(wanted_ms, earliest_ms);
  if (due_ms == group.due_ms) return;
  dues_.erase({group.due_ms, this, &group});
  group.due_ms = due_ms;
  if (due_ms != kNever) dues_.insert({due_ms, this, &group});
}

void AccountGroups::set_silence_due() {
  const model::Silence* next = silences_.next_to_end();
  const int64_t due_ms = next == nullptr ? kNever : next->ends_at_ms;
  dues_.erase({silence_due_ms_, this, nullptr});
  silence_due_ms_ = due_ms;
  if (due_ms != kNever) dues_.insert({due_ms, this, nullptr});
}

void AccountGroups::touch_named(const Silences& gone, int64_t now_ms) {
  for (Entry& entry : alerts_) {
    if (!gone.is_named(entry.first.second, entry.first.first)) continue;
    for (Group* group : entry.second.groups) touch(entry, *group, now_ms);
  }
}

// ---- what happens ----

void AccountGroups::set_policies(const std::string& rule_id, std::vector<NotifyPolicy> policies, int64_t now_ms) {
  std::vector<NotifyPolicy>& current = policies_[rule_id];
  if (current == policies) return;
  current = std::move(policies);
  for (auto entry = alerts_.lower_bound({rule_id, {}}); entry != alerts_.end() && entry->first.first == rule_id;
       ++entry) {
    if (entry->second.open) place(*entry, true, now_ms);
  }
}

std::vector<std::string> AccountGroups::rule_ids() const {
  std::vector<std::string> ids;
  for (const auto& [id, policies] : policies_) ids.push_back(id);
  return ids;
}

void AccountGroups::on_alert(const model::Topic& device, Alert alert, int64_t now_ms) {
  const bool open = alert.state != AlertState::resolved;
  const AlertKey key{alert.rule_id, device};
  const auto found = alerts_.find(key);
  if (!open && found == alerts_.end()) return;
  Entry& entry = found == alerts_.end() ? *alerts_.try_emplace(key).first : *found;
  Tracked& tracked = entry.second;
  // A person's word is none of the device's.
  const bool by_person = alert.state == AlertState::acknowledged || alert.state == AlertState::unacknowledged;
  if (!by_person) tracked.stale = alert.state == AlertState::stale;
  if (alert.state == AlertState::acknowledged) tracked.acked_at = alert.severity;
  tracked.open = open;
  tracked.alert = std::move(alert);
  if (open) return place(entry, false, now_ms);
  for (Group* group : GroupSet(tracked.groups)) {
    const Group::Member& member = group->members.at(key);
    if (member.told && group->policy.resolved) {
      touch(entry, *group, now_ms);
    } else {
      leave(entry, *group);
    }
  }
  forget_if_over(key);
}

void AccountGroups::put_silence(model::Silence silence, int64_t now_ms) {
  if (silence.ends_at_ms <= now_ms) return;
  silences_.put(std::move(silence));
  set_silence_due();
}

void AccountGroups::remove_silence(const std::string& id, int64_t now_ms) {
  std::optional<model::Silence> removed = silences_.remove(id, now_ms);
  if (!removed) return;
  set_silence_due();
  Silences gone;
  gone.put(std::move(*removed));
  touch_named(gone, now_ms);
}

std::vector<std::string> AccountGroups::silence_ids() const {
  std::vector<std::string> ids;
  for (const auto& [id, silence] : silences_.by_id()) ids.push_back(id);
  return ids;
}

void AccountGroups::resume(int64_t now_ms) {
  resumed_at_ms_ = now_ms;
  for (auto& [key, group] : groups_) set_due(group);
}

void AccountGroups::on_deadline(const Due& due, std::vector<Notification>& out) {
  if (due.group != nullptr) {
    due.group->due_ms = kNever;
    return tell(*due.group, due.ms, out);
  }
  Silences ended;
  for (const model::Silence* next = silences_.next_to_end(); next != nullptr && next->ends_at_ms <= due.ms;
       next = silences_.next_to_end()) {
    ended.put(*silences_.remove(next->id, due.ms));
  }
  set_silence_due();
  touch_named(ended, due.ms);
}

// ---- telling ----

void AccountGroups::tell(Group& group, int64_t now_ms, std::vector<Notification>& out) {
  const bool repeats = group.repeat_at_ms <= now_ms;
  bool says_something = false;
  for (const auto& [key, member] : group.members) {
    const Entry& entry = *alerts_.find(key);
    says_something |= is_news(entry, group, member, now_ms) || (repeats && wants_repeat(entry, member, now_ms));
  }
  group.news_at_ms = kNever;
  if (repeats) group.repeat_at_ms = kNever;
  if (says_something) {
    out.push_back(compose(group, now_ms));
    note_told(group, now_ms);
  }
  sweep(group, now_ms);
}

Notification AccountGroups::compose(const Group& group, int64_t now_ms) const {
  Notification n;
  n.topic = group.topic;
  n.channel = group.policy.channel;
  n.group_key = group.key;
  n.group_labels = group.labels;
  n.decided_at_ms = now_ms;
  n.repeat_ms = group.policy.repeat_ms;
  for (const auto& [key, member] : group.members) {
    const Entry& entry = *alerts_.find(key);
    const Tracked& tracked = entry.second;
    const bool over = is_over(tracked, member);
    // One that nobody was told of is either news, or nobody's business.
    if (silenced(key, now_ms) || (!member.told && !is_news(entry, group, member, now_ms))) continue;
    NotifiedAlert notified{.device = key.second, .alert = tracked.alert, .over = over, .stale = tracked.stale};
    if (member.told) notified.told_as = member.told_as;
    if (member.left_at_ms != kNever) model::set_identity(member.told_as, notified.alert);
    if (over) {
      notified.ended_at_ms = tracked.open ? std::max(member.left_at_ms, tracked.alert.started_at_ms)
                                          : tracked.alert.ended_at_ms.value_or(now_ms);
    }
    ++(over ? n.resolved_count : n.firing_count);
    n.severity = std::max(n.severity, notified.alert.severity);
    n.alerts.push_back(std::move(notified));
  }
  n.firing = n.firing_count > 0;
  std::sort(n.alerts.begin(), n.alerts.end(), tell_before);
  if (n.alerts.size() > kNotifiedAlertsMax) {
    n.truncated = static_cast<uint32_t>(n.alerts.size() - kNotifiedAlertsMax);
    n.alerts.resize(kNotifiedAlertsMax);
  }
  return n;
}

void AccountGroups::note_told(Group& group, int64_t now_ms) {
  group.told_at_ms = now_ms;
  group.repeat_at_ms = now_ms + group.policy.repeat_ms;
  for (auto member = group.members.begin(); member != group.members.end();) {
    Entry& entry = *alerts_.find(member->first);
    Group::Member& told = member->second;
    const bool was_silent = silenced(member->first, now_ms) || (!told.told && !is_news(entry, group, told, now_ms));
    if (!was_silent && is_over(entry.second, told)) {
      entry.second.groups.erase(&group);
      const AlertKey key = member->first;
      member = group.members.erase(member);
      forget_if_over(key);
      continue;
    }
    if (!was_silent) {
      told.told = true;
      told.told_as = model::identity_of(entry.second.alert);
      told.told_flapping = entry.second.alert.flapping;
    }
    ++member;
  }
}

// What is over and will never be told of; and the group itself when nothing is left.
void AccountGroups::sweep(Group& group, int64_t now_ms) {
  bool repeats = false;
  for (auto member = group.members.begin(); member != group.members.end();) {
    Entry& entry = *alerts_.find(member->first);
    if (is_over(entry.second, member->second) && !(member->second.told && group.policy.resolved)) {
      entry.second.groups.erase(&group);
      const AlertKey key = member->first;
      member = group.members.erase(member);
      forget_if_over(key);
      continue;
    }
    repeats |= wants_repeat(entry, member->second, now_ms);
    ++member;
  }
  if (!repeats) group.repeat_at_ms = kNever;
  if (group.members.empty()) return drop_if_empty(group);
  set_due(group);
}

void AccountGroups::fill(Notification& notification, int64_t now_ms) {
  const auto found = groups_.find(notification.group_key);
  if (found == groups_.end()) return;
  const Notification now = compose(found->second, now_ms);
  notification.alerts = now.alerts;
  notification.repeat_ms = now.repeat_ms;
}

// ---- state ----

void AccountGroups::save(model::StateWriter& writer) const {
  writer.number(resumed_at_ms_).number(policies_.size());
  for (const auto& [id, policies] : policies_) {
    writer.text(id).number(policies.size());
    for (const NotifyPolicy& policy : policies) write_policy(policy, writer);
  }
  writer.number(silences_.by_id().size());
  for (const auto& [id, s] : silences_.by_id()) {
    writer.text(id).text(s.topic.text()).number(s.rules.size());
    for (const std::string& rule : s.rules) writer.text(rule);
    writer.number(s.starts_at_ms).number(s.ends_at_ms);
  }
  writer.number(alerts_.size());
  for (const auto& [key, tracked] : alerts_) {
    writer.text(key.second.text()).text(codec::encode_alert_data(tracked.alert)).number(tracked.open);
    writer.number(tracked.stale).number(static_cast<int>(tracked.acked_at));
  }
  writer.number(groups_.size());
  for (const auto& [key, group] : groups_) {
    writer.text(key).text(group.topic.text());
    write_policy(group.policy, writer);
    write_tags(group.labels, writer);
    writer.number(group.news_at_ms).number(group.told_at_ms).number(group.repeat_at_ms).number(group.members.size());
    for (const auto& [of, member] : group.members) {
      writer.text(of.first).text(of.second.text()).number(member.told);
      write_identity(member.told_as, writer);
      writer.number(member.told_flapping).number(member.left_at_ms);
    }
  }
}

bool AccountGroups::load(model::StateReader& reader) {
  resumed_at_ms_ = reader.number();
  const int64_t rules = reader.number();
  for (int64_t i = 0; i < rules && reader.ok(); ++i) {
    std::vector<NotifyPolicy>& policies = policies_[std::string(reader.text())];
    const int64_t count = reader.number();
    for (int64_t n = 0; n < count && reader.ok(); ++n) policies.push_back(read_policy(reader));
  }
  const int64_t silences = reader.number();
  for (int64_t i = 0; i < silences && reader.ok(); ++i) {
    model::Silence silence;
    silence.id = reader.text();
    Result<model::TopicPattern> topic = model::TopicPattern::parse(reader.text());
    if (!topic) return false;
    silence.topic = std::move(*topic);
    const int64_t count = reader.number();
    for (int64_t n = 0; n < count && reader.ok(); ++n) silence.rules.emplace_back(reader.text());
    silence.starts_at_ms = reader.number();
    silence.ends_at_ms = reader.number();
    silences_.put(std::move(silence));
  }
  const int64_t alerts = reader.number();
  for (int64_t i = 0; i < alerts && reader.ok(); ++i) {
    Result<model::Topic> device = model::Topic::parse(reader.text());
    Result<Alert> alert = codec::decode_alert_data(reader.text());
    if (!device || !alert) return false;
    Tracked tracked;
    AlertKey key{alert->rule_id, std::move(*device)};
    tracked.alert = std::move(*alert);
    tracked.open = reader.number() != 0;
    tracked.stale = reader.number() != 0;
    tracked.acked_at = read_severity(reader);
    alerts_.emplace(std::move(key), std::move(tracked));
  }
  const int64_t groups = reader.number();
  for (int64_t i = 0; i < groups && reader.ok(); ++i) {
    if (!load_group(reader)) return false;
  }
  if (!reader.ok()) return false;
  set_silence_due();
  for (auto& [key, group] : groups_) set_due(group);
  return true;
}

bool AccountGroups::load_group(model::StateReader& reader) {
  std::string key(reader.text());
  Group& group = groups_[key];
  group.key = std::move(key);
  Result<model::Topic> topic = model::Topic::parse(reader.text());
  if (!topic) return false;
  group.topic = std::move(*topic);
  group.policy = read_policy(reader);
  group.labels = read_tags(reader);
  for (int64_t* ms : {&group.news_at_ms, &group.told_at_ms, &group.repeat_at_ms}) *ms = reader.number();
  const int64_t members = reader.number();
  for (int64_t i = 0; i < members && reader.ok(); ++i) {
    std::string rule(reader.text());
    Result<model::Topic> device = model::Topic::parse(reader.text());
    if (!device) return false;
    AlertKey of{std::move(rule), std::move(*device)};
    Group::Member member;
    member.told = reader.number() != 0;
    member.told_as = read_identity(reader);
    member.told_flapping = reader.number() != 0;
    member.left_at_ms = reader.number();
    const auto tracked = alerts_.find(of);
    if (tracked == alerts_.end()) return false;
    tracked->second.groups.insert(&group);
    group.members.emplace(std::move(of), member);
  }
  return reader.ok();
}

}  // namespace millstream::notify
