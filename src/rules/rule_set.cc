#include "rules/rule_set.h"

#include <algorithm>
#include <utility>

namespace millstream::rules {

bool same_condition(const model::ThresholdRule& a, const model::ThresholdRule& b) {
  return a.enabled == b.enabled && a.field == b.field && a.op == b.op && a.value == b.value && a.clear == b.clear &&
         a.for_ms == b.for_ms && a.max_lateness_ms == b.max_lateness_ms;
}

bool same_rule(const model::ThresholdRule& a, const model::ThresholdRule& b) {
  return same_condition(a, b) && a.id == b.id && a.name == b.name && a.scope == b.scope && a.severity == b.severity &&
         a.message == b.message;
}

RuleSet::RuleSet(std::vector<model::ThresholdRule> rules) : rules_(std::move(rules)) {
  for (uint32_t place = 0; place < rules_.size(); ++place) {
    const model::ThresholdRule& rule = rules_[place];
    places_.emplace(rule.id, place);
    if (!rule.enabled) continue;
    const auto [field, added] = field_numbers_.emplace(rule.field, static_cast<uint32_t>(by_field_.size()));
    if (added) by_field_.emplace_back();
    by_field_[field->second][rule.scope.account].push_back(place);
  }
}

bool RuleSet::same_as(const std::vector<model::ThresholdRule>& rules) const {
  return std::equal(rules_.begin(), rules_.end(), rules.begin(), rules.end(), same_rule);
}

std::optional<uint32_t> RuleSet::place_of(const std::string& rule_id) const {
  const auto found = places_.find(rule_id);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

std::optional<uint32_t> RuleSet::field_number(const std::string& field) const {
  const auto found = field_numbers_.find(field);
  if (found == field_numbers_.end()) return std::nullopt;
  return found->second;
}

std::vector<uint32_t> RuleSet::watching(uint32_t field_number, const model::Topic& device) const {
  std::vector<uint32_t> places;
  const auto of_account = by_field_[field_number].find(device.account);
  if (of_account == by_field_[field_number].end()) return places;
  for (const uint32_t place : of_account->second) {
    if (rules_[place].scope.matches(device)) places.push_back(place);
  }
  return places;
}

}  // namespace millstream::rules
