#include "app/channel_sender.h"

#include <pthread.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "base/log_line.h"
#include "codec/notification_json.h"

namespace millstream::app {
namespace {

using model::DeliveryResult;
using model::DeliveryState;
using model::Notification;
using notify::Delivery;

constexpr int64_t kIdleMs = 60'000;
constexpr int64_t kAppendAgainMs = 1'000;

std::string labels_of(const ChannelOptions& channel) {
  std::string labels = "channel=\"" + channel.name + "\"";
  if (!channel.account.empty()) labels += ",account=\"" + channel.account.text() + "\"";
  return labels;
}

std::pair<model::AccountId, std::string> id_of(const Notification& n) { return {n.topic.account, n.id}; }

}  // namespace

ChannelSender::ChannelSender(ChannelOptions channel, std::string external_url, const notify::Channels& channels,
                             notify::DeliveryBook& book, log::EventLog& log, const Clock& clock,
                             metrics::Registry& metrics)
    : channel_(channel),
      channels_(channels),
      book_(book),
      log_(log),
      clock_(clock),
      sent_(metrics.counter("millstream_notifications_sent_total", "Notifications a receiver has taken",
                            labels_of(channel))),
      failed_(metrics.counter("millstream_notifications_failed_total",
                              "Notifications refused by their receiver, or given up", labels_of(channel))),
      retries_(metrics.counter("millstream_notification_retries_total",
                               "Tries to deliver a notification that failed and are made again", labels_of(channel))),
      pending_gauge_(metrics.gauge("millstream_notifications_pending", "Notifications decided and not yet delivered",
                                   labels_of(channel))),
      transfer_(std::move(channel), std::move(external_url)),
      seed_(static_cast<uint64_t>(clock.wall_ms())) {}

ChannelSender::~ChannelSender() { stop(); }

void ChannelSender::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ms-notify");
    run();
  });
}

void ChannelSender::ask_to_stop() {
  stopping_ = true;
  book_.wake();
}

void ChannelSender::stop() {
  ask_to_stop();
  if (thread_.joinable()) thread_.join();
}

void ChannelSender::run() {
  const auto is_mine = [this](const Notification& n) {
    const notify::Channel* channel = channels_.find(n.topic.account, n.channel);
    return channel != nullptr && channel->name == channel_.name && channel->account == channel_.account;
  };
  uint64_t seen = 0;
  while (!stopping_) {
    take_answers();
    const std::vector<Delivery> pending = book_.pending(is_mine);
    pending_gauge_.set(static_cast<int64_t>(pending.size()));
    forget_gone(pending);
    const int64_t now_ms = clock_.steady_ms();
    int64_t until_ms = now_ms + kIdleMs;
    if (const Delivery* next = choose(pending, now_ms, until_ms)) {
      attempt(*next, attempts_for(*next), now_ms);
    } else {
      seen = book_.wait(seen, until_ms - now_ms);
    }
  }
}

void ChannelSender::take_answers() {
  for (const Answer& answer : answers_.with([](auto& answers) { return std::exchange(answers, {}); })) {
    const auto found = attempts_.find(answer.id);
    if (found == attempts_.end() || answer.stored) continue;
    found->second.in_flight = false;
    found->second.next_ms = clock_.steady_ms() + kAppendAgainMs;
  }
}

void ChannelSender::forget_gone(const std::vector<Delivery>& pending) {
  std::set<std::pair<model::AccountId, std::string>> here;
  for (const Delivery& delivery : pending) here.insert(id_of(*delivery.notification));
  std::erase_if(attempts_, [&](const auto& each) { return !here.contains(each.first); });
}

ChannelSender::Attempts& ChannelSender::attempts_for(const Delivery& delivery) {
  const auto [found, is_new] = attempts_.try_emplace(
      id_of(*delivery.notification), Attempts{Backoff(channel_.retry_min_ms, channel_.retry_max_ms, ++seed_)});
  if (is_new) found->second.made = delivery.result.attempts;
  return found->second;
}

const Delivery* ChannelSender::choose(const std::vector<Delivery>& pending, int64_t now_ms, int64_t& until_ms) {
  const Delivery* chosen = nullptr;
  std::set<std::string_view> groups;
  for (const Delivery& delivery : pending) {
    if (!groups.insert(delivery.notification->group_key).second) continue;
    const Attempts& attempts = attempts_for(delivery);
    if (attempts.in_flight) continue;
    if (attempts.next_ms < until_ms) {
      until_ms = std::max(attempts.next_ms, now_ms + 1);
      chosen = &delivery;
    }
  }
  return chosen != nullptr && attempts_for(*chosen).next_ms <= now_ms ? chosen : nullptr;
}

void ChannelSender::attempt(const Delivery& delivery, Attempts& attempts, int64_t now_ms) {
  const Notification& notification = *delivery.notification;
  if (attempts.ended) {
    attempts.in_flight = true;
    return append(notification, *attempts.ended, true);
  }
  const int64_t wall_ms = clock_.wall_ms();
  ++attempts.made;
  const Outcome outcome = transfer_.send(notification, wall_ms, [this] { return !stopping_; });
  if (outcome.stopped) return;
  report(notification, outcome);
  if (outcome.delivered) {
    sent_.add();
    return end(notification, attempts, DeliveryState::sent, "");
  }
  if (outcome.is_final || wall_ms - notification.decided_at_ms >= channel_.give_up_after_ms) {
    failed_.add();
    return end(notification, attempts, outcome.is_final ? DeliveryState::failed : DeliveryState::gave_up,
               outcome.reason);
  }
  failed(notification, attempts, outcome, now_ms);
}

// A receiver that stays away for a day is not worth thousands of lines; what is lost is worth one.
void ChannelSender::report(const Notification& notification, const Outcome& outcome) {
  if (outcome.delivered) {
    if (!complaint_.empty()) log_info("a receiver takes notifications again", {{"channel", channel_.name}});
    return complaint_.clear();
  }
  if (complaint_ == outcome.reason && !outcome.is_final) return;
  complaint_ = outcome.reason;
  log_warning(outcome.is_final ? "a notification was refused" : "a notification was not delivered and is tried again",
              {{"channel", channel_.name}, {"notification", notification.id}, {"reason", outcome.detail}});
}

void ChannelSender::failed(const Notification& notification, Attempts& attempts, const Outcome& outcome,
                           int64_t now_ms) {
  retries_.add();
  const int64_t after_ms = std::max(clock_.steady_ms(), now_ms);
  attempts.next_ms = after_ms + std::max(attempts.backoff.next_ms(), outcome.retry_after_ms.value_or(0));
  if (attempts.told == outcome.reason) return;
  attempts.told = outcome.reason;
  append(notification,
         {.notification_id = notification.id,
          .channel = notification.channel,
          .state = DeliveryState::retrying,
          .attempts = attempts.made,
          .reason = outcome.reason},
         false);
}

void ChannelSender::end(const Notification& notification, Attempts& attempts, DeliveryState state,
                        const std::string& reason) {
  attempts.ended = DeliveryResult{.notification_id = notification.id,
                                  .channel = notification.channel,
                                  .state = state,
                                  .attempts = attempts.made,
                                  .reason = reason};
  attempts.in_flight = true;
  append(notification, *attempts.ended, true);
}

void ChannelSender::append(const Notification& notification, const DeliveryResult& result, bool is_final) {
  model::Event event =
      new_event(model::EventType::system, notification.topic, codec::encode_delivery_result(result), clock_.wall_ms());
  const auto answered = [this, id = id_of(notification), is_final](bool stored) {
    if (!is_final) return;
    answers_.with([&](auto& answers) { answers.push_back({id, stored}); });
    book_.wake();
  };
  const Status taken = log_.append({std::move(event)}, [answered](const auto& receipt) { answered(receipt.ok()); });
  if (!taken) answered(false);
}

}  // namespace millstream::app
