#include "rules/rule_instance.h"

#include <algorithm>

namespace millstream::rules {
namespace {

using model::Comparison;

Change fire(Instance& instance, int64_t started_at_ms) {
  instance.alerts_at_start = instance.started_at_ms == started_at_ms ? instance.alerts_at_start + 1 : 1;
  instance.started_at_ms = started_at_ms;
  instance.phase = Phase::firing;
  return Change::fired;
}

Change on_breach(const model::ThresholdRule& rule, Instance& instance, int64_t event_ms, int64_t now_ms) {
  if (instance.phase == Phase::ok) {
    if (rule.for_ms <= 0) return fire(instance, event_ms);
    instance.phase = Phase::pending;
    instance.first_breach_ms = event_ms;
    instance.deadline_ms = now_ms + rule.for_ms;
    return Change::none;
  }
  const int64_t fulfilled_ms = instance.first_breach_ms + rule.for_ms;
  return event_ms >= fulfilled_ms ? fire(instance, fulfilled_ms) : Change::none;
}

}  // namespace

bool breaches(const model::ThresholdRule& rule, double value) {
  switch (rule.op) {
    case Comparison::gt: return value > rule.value;
    case Comparison::ge: return value >= rule.value;
    case Comparison::lt: return value < rule.value;
    case Comparison::le: return value <= rule.value;
  }
  return false;
}

bool clears(const model::ThresholdRule& rule, double value) {
  const bool above = rule.op == Comparison::gt || rule.op == Comparison::ge;
  return !breaches(rule, value) && (above ? value <= rule.clear : value >= rule.clear);
}

Change on_value(const model::ThresholdRule& rule, Instance& instance, double value, int64_t ts_ms, int64_t now_ms) {
  const int64_t event_ms = std::clamp(ts_ms, now_ms - std::max(rule.max_lateness_ms, int64_t{0}), now_ms);
  if (event_ms < instance.newest_ms) return Change::none;
  instance.newest_ms = event_ms;
  instance.value = value;
  const bool was_silent = instance.silent;
  instance.silent = false;
  if (instance.phase == Phase::firing) {
    if (clears(rule, value)) {
      instance.phase = Phase::ok;
      return Change::resolved;
    }
    return was_silent ? Change::returned : Change::none;
  }
  if (breaches(rule, value)) return on_breach(rule, instance, event_ms, now_ms);
  instance.phase = Phase::ok;
  return Change::none;
}

Change on_deadline(const model::ThresholdRule& rule, Instance& instance) {
  return fire(instance, instance.first_breach_ms + rule.for_ms);
}

Change on_offline(Instance& instance, int64_t ts_ms) {
  if (instance.newest_ms > ts_ms || instance.silent) return Change::none;
  instance.silent = true;
  return instance.phase == Phase::firing ? Change::went_stale : Change::none;
}

}  // namespace millstream::rules
