// history/alert_book.h: every alert that is open or ended within the retention, and what became of it, step by step.
//
// Flow     an engine over the log; api/alerts reads it. What people say of an alert (codec/rule_command.h) the rule
//          engine answers for the alerts of its rules; for published ones, of which that knows nothing, the book does.
//          An endpoint that said such a thing waits here for the conclusion to come round.
// Shapes   An alert is its topic and its id: publishers choose ids as they like. The id of its first event names it
//          among all alerts, and alerts are listed by it. A published alert that is told again after its end is open
//          again, and the same.
//          An ack holds until it is taken back or the alert ends: a publisher does not repeat it.
//          Only what came round in the log is shown. BookedAlerts never change: readers hold them as long as they like.
// Limits   AlertBookOptions. Of a timeline what is in the middle goes first, and of that what no person did; of the
//          ended alerts of an account the oldest go first. Both are counted. Open alerts are as many as rules and
//          devices make, and of publishers history/latest_values.h's kPublishedAlertsMax. An alert of a rule with four
//          events takes 2.5 kB (alert_book_bench.cc), and so it is counted, about.
// Thread   any: engine calls come from the engine thread, the rest from everywhere (locks inside, held for as long as
//          it takes to copy pointers)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "codec/rule_command.h"
#include "model/alert.h"
#include "model/engine.h"
#include "model/event.h"

namespace millstream::history {

struct AlertBookOptions {
  int64_t retention_ms = 0;
  size_t timeline_max = 100;              // at least 2
  size_t ended_per_account_max = 10'000;  // at least 1
  size_t ended_bytes_per_account_max = 16 << 20;
};

// One event of an alert.
struct AlertMoment {
  model::EventId event;
  int64_t ts_ms = 0;
  model::AlertState state = model::AlertState::firing;
  model::Severity severity = model::Severity::info;
  double value = 0;
  std::string reason;
  std::string by;  // who acknowledged, took that back or closed it; empty: nobody
  std::string note;
  bool operator==(const AlertMoment&) const = default;
};

struct BookedAlert {
  model::Topic topic;
  model::EventId first;  // its first event
  model::EventId newest;
  int64_t ts_ms = 0;                                // of the newest event
  model::Alert alert;                               // as the newest event says, with the ack that holds
  model::Severity highest = model::Severity::info;  // since it was opened
  bool stale = false;                               // its device is silent
  std::vector<AlertMoment> timeline;                // oldest first
  size_t timeline_dropped = 0;

  bool open() const { return alert.state != model::AlertState::resolved; }
  bool operator==(const BookedAlert&) const = default;
};
using BookedAlertPtr = std::shared_ptr<const BookedAlert>;

// What a command asks for, for whoever waits until it is so.
struct AwaitedAlert {
  model::AccountId account;
  model::EventId first;    // of the alert
  model::EventId command;  // the conclusion comes after it
  codec::AlertAction action = codec::AlertAction::ack;
};
// Whether the alert's timeline has the conclusion.
bool is_concluded(const BookedAlert& alert, const AwaitedAlert& awaited);

class AlertBook final : public model::Engine {
 public:
  explicit AlertBook(AlertBookOptions options);

  std::string_view name() const override { return "alerts"; }
  void step(const model::Event& event, int64_t now_ms, model::Conclusions& out) override;
  void advance(int64_t now_ms, model::Conclusions& out) override;
  void resume(int64_t, int64_t) override {}
  void save_to(model::StateWriter& out) const override;
  Status load(std::string_view state) override;

  std::vector<BookedAlertPtr> list(const model::AccountId& account) const;  // by first
  // By the id of its first event, or by its own: then those of every topic that has one.
  std::vector<BookedAlertPtr> find(const model::AccountId& account, std::string_view id) const;
  // Of an open published alert.
  std::optional<model::AlertAck> ack_of(const model::Topic& topic, std::string_view alert_id) const;
  // How many ended alerts were left out before their time, since the log began.
  uint64_t ended_dropped() const { return ended_dropped_.load(std::memory_order_relaxed); }

  // Calls `told` once, when the conclusion has come round or the alert has ended: at once on this thread if it has,
  // later on the engine's. null: nobody will ever say, as the alert is not in the book or the server ends. Gives a
  // number for forget(), after which `told` is gone; 0 when it was called.
  using Told = std::function<void(BookedAlertPtr)>;
  uint64_t await(AwaitedAlert awaited, Told told);
  void forget(uint64_t waiter);
  // At the end, while those who wait can still be answered.
  void end_waiting();

 private:
  // Who took an ack back: the event that comes of it does not say so.
  struct Unack {
    int64_t ms = 0;
    std::string by;
    std::string note;
  };
  struct Entry {
    BookedAlertPtr shown;
    // Of the engine alone:
    std::vector<Unack> unacks;              // not concluded yet
    std::optional<model::Alert> concluded;  // what the book made of it, and did not come round yet
    int64_t concluded_ms = 0;
    size_t bytes = 0;
  };
  using IdKey = std::pair<std::string, model::Topic>;
  struct Account {
    std::map<model::EventId, Entry> alerts;                     // by first
    std::map<IdKey, model::EventId, std::less<>> by_id;         // to first
    std::set<std::pair<model::EventId, model::EventId>> ended;  // (newest, first)
    size_t ended_bytes = 0;
  };
  struct Waiter {
    AwaitedAlert awaited;
    Told told;
  };

  Entry* find_entry(const model::Topic& topic, const std::string& alert_id);
  void take_alert(const model::Event& event, model::Conclusions& out);
  void take_command(const model::Event& event, int64_t now_ms, model::Conclusions& out);
  void conclude(const model::Topic& topic, Entry& entry, const codec::AlertCommand& command, int64_t now_ms,
                model::Conclusions& out);
  void put(Account& account, Entry entry);
  void index(Account& account, const Entry& entry);
  void unindex(Account& account, const Entry& entry);
  void remove(const model::AccountId& of, Account& account, model::EventId first);
  void drop_ended_beyond_limits(const model::AccountId& of, Account& account);
  void note_ack(const BookedAlert& shown, bool there);
  std::vector<Told> told_of(const BookedAlert& shown);

  mutable std::mutex mu_;
  // written by the engine's thread with mu_ held, so that it may read them without
  std::map<model::AccountId, Account> accounts_;
  // guarded by mu_
  std::map<uint64_t, Waiter> waiters_;
  uint64_t last_waiter_ = 0;
  bool waiting_ended_ = false;

  // the engine's own: what retention can end, by newest event: (account, first)
  std::map<model::EventId, std::pair<model::AccountId, model::EventId>> mortal_;

  std::atomic<uint64_t> ended_dropped_{0};
  // Of open published alerts, for the I/O loops; by topic and id.
  Guarded<std::unordered_map<std::string, model::AlertAck>> acks_;

  // constant after construction
  const AlertBookOptions options_;
};

}  // namespace millstream::history
