// notify/delivery_book.h: what has been decided to be told, and how far that has come.
//
// Flow     the notifier notes decisions, and takes them as pending once they are in the log; senders (app/) ask what is
//          pending for their channel; results come back through the log and end an entry.
// Limits   of an account: kPendingMax undelivered notifications and kPendingAlertsMax alerts in them; beyond, the
// oldest
//          is dropped, and said to be. kFinishedMax that have ended, without their alerts.
// Thread   any
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "model/notification.h"
#include "model/state_text.h"

namespace millstream::notify {

inline constexpr size_t kPendingMax = 1000;
inline constexpr size_t kPendingAlertsMax = 10'000;
inline constexpr size_t kFinishedMax = 500;

struct Delivery {
  model::NotificationPtr notification;  // once it has ended: without its alerts
  bool in_log = false;                  // until then it is a decision that a crash may still undo
  model::DeliveryResult result = {.state = model::DeliveryState::pending};
  int64_t changed_at_ms = 0;
};

class DeliveryBook {
 public:
  // ---- of the notifier ----
  void decide(model::Notification notification);
  // Its event is in the log. What was decided under its id stays; without, it is taken as it is.
  void take(model::Notification notification);
  void take(const model::AccountId& account, const model::DeliveryResult& result, int64_t now_ms);
  // What must go because there is too much of it, oldest first.
  std::vector<model::NotificationPtr> beyond_limits(const model::AccountId& account) const;
  bool knows(const model::AccountId& account, const std::string& id);

  void save(model::StateWriter& writer) const;
  bool load(model::StateReader& reader);  // replaces everything

  // ---- of everyone ----
  using Wanted = std::function<bool(const model::Notification&)>;
  std::vector<Delivery> pending(const Wanted& wanted) const;          // oldest first
  std::vector<Delivery> list(const model::AccountId& account) const;  // newest first
  // Waits until something has changed since `seen`, or for `ms`. What to give the next time.
  uint64_t wait(uint64_t seen, int64_t ms) const;
  void wake();

 private:
  struct Account {
    std::deque<Delivery> deliveries;  // in order of decision
  };
  Delivery* find(const model::AccountId& account, const std::string& id);
  void forget_finished(Account& account);
  void changed();

  mutable std::mutex mu_;
  mutable std::condition_variable wake_;
  uint64_t changes_ = 1;                          // guarded by mu_
  std::map<model::AccountId, Account> accounts_;  // guarded by mu_
};

}  // namespace millstream::notify
