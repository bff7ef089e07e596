// rules/account_rules.h: one account's rules, the devices they watch, and the deadlines among them.
//
// Flow     at the first value of a field, a device gets an instance for each rule that reads the field and covers the
//          device; from then on a value finds its instances by one look-up.
// Rules    A rule that is saved anew keeps its instances where its condition is the same and it still covers the
// device;
//          any other open alert is resolved, with the reason.
//          Being over a limit ends no alert: what is not watched is not known, and a device whose values are not looked
//          at is not silent (rule_instance.h).
//          A gateway that goes takes those behind it along, in the order of their names; they come back with it, or
//          when they are behind it no more.
//          An instance that is made anew goes on from the newest alert of the one before it, whatever that one ended by
//          (the rule, its scope, the device): so no two alerts have one id, though a device sends a point again.
// Limits   an instance without an alert or a deadline is forgotten a day after its newest value, and so is the
//          newest alert of one that is gone: no new instance takes values as old as that (max_lateness).
//          limits.h: instances, and evaluations by the log's time, so that the same log is cut in the same places. Over
//          one, the account is told (kRulesLimitedKind), at most once in kToldEveryMs.
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "codec/rule_command.h"
#include "model/engine.h"
#include "rules/alert_event.h"
#include "rules/evaluation_budget.h"
#include "rules/gateways.h"
#include "rules/limits.h"
#include "rules/rule_instance.h"

namespace millstream::rules {

class AccountRules;

struct WatchedDevice {
  // Which instance a value is for, and as which of its rule's conditions.
  struct Watch {
    uint32_t instance;
    uint32_t condition;
  };
  struct Field {
    uint32_t number;
    std::vector<Watch> watches;
  };
  AccountRules* account = nullptr;
  const model::Topic* topic = nullptr;  // the key it is stored under
  model::Tags tags;                     // of the newest value; kept only if a rule asks for tags
  Attributes attributes;
  std::vector<Instance> instances;
  std::vector<Field> fields;   // by number; found out anew when rules change, or when there is room again
  uint64_t fields_as_of = 0;   // of AccountRules::generation_
  int64_t unseen_ms = kNever;  // when its newest values came that were not looked at
};

struct Deadline {
  int64_t ms;
  WatchedDevice* device;
  uint32_t instance;
  bool operator<(const Deadline& other) const;  // by (time, topic, rule id)
};
using Deadlines = std::set<Deadline>;

class AccountRules {
 public:
  // All outlive this; `limits` may change between calls, which room_may_have_come() tells.
  AccountRules(Deadlines& deadlines, const Limits& limits, RuleBoard& board)
      : deadlines_(deadlines), limits_(limits), board_(board) {
    (void)number_of({});
  }
  AccountRules(const AccountRules&) = delete;
  AccountRules& operator=(const AccountRules&) = delete;

  void put(std::unique_ptr<const CompiledRule> rule, int64_t now_ms, model::Conclusions& out);
  void remove(const std::string& rule_id, int64_t now_ms, model::Conclusions& out);
  const model::Rule* find(std::string_view rule_id) const;
  std::vector<std::string> rule_ids() const;
  RuleTallyPtr tally(std::string_view rule_id) const;  // null: no such rule

  void set_attributes(const model::Topic& device, Attributes attributes);
  std::vector<model::Topic> devices_with_attributes() const;
  // Empty: it speaks through none.
  void set_gateway(const model::Topic& device, const model::DeviceId& gateway, int64_t now_ms, model::Conclusions& out);
  std::vector<model::Topic> devices_behind_gateways() const { return gateways_.devices(); }

  void on_telemetry(const model::Event& event, int64_t now_ms, model::Conclusions& out);
  void on_status(const model::Topic& topic, const model::DeviceStatus& status, int64_t ts_ms, int64_t now_ms,
                 model::Conclusions& out);
  // It is not there any more: its open alerts are resolved, and those behind it are on their own. Should it speak
  // again, it is a new one.
  void on_deleted(const model::Topic& topic, int64_t now_ms, model::Conclusions& out);
  void on_command(const model::Topic& topic, const codec::AlertCommand& command, int64_t now_ms,
                  model::Conclusions& out);
  // Precondition: its deadline has come.
  void on_deadline(WatchedDevice& device, uint32_t instance, int64_t now_ms, model::Conclusions& out);

  void postpone(int64_t ms, int64_t now_ms);
  void forget_idle_since(int64_t ms, int64_t now_ms);
  void room_may_have_come();

  void save(model::StateWriter& writer) const;
  Status load(const model::AccountId& account, model::StateReader& reader);

 private:
  uint32_t number_of(const std::string& field);
  void index_rules();
  WatchedDevice& device(const model::Topic& topic);
  std::vector<WatchedDevice*> watched_by(const CompiledRule& rule);  // by topic
  bool shed(const model::Event& event, int64_t now_ms, model::Conclusions& out);
  void tell(const model::AccountId& account, std::string_view limit, int64_t max, int64_t& told_ms, int64_t now_ms,
            model::Conclusions& out);
  std::vector<WatchedDevice::Watch>& watches(WatchedDevice& device, uint32_t field, int64_t now_ms,
                                             model::Conclusions& out);
  // Nothing: there is no room for another.
  std::optional<uint32_t> instance_of(WatchedDevice& device, const CompiledRule& rule, int64_t now_ms,
                                      model::Conclusions& out);
  void count(const Instance& instance, int64_t by);
  // Before an instance goes, and after one is made.
  void note_newest_alert(const Instance& instance, const model::Topic& device);
  void recall_newest_alert(Instance& instance, const model::Topic& device);
  using Tell = void (*)(Instance&, int64_t ts_ms, const Moment&, Changes&);
  void tell_instances(WatchedDevice& device, Tell tell, int64_t ts_ms, int64_t now_ms, model::Conclusions& out);
  void tell_behind(const model::Topic& gateway, Tell tell, int64_t ts_ms, int64_t now_ms, model::Conclusions& out);
  void take_tags(WatchedDevice& device, const model::Event& event, int64_t now_ms, model::Conclusions& out);
  // What becomes of the device's instance when `before` gives way to `after` (nullptr: to nothing).
  void replace(WatchedDevice& device, const CompiledRule& before, const CompiledRule* after, const char* reason,
               int64_t now_ms, model::Conclusions& out);
  void drop(WatchedDevice& device, size_t at, const char* reason, int64_t now_ms, model::Conclusions& out);
  // After it did something: `before` is what it was in until then.
  void conclude(WatchedDevice& device, uint32_t at, Phase before, int64_t now_ms, model::Conclusions& out);
  void set_timer(WatchedDevice& device, uint32_t at, int64_t now_ms);
  void unset_timer(WatchedDevice& device, uint32_t at);
  void unset_timers(WatchedDevice& device);
  void set_timers(WatchedDevice& device, int64_t now_ms);
  Status load_device(model::StateReader& reader);
  bool load_newest_alerts(model::StateReader& reader);

  static constexpr int64_t kToldEveryMs = 60'000;

  Deadlines& deadlines_;
  const Limits& limits_;
  RuleBoard& board_;
  std::map<std::string, std::unique_ptr<const CompiledRule>, std::less<>> rules_;  // by id
  std::unordered_map<std::string, uint32_t> numbers_;                              // by field; 0: no field
  std::vector<std::vector<const CompiledRule*>> readers_;                          // by field number: enabled rules
  bool asks_for_tags_ = false;
  std::unordered_map<model::Topic, WatchedDevice> devices_;
  Gateways gateways_;
  struct NewestAlert {
    int64_t started_at_ms;
    uint32_t alerts_at_start;
  };
  std::map<std::pair<model::Topic, std::string>, NewestAlert> newest_alerts_;  // of instances that are gone
  uint64_t generation_ = 0;  // of what devices know of who reads their fields
  int64_t instances_ = 0;
  bool full_ = false;  // an instance was refused, and there was no room since
  EvaluationBudget budget_;
  int64_t told_full_ms_ = -kToldEveryMs;
  int64_t told_shed_ms_ = -kToldEveryMs;
  Changes changes_;                // of one call; kept for its memory
  std::vector<uint32_t> touched_;  // the same
};

}  // namespace millstream::rules
