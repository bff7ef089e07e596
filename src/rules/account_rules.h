// rules/account_rules.h: one account's rules, the devices they watch, and the deadlines among them.
//
// Flow     at the first value of a field, a device gets an instance for each rule that reads the field and covers the
//          device; from then on a value finds its instances by one look-up.
// Rules    A rule that is saved anew keeps its instances where its condition is the same and it still covers the
// device;
//          any other open alert is resolved, with the reason.
// Limits   an instance without an alert or a deadline is forgotten a day after its newest value.
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "codec/rule_command.h"
#include "model/engine.h"
#include "rules/alert_event.h"
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
  std::vector<Field> fields;  // by number; found out anew when rules change
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
  // `deadlines` outlives this.
  explicit AccountRules(Deadlines& deadlines) : deadlines_(deadlines) { (void)number_of({}); }
  AccountRules(const AccountRules&) = delete;
  AccountRules& operator=(const AccountRules&) = delete;

  void put(std::unique_ptr<const CompiledRule> rule, int64_t now_ms, model::Conclusions& out);
  void remove(const std::string& rule_id, int64_t now_ms, model::Conclusions& out);
  const model::Rule* find(std::string_view rule_id) const;
  std::vector<std::string> rule_ids() const;

  void set_attributes(const model::Topic& device, Attributes attributes);
  std::vector<model::Topic> devices_with_attributes() const;

  void on_telemetry(const model::Event& event, int64_t now_ms, model::Conclusions& out);
  void on_status(const model::Topic& topic, model::Presence status, int64_t ts_ms, int64_t now_ms,
                 model::Conclusions& out);
  void on_command(const model::Topic& topic, const codec::AlertCommand& command, int64_t now_ms,
                  model::Conclusions& out);
  // Precondition: its deadline has come.
  void on_deadline(WatchedDevice& device, uint32_t instance, int64_t now_ms, model::Conclusions& out);

  void postpone(int64_t ms, int64_t now_ms);
  void forget_idle_since(int64_t ms, int64_t now_ms);

  void save(model::StateWriter& writer) const;
  Status load(const model::AccountId& account, model::StateReader& reader);

 private:
  uint32_t number_of(const std::string& field);
  void index_rules();
  WatchedDevice& device(const model::Topic& topic);
  std::vector<WatchedDevice*> by_topic();
  std::vector<WatchedDevice::Watch>& watches(WatchedDevice& device, uint32_t field);
  uint32_t instance_of(WatchedDevice& device, const CompiledRule& rule);
  void take_tags(WatchedDevice& device, const model::Event& event, int64_t now_ms, model::Conclusions& out);
  // What becomes of the device's instances when `before` gives way to `after` (nullptr: to nothing).
  void replace(WatchedDevice& device, const CompiledRule* before, const CompiledRule* after, const char* reason,
               int64_t now_ms, model::Conclusions& out);
  void drop(WatchedDevice& device, size_t at, const char* reason, int64_t now_ms, model::Conclusions& out);
  void conclude(WatchedDevice& device, uint32_t at, int64_t now_ms, model::Conclusions& out);
  void set_timer(WatchedDevice& device, uint32_t at, int64_t now_ms);
  void unset_timer(WatchedDevice& device, uint32_t at);
  void unset_timers(WatchedDevice& device);
  void set_timers(WatchedDevice& device, int64_t now_ms);
  Status load_device(model::StateReader& reader);

  Deadlines& deadlines_;
  std::map<std::string, std::unique_ptr<const CompiledRule>, std::less<>> rules_;  // by id
  std::unordered_map<std::string, uint32_t> numbers_;                              // by field; 0: no field
  std::vector<std::vector<const CompiledRule*>> readers_;                          // by field number: enabled rules
  bool asks_for_tags_ = false;
  std::unordered_map<model::Topic, WatchedDevice> devices_;
  Changes changes_;                // of one call; kept for its memory
  std::vector<uint32_t> touched_;  // the same
};

}  // namespace millstream::rules
