#include "rules/backtest.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "codec/event_json.h"

namespace millstream::rules {
namespace {

using model::Comparison;
using model::Condition;
using model::Function;
using model::Limit;

// An average is rounded, and may so leave the bounds of its values by a little.
constexpr double kRounding = 1e-9;

Extremes widened(const Extremes& seen) {
  const double by = kRounding * std::max(std::abs(seen.low), std::abs(seen.high));
  return {seen.low - by, seen.high + by};
}

// Whether what is compared always lies within the bounds of the field's numbers.
bool stays_within(Function fn) {
  return fn == Function::last || fn == Function::avg || fn == Function::min || fn == Function::max ||
         fn == Function::ewma;
}

bool may_be(Comparison op, const Extremes& seen, double bound) {
  switch (op) {
    case Comparison::gt: return seen.high > bound;
    case Comparison::ge: return seen.high >= bound;
    case Comparison::lt: return seen.low < bound;
    case Comparison::le: return seen.low <= bound;
    default: return seen.low <= bound && bound <= seen.high;
  }
}

bool may_be(Comparison op, const Extremes& seen, const model::Range& range) {
  if (op == Comparison::outside) return seen.low < range.low || seen.high > range.high;
  return seen.low <= range.high && seen.high >= range.low;
}

bool may_be_met(const Condition& condition, Comparison op, const Limit& limit, const FieldExtremes& seen) {
  // Texts have no bounds, and a text is unlike any number.
  if (!stays_within(condition.fn) || op == Comparison::ne || std::holds_alternative<std::string>(limit)) return true;
  const auto found = seen.find(condition.field);
  if (found == seen.end() || found->second.none()) return false;
  const Extremes bounds = widened(found->second);
  if (const auto* range = std::get_if<model::Range>(&limit)) return may_be(op, bounds, *range);
  return may_be(op, bounds, std::get<double>(limit));
}

}  // namespace

bool may_fire(const model::Rule& rule, const Attributes& attributes, const FieldExtremes& seen) {
  if (rule.no_data && rule.no_data->what == model::NoDataDo::alert) return true;
  return std::any_of(rule.levels.begin(), rule.levels.end(), [&](const model::Level& level) {
    const auto is_possible = [&](const Condition& c) {
      return may_be_met(c, c.op.value_or(level.op), limit_for(c.op ? c.value : level.value, attributes), seen);
    };
    return rule.any ? std::any_of(rule.when.begin(), rule.when.end(), is_possible)
                    : std::all_of(rule.when.begin(), rule.when.end(), is_possible);
  });
}

std::vector<std::string> fields_of(const model::Rule& rule) {
  std::vector<std::string> fields;
  for (const Condition& condition : rule.when) {
    const bool named = std::find(fields.begin(), fields.end(), condition.field) != fields.end();
    if (!condition.field.empty() && !named) fields.push_back(condition.field);
  }
  return fields;
}

DeviceBacktest::DeviceBacktest(const model::Rule& rule, const model::Topic& device, Attributes attributes)
    : engine_({.rules = {rule}, .attributes = {{device, std::move(attributes)}}}) {}

void DeviceBacktest::take(const model::Event& event) {
  engine_.advance(event.id.ms, out_);
  engine_.step(event, event.id.ms, out_);
}

model::Conclusions DeviceBacktest::end(int64_t until_ms) && {
  engine_.advance(until_ms, out_);
  return std::move(out_);
}

bool PastAlerts::earlier(const Kept& a, const Kept& b) {
  return a.at_ms != b.at_ms ? a.at_ms < b.at_ms : a.number < b.number;
}

void PastAlerts::add(model::Conclusions of_device) {
  int64_t at_ms = std::numeric_limits<int64_t>::min();
  add(std::move(of_device), at_ms);
}

void PastAlerts::add(model::Conclusions part, int64_t& at_ms) {
  for (model::Event& event : part) {
    at_ms = std::max(at_ms, event.ts_ms);
    devices_.insert(event.topic);
    const Result<model::Alert> alert = codec::decode_alert_data(event.data);
    if (alert && alert->state == model::AlertState::firing) ++fired_;
    kept_.push_back({at_ms, count_++, std::move(event)});
  }
  if (kept_.size() < 2 * kept_max_) return;
  std::nth_element(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(kept_max_), kept_.end(), earlier);
  kept_.resize(kept_max_);
}

std::vector<model::Event> PastAlerts::first() && {
  std::sort(kept_.begin(), kept_.end(), earlier);
  if (kept_.size() > kept_max_) kept_.resize(kept_max_);
  std::vector<model::Event> events;
  events.reserve(kept_.size());
  for (Kept& kept : kept_) events.push_back(std::move(kept.event));
  return events;
}

}  // namespace millstream::rules
