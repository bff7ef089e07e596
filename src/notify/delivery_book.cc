#include "notify/delivery_book.h"

#include <algorithm>
#include <chrono>

#include "codec/event_json.h"
#include "notify/saved_parts.h"

namespace millstream::notify {
namespace {

using model::AccountId;
using model::DeliveryState;
using model::Notification;
using model::NotificationPtr;
using model::NotifiedAlert;

bool is_pending(const Delivery& delivery) { return delivery.in_log && !model::is_final(delivery.result.state); }

void write(const NotifiedAlert& notified, model::StateWriter& writer) {
  writer.text(notified.device.text()).text(codec::encode_alert_data(notified.alert)).number(notified.over);
  writer.number(notified.ended_at_ms).number(notified.stale);
  writer.number(notified.told_as.has_value());
  if (notified.told_as) write_identity(*notified.told_as, writer);
}

std::optional<NotifiedAlert> read_alert(model::StateReader& reader) {
  Result<model::Topic> device = model::Topic::parse(reader.text());
  Result<model::Alert> alert = codec::decode_alert_data(reader.text());
  if (!device || !alert) return std::nullopt;
  NotifiedAlert notified{.device = std::move(*device), .alert = std::move(*alert)};
  notified.over = reader.number() != 0;
  notified.ended_at_ms = reader.number();
  notified.stale = reader.number() != 0;
  if (reader.number() != 0) notified.told_as = read_identity(reader);
  return notified;
}

void write(const Notification& n, model::StateWriter& writer) {
  writer.text(n.id).text(n.topic.text()).text(n.channel).text(n.group_key);
  write_tags(n.group_labels, writer);
  writer.number(n.firing).number(static_cast<int>(n.severity)).number(n.firing_count).number(n.resolved_count);
  writer.number(n.is_test).text(n.by).number(n.decided_at_ms).number(n.repeat_ms).number(n.truncated);
  writer.number(n.alerts.size());
  for (const NotifiedAlert& notified : n.alerts) write(notified, writer);
}

NotificationPtr read_notification(model::StateReader& reader) {
  Notification n;
  n.id = reader.text();
  Result<model::Topic> topic = model::Topic::parse(reader.text());
  if (!topic) return nullptr;
  n.topic = std::move(*topic);
  n.channel = reader.text();
  n.group_key = reader.text();
  n.group_labels = read_tags(reader);
  n.firing = reader.number() != 0;
  n.severity = read_severity(reader);
  n.firing_count = static_cast<uint32_t>(reader.number());
  n.resolved_count = static_cast<uint32_t>(reader.number());
  n.is_test = reader.number() != 0;
  n.by = reader.text();
  n.decided_at_ms = reader.number();
  n.repeat_ms = reader.number();
  n.truncated = static_cast<uint32_t>(reader.number());
  const int64_t alerts = reader.number();
  for (int64_t i = 0; i < alerts && reader.ok(); ++i) {
    std::optional<NotifiedAlert> notified = read_alert(reader);
    if (!notified) return nullptr;
    n.alerts.push_back(std::move(*notified));
  }
  return reader.ok() ? std::make_shared<const Notification>(std::move(n)) : nullptr;
}

}  // namespace

// Precondition: mu_ is held.
Delivery* DeliveryBook::find(const AccountId& account, const std::string& id) {
  const auto of = accounts_.find(account);
  if (of == accounts_.end()) return nullptr;
  auto& all = of->second.deliveries;
  // The newest are asked for most.
  const auto found =
      std::find_if(all.rbegin(), all.rend(), [&](const Delivery& d) { return d.notification->id == id; });
  return found == all.rend() ? nullptr : &*found;
}

void DeliveryBook::changed() {
  ++changes_;
  wake_.notify_all();
}

void DeliveryBook::decide(Notification notification) {
  const std::lock_guard lock(mu_);
  Account& account = accounts_[notification.topic.account];
  const int64_t now_ms = notification.decided_at_ms;
  account.deliveries.push_back(
      {.notification = std::make_shared<const Notification>(std::move(notification)), .changed_at_ms = now_ms});
}

void DeliveryBook::take(Notification notification) {
  const std::lock_guard lock(mu_);
  const AccountId account = notification.topic.account;
  Delivery* delivery = find(account, notification.id);
  if (delivery == nullptr) {
    const int64_t now_ms = notification.decided_at_ms;
    accounts_[account].deliveries.push_back(
        {.notification = std::make_shared<const Notification>(std::move(notification)), .changed_at_ms = now_ms});
    delivery = &accounts_[account].deliveries.back();
  }
  delivery->in_log = true;
  changed();
}

void DeliveryBook::take(const AccountId& account, const model::DeliveryResult& result, int64_t now_ms) {
  const std::lock_guard lock(mu_);
  Delivery* delivery = find(account, result.notification_id);
  if (delivery == nullptr || model::is_final(delivery->result.state)) return;
  delivery->result = result;
  delivery->changed_at_ms = now_ms;
  if (!model::is_final(result.state)) return;
  Notification ended = *delivery->notification;
  ended.alerts = {};
  delivery->notification = std::make_shared<const Notification>(std::move(ended));
  forget_finished(accounts_[account]);
  changed();
}

void DeliveryBook::forget_finished(Account& account) {
  auto& all = account.deliveries;
  const auto ended = [](const Delivery& d) { return model::is_final(d.result.state); };
  for (auto count = std::count_if(all.begin(), all.end(), ended); count > static_cast<ptrdiff_t>(kFinishedMax);
       --count) {
    all.erase(std::find_if(all.begin(), all.end(), ended));
  }
}

std::vector<NotificationPtr> DeliveryBook::beyond_limits(const AccountId& account) const {
  const std::lock_guard lock(mu_);
  std::vector<NotificationPtr> waiting;
  size_t alerts = 0;
  const auto of = accounts_.find(account);
  if (of == accounts_.end()) return {};
  for (const Delivery& delivery : of->second.deliveries) {
    if (!is_pending(delivery)) continue;
    waiting.push_back(delivery.notification);
    alerts += delivery.notification->alerts.size();
  }
  size_t drop = 0;
  // The newest stays, however large it is.
  while (drop + 1 < waiting.size() && (waiting.size() - drop > kPendingMax || alerts > kPendingAlertsMax)) {
    alerts -= waiting[drop++]->alerts.size();
  }
  waiting.resize(drop);
  return waiting;
}

bool DeliveryBook::knows(const AccountId& account, const std::string& id) {
  const std::lock_guard lock(mu_);
  return find(account, id) != nullptr;
}

std::vector<Delivery> DeliveryBook::pending(const Wanted& wanted) const {
  const std::lock_guard lock(mu_);
  std::vector<Delivery> found;
  for (const auto& [id, account] : accounts_) {
    for (const Delivery& delivery : account.deliveries) {
      if (is_pending(delivery) && wanted(*delivery.notification)) found.push_back(delivery);
    }
  }
  return found;
}

std::vector<Delivery> DeliveryBook::list(const AccountId& account) const {
  const std::lock_guard lock(mu_);
  std::vector<Delivery> found;
  const auto of = accounts_.find(account);
  if (of == accounts_.end()) return found;
  const auto& all = of->second.deliveries;
  std::copy_if(all.rbegin(), all.rend(), std::back_inserter(found), [](const Delivery& d) { return d.in_log; });
  return found;
}

uint64_t DeliveryBook::wait(uint64_t seen, int64_t ms) const {
  std::unique_lock lock(mu_);
  wake_.wait_for(lock, std::chrono::milliseconds(ms), [&] { return changes_ != seen; });
  return changes_;
}

void DeliveryBook::wake() {
  const std::lock_guard lock(mu_);
  changed();
}

void DeliveryBook::save(model::StateWriter& writer) const {
  const std::lock_guard lock(mu_);
  writer.number(accounts_.size());
  for (const auto& [id, account] : accounts_) {
    writer.text(id.text()).number(account.deliveries.size());
    for (const Delivery& d : account.deliveries) {
      write(*d.notification, writer);
      writer.number(d.in_log).number(static_cast<int>(d.result.state)).number(d.result.attempts).text(d.result.reason);
      writer.number(d.changed_at_ms);
    }
  }
}

bool DeliveryBook::load(model::StateReader& reader) {
  std::map<AccountId, Account> accounts;
  const int64_t count = reader.number();
  for (int64_t i = 0; i < count && reader.ok(); ++i) {
    const Result<AccountId> id = AccountId::parse(reader.text());
    if (!id) return false;
    const int64_t deliveries = reader.number();
    for (int64_t n = 0; n < deliveries && reader.ok(); ++n) {
      Delivery d;
      d.notification = read_notification(reader);
      if (!d.notification) return false;
      d.in_log = reader.number() != 0;
      const int64_t state = reader.number();
      if (state < 0 || state >= static_cast<int64_t>(model::kDeliveryStates)) return false;
      d.result.state = static_cast<DeliveryState>(state);
      d.result.attempts = static_cast<uint32_t>(reader.number());
      d.result.reason = reader.text();
      d.changed_at_ms = reader.number();
      accounts[*id].deliveries.push_back(std::move(d));
    }
  }
  if (!reader.ok()) return false;
  const std::lock_guard lock(mu_);
  accounts_ = std::move(accounts);
  changed();
  return true;
}

}  // namespace millstream::notify
