// rules/rule_engine.h: alert rules as a state machine per (rule, device).
//
// Flow     an engine over the log: telemetry, device status and what people say of rules, alerts and devices
//          (codec/rule_command.h, codec/device_settings_json.h) go in, alert events come out. rule_instance.h holds the
//          transitions, account_rules.h finds who is concerned.
// Rules    One open alert per (rule, device) by construction. What people change goes through the log too, so that
//          re-stepping it after a crash repeats history. What is configured elsewhere (the registry, files) is put in
//          force by resume(): state carries over where a rule's condition is the same; any other open alert is resolved
//          by the next advance(), with the reason. Time while the server was down does not count.
// Limits   those of limits.h in force are part of the state, as the rules are: what is configured counts from resume()
// on. Thread   one thread at a time; board(): any
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/device_settings.h"
#include "model/engine.h"
#include "model/rule.h"
#include "rules/limits.h"
#include "rules/rule_tally.h"

namespace millstream::rules {

// What is known of rules apart from the log. Rules of one account have distinct ids.
struct Configuration {
  std::vector<model::Rule> rules;
  std::map<model::Topic, model::DeviceAttributes> attributes;  // by device
  Limits limits = {};
  std::map<model::Topic, model::DeviceId> gateways = {};  // by device
};

class RuleEngine final : public model::Engine {
 public:
  explicit RuleEngine(Configuration configured);
  ~RuleEngine() override;

  // As it is now: put in force by the next resume().
  void configure(Configuration configured) { configured_ = std::move(configured); }

  std::string_view name() const override { return "rules"; }
  void step(const model::Event& event, int64_t now_ms, model::Conclusions& out) override;
  void advance(int64_t now_ms, model::Conclusions& out) override;
  void resume(int64_t from_ms, int64_t now_ms) override;
  void save_to(model::StateWriter& writer) const override;
  Status load(std::string_view state) override;

  const RuleBoard& board() const { return board_; }

 private:
  struct State;

  void fill_board();
  void step_command(const model::Event& event, int64_t now_ms, model::Conclusions& out);
  void step_device(const model::Event& event, int64_t now_ms, model::Conclusions& out);

  Configuration configured_;
  RuleBoard board_;
  std::unique_ptr<State> state_;
};

}  // namespace millstream::rules
