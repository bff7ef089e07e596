// rules/testing.h: rules for tests and benches.
#pragma once

#include <string>
#include <utility>

#include "model/rule.h"

namespace millstream::rules {

// `field op value`, as it comes.
inline model::Rule threshold_rule(std::string id, const std::string& scope, std::string field, model::Comparison op,
                                  double value, int64_t for_ms = 0) {
  model::Rule rule;
  rule.id = rule.name = std::move(id);
  rule.scope = *model::TopicPattern::parse(scope);
  model::Condition condition;
  condition.field = std::move(field);
  rule.when.push_back(std::move(condition));
  model::Level level;
  level.op = op;
  level.value = value;
  rule.levels.push_back(std::move(level));
  rule.for_ms = for_ms;
  return rule;
}

}  // namespace millstream::rules
