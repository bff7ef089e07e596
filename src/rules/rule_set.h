// rules/rule_set.h: the rules in force, indexed so that a point meets only those that read one of its fields.
//
// Thread   const after construction
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/alert.h"

namespace millstream::rules {

// All that decides when a rule fires: without name, severity, message and scope.
bool same_condition(const model::ThresholdRule& a, const model::ThresholdRule& b);
bool same_rule(const model::ThresholdRule& a, const model::ThresholdRule& b);

class RuleSet {
 public:
  explicit RuleSet(std::vector<model::ThresholdRule> rules);

  const std::vector<model::ThresholdRule>& rules() const { return rules_; }
  const model::ThresholdRule& operator[](uint32_t place) const { return rules_[place]; }
  bool same_as(const std::vector<model::ThresholdRule>& rules) const;
  std::optional<uint32_t> place_of(const std::string& rule_id) const;

  // A small number for a field that some enabled rule reads; none for all other fields.
  std::optional<uint32_t> field_number(const std::string& field) const;
  // Places of the enabled rules that read this field and take this device, ascending.
  std::vector<uint32_t> watching(uint32_t field_number, const model::Topic& device) const;

 private:
  using ByAccount = std::unordered_map<model::AccountId, std::vector<uint32_t>>;

  std::vector<model::ThresholdRule> rules_;
  std::unordered_map<std::string, uint32_t> places_;         // by rule id
  std::unordered_map<std::string, uint32_t> field_numbers_;  // by field
  std::vector<ByAccount> by_field_;                          // by field number
};

}  // namespace millstream::rules
