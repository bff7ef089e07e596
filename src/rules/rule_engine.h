// rules/rule_engine.h: alert rules as a state machine per (rule, device).
//
// Flow     an engine over the log: telemetry moves OK -> PENDING -> FIRING -> OK; device_status "offline" marks a
// firing
//          alert stale, never resolves it. One open alert per (rule, device) by construction.
//          rule_instance.h holds the transitions; rule_set.h and watched_devices.h find who is concerned.
// Shapes   conclusions are alert events on the device's topic. ts: of `firing`, when `for` was fulfilled (by the log's
//          clock if time alone fulfilled it); of `resolved` and `updated`, the event time of the value; of `stale`, the
//          moment the device went offline. startedAt is in event time; endedAt is never before it.
//          `updated` says that data is back on a stale alert, which is firing still.
//          alert ids are "<rule id>.<site>.<device>.<started_at ms>.<n>": the same inputs give the same ids.
//          (n counts the alerts of one rule and device that began in the same millisecond).
// Rules    A state from load() keeps the rules it was made with until resume(), so that re-stepping the log after a
//          crash repeats history even when the rules have changed since. resume() puts the configured rules in force:
//          state carries over where the condition is the same and the scope still takes the device; any other open
//          alert is resolved by the next advance(), with a message that says why.
//          Time while the server was down does not count for `for`.
// Thread   one thread at a time
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/alert.h"
#include "model/engine.h"

namespace millstream::rules {

class RuleEngine final : public model::Engine {
 public:
  // `rules` have distinct ids (checked by app/config).
  explicit RuleEngine(std::vector<model::ThresholdRule> rules);
  ~RuleEngine() override;

  std::string_view name() const override { return "rules"; }
  void step(const model::Event& event, int64_t now_ms, model::Conclusions& out) override;
  void advance(int64_t now_ms, model::Conclusions& out) override;
  void resume(int64_t from_ms, int64_t now_ms) override;
  std::string save() const override;
  Status load(std::string_view state) override;

 private:
  struct State;

  void step_telemetry(const model::Event& event, int64_t now_ms, model::Conclusions& out);
  void step_offline(const model::Topic& topic, int64_t ts_ms, model::Conclusions& out);
  void fire_due(int64_t now_ms, model::Conclusions& out);
  void adopt_configured(int64_t now_ms);

  const std::vector<model::ThresholdRule> configured_;
  std::unique_ptr<State> state_;
};

}  // namespace millstream::rules
