#include "notify/notifier.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/log_line.h"
#include "base/overloaded.h"
#include "codec/event_json.h"
#include "codec/notification_json.h"
#include "codec/rule_command.h"
#include "codec/silence_json.h"

namespace millstream::notify {
namespace {

using model::AccountId;
using model::DeliveryResult;
using model::DeliveryState;
using model::Notification;

constexpr int64_t kStateVersion = 2;
constexpr const char* kUnknownChannel = "unknown_channel";
constexpr const char* kTooMany = "too_many_pending";

Error unreadable() { return Error{Code::corrupt, "notify: the saved state cannot be read"}; }

model::Event result_event(const Notification& notification, DeliveryState state, const char* reason, int64_t ts_ms) {
  const DeliveryResult result{.notification_id = notification.id,
                              .channel = notification.channel,
                              .state = state,
                              .attempts = 0,
                              .reason = reason};
  return new_event(model::EventType::system, notification.topic, codec::encode_delivery_result(result), ts_ms);
}

// What a test says. There is no such alert: nobody can mistake it for one.
Notification with_test_alert(Notification notification) {
  model::NotifiedAlert notified;
  notified.device = notification.topic;
  notified.alert.alert_id = notified.alert.rule_id = "test";
  notified.alert.rule_name = "Test";
  notified.alert.device = *model::DeviceId::parse("test");
  notified.alert.severity = model::Severity::info;
  notified.alert.message = "A test of the channel " + notification.channel + ", asked for by " + notification.by;
  notified.alert.started_at_ms = notification.decided_at_ms;
  notification.alerts.push_back(std::move(notified));
  return notification;
}

}  // namespace

struct Notifier::State {
  Dues dues;  // outlives those who set them
  std::map<AccountId, AccountGroups> accounts;
  uint64_t decided = 0;  // so far; makes ids distinct
  Channels channels;
  std::vector<model::NotificationPtr> unsendable;  // their channel is gone; for the next advance()

  AccountGroups& of(const AccountId& account) { return accounts.try_emplace(account, account, dues).first->second; }
};

Notifier::Notifier(Configuration configured) : configured_(std::move(configured)), state_(std::make_unique<State>()) {
  put_in_force(0);
}
Notifier::~Notifier() = default;

void Notifier::step(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  if (event.type == model::EventType::system) return step_system(event, now_ms, out);
  if (event.type != model::EventType::alert || event.conclusion == 0) return;
  Result<model::Alert> alert = codec::decode_alert_data(event.data);
  if (alert) state_->of(event.topic.account).on_alert(event.topic, std::move(*alert), now_ms);
}

void Notifier::step_system(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  AccountGroups& groups = state_->of(event.topic.account);
  // One that is not understood is reported by the engine it is for, and changes nothing here.
  if (Result<std::optional<codec::RuleCommand>> rule = codec::decode_rule_command(event); rule && *rule) {
    std::visit(Overloaded{[&](codec::SaveRule& c) { groups.set_policies(c.rule.id, std::move(c.rule.notify), now_ms); },
                          [&](const codec::DeleteRule& c) { groups.remove_rule(c.rule_id); },
                          [](const codec::AlertCommand&) {}},
               **rule);
  } else if (Result<std::optional<codec::SilenceCommand>> silence = codec::decode_silence_command(event);
             silence && *silence) {
    std::visit(Overloaded{[&](codec::SaveSilence& c) { groups.put_silence(std::move(c.silence), now_ms); },
                          [&](const codec::DeleteSilence& c) { groups.remove_silence(c.silence_id, now_ms); }},
               **silence);
  } else if (Result<std::optional<codec::NotificationEvent>> own = codec::decode_notification_event(event);
             own && *own) {
    std::visit(Overloaded{[&](Notification& n) { take(std::move(n), now_ms, out); },
                          [&](const DeliveryResult& r) { book_.take(event.topic.account, r, now_ms); }},
               **own);
  }
}

// It is in the log: what was decided is to be sent.
void Notifier::take(Notification notification, int64_t now_ms, model::Conclusions& out) {
  const AccountId account = notification.topic.account;
  const Notification told = notification;
  if (!book_.knows(account, notification.id)) {
    // A test; or a decision whose state was lost, told with what is known of its group by now.
    if (notification.is_test)
      notification = with_test_alert(std::move(notification));
    else
      state_->of(account).fill(notification, now_ms);
  }
  book_.take(std::move(notification));
  if (state_->channels.find(account, told.channel) == nullptr) {
    out.push_back(result_event(told, DeliveryState::failed, kUnknownChannel, now_ms));
  }
  for (const model::NotificationPtr& dropped : book_.beyond_limits(account)) {
    out.push_back(result_event(*dropped, DeliveryState::dropped, kTooMany, now_ms));
    book_.take(account, {dropped->id, dropped->channel, DeliveryState::dropped, 0, kTooMany}, now_ms);
  }
}

void Notifier::advance(int64_t now_ms, model::Conclusions& out) {
  for (const model::NotificationPtr& notification : state_->unsendable) {
    out.push_back(result_event(*notification, DeliveryState::failed, kUnknownChannel, now_ms));
  }
  state_->unsendable.clear();
  std::vector<Notification> told;
  while (!state_->dues.empty() && state_->dues.begin()->ms <= now_ms) {
    const Due due = *state_->dues.begin();
    state_->dues.erase(state_->dues.begin());
    due.account->on_deadline(due, told);
    for (Notification& notification : told) {
      notification.id = std::to_string(due.ms) + "." + std::to_string(++state_->decided);
      out.push_back(
          new_event(model::EventType::system, notification.topic, codec::encode_notification(notification), due.ms));
      book_.decide(std::move(notification));
    }
    told.clear();
  }
}

void Notifier::resume(int64_t, int64_t now_ms) {
  for (auto& [id, groups] : state_->accounts) groups.resume(now_ms);
  put_in_force(now_ms);
  find_unsendable();
}

void Notifier::put_in_force(int64_t now_ms) {
  state_->channels = configured_.channels;
  std::set<std::pair<AccountId, std::string>> wanted;
  for (const model::Rule& rule : configured_.rules) {
    wanted.emplace(rule.scope.account, rule.id);
    state_->of(rule.scope.account).set_policies(rule.id, rule.notify, now_ms);
  }
  for (auto& [account, groups] : state_->accounts) {
    for (const std::string& id : groups.rule_ids()) {
      if (!wanted.contains({account, id})) groups.remove_rule(id);
    }
  }
  put_silences_in_force(now_ms);
}

void Notifier::put_silences_in_force(int64_t now_ms) {
  std::set<std::pair<AccountId, std::string>> wanted;
  for (const model::Silence& silence : configured_.silences) {
    wanted.emplace(silence.topic.account, silence.id);
    state_->of(silence.topic.account).put_silence(silence, now_ms);
  }
  for (auto& [account, groups] : state_->accounts) {
    for (const std::string& id : groups.silence_ids()) {
      if (!wanted.contains({account, id})) groups.remove_silence(id, now_ms);
    }
  }
}

void Notifier::find_unsendable() {
  const auto unknown = [this](const Notification& n) {
    return state_->channels.find(n.topic.account, n.channel) == nullptr;
  };
  state_->unsendable.clear();
  for (Delivery& delivery : book_.pending(unknown)) state_->unsendable.push_back(std::move(delivery.notification));
}

void Notifier::save_to(model::StateWriter& writer) const {
  writer.number(kStateVersion).number(static_cast<int64_t>(state_->decided)).number(state_->channels.all().size());
  for (const Channel& channel : state_->channels.all()) {
    writer.text(channel.name).text(channel.account.text()).text(channel.type);
  }
  book_.save(writer);
  writer.number(state_->unsendable.size());
  writer.number(state_->accounts.size());
  for (const auto& [account, groups] : state_->accounts) {
    writer.text(account.text());
    groups.save(writer);
  }
}

Status Notifier::load(std::string_view state) {
  model::StateReader reader(state);
  if (reader.number() != kStateVersion) return unreadable();
  auto loaded = std::make_unique<State>();
  loaded->decided = static_cast<uint64_t>(reader.number());
  std::vector<Channel> channels;
  const int64_t channel_count = reader.number();
  for (int64_t i = 0; i < channel_count && reader.ok(); ++i) {
    Channel channel{.name = std::string(reader.text()), .account = {}, .type = {}};
    if (const std::string_view account = reader.text(); !account.empty()) {
      Result<AccountId> id = AccountId::parse(account);
      if (!id) return unreadable();
      channel.account = std::move(*id);
    }
    channel.type = reader.text();
    channels.push_back(std::move(channel));
  }
  loaded->channels = Channels(std::move(channels));
  if (!book_.load(reader)) return unreadable();
  const bool has_unsendable = reader.number() > 0;
  const int64_t accounts = reader.number();
  for (int64_t i = 0; i < accounts && reader.ok(); ++i) {
    const Result<AccountId> account = AccountId::parse(reader.text());
    if (!account || loaded->accounts.contains(*account)) return unreadable();
    if (!loaded->of(*account).load(reader)) return unreadable();
  }
  if (!reader.at_end()) return unreadable();
  state_ = std::move(loaded);
  if (has_unsendable) find_unsendable();
  return {};
}

}  // namespace millstream::notify
