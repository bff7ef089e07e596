// rules/rule_tally.h: what the engine is doing for each rule, counted for others to look at.
//
// Flow     the engine counts in a rule's tally, which its compiled form holds; the board finds it by account and id.
// Thread   counting: the engine's. Looking: any
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/guarded.h"
#include "model/topic.h"

namespace millstream::rules {

enum class Phase : uint8_t { ok, pending, firing, recovering };
constexpr bool is_open(Phase phase) { return phase == Phase::firing || phase == Phase::recovering; }

struct RuleStatus {
  int64_t devices = 0;  // watched
  int64_t pending = 0;
  int64_t firing = 0;    // with an open alert
  bool limited = false;  // there are more that it would watch
  bool operator==(const RuleStatus&) const = default;
};

class RuleTally {
 public:
  void add(Phase phase, int64_t by) {
    add(devices_, by);
    if (phase == Phase::pending) add(pending_, by);
    if (is_open(phase)) add(firing_, by);
  }
  void set_limited(bool limited) { limited_.store(limited, std::memory_order_relaxed); }

  RuleStatus status() const {
    return {devices_.load(std::memory_order_relaxed), pending_.load(std::memory_order_relaxed),
            firing_.load(std::memory_order_relaxed), limited_.load(std::memory_order_relaxed)};
  }

 private:
  using Count = std::atomic<int64_t>;
  // One thread counts: no need for the bus.
  static void add(Count& count, int64_t by) {
    count.store(count.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  Count devices_{0};
  Count pending_{0};
  Count firing_{0};
  std::atomic<bool> limited_{false};
};
using RuleTallyPtr = std::shared_ptr<RuleTally>;

class RuleBoard {
 public:
  using Key = std::pair<model::AccountId, std::string>;  // and the rule's id

  // Nothing: no such rule is in force.
  std::optional<RuleStatus> status(const model::AccountId& account, const std::string& rule_id) const {
    return tallies_.with([&](const Tallies& tallies) -> std::optional<RuleStatus> {
      const auto found = tallies.find(Key{account, rule_id});
      if (found == tallies.end()) return std::nullopt;
      return found->second->status();
    });
  }
  // Events whose values were not looked at, because their account's budget was spent.
  int64_t events_shed() const { return events_shed_.load(std::memory_order_relaxed); }
  // Times that a device could not be watched.
  int64_t instances_refused() const { return instances_refused_.load(std::memory_order_relaxed); }

  void put(Key key, RuleTallyPtr tally) {
    tallies_.with([&](Tallies& tallies) { tallies.insert_or_assign(std::move(key), std::move(tally)); });
  }
  void remove(const Key& key) {
    tallies_.with([&](Tallies& tallies) { tallies.erase(key); });
  }
  void clear() {
    tallies_.with([](Tallies& tallies) { tallies.clear(); });
  }
  void count_shed() { events_shed_.fetch_add(1, std::memory_order_relaxed); }
  void count_refused() { instances_refused_.fetch_add(1, std::memory_order_relaxed); }

 private:
  using Tallies = std::map<Key, RuleTallyPtr>;
  Guarded<Tallies> tallies_;
  std::atomic<int64_t> events_shed_{0};
  std::atomic<int64_t> instances_refused_{0};
};

}  // namespace millstream::rules
