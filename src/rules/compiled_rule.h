// rules/compiled_rule.h: a rule with what is worked out of it once.
//
// Errors   compile(): Code::invalid for what only the engine can tell, such as an unknown time zone.
// Thread   const after construction
#pragma once

#include <memory>
#include <optional>

#include "base/result.h"
#include "model/rule.h"
#include "rules/rule_tally.h"
#include "rules/schedule.h"

namespace millstream::rules {

struct CompiledRule {
  model::Rule rule;
  std::optional<Schedule> schedule;
  bool plain = false;     // one field, compared as it comes with numbers: an instance is all the state there is
  bool silence = false;   // the levels are reached by silence
  int64_t window_ms = 0;  // the longest of its windows, and how late what is in it may come; 0: it has none
  bool adds_up = false;   // a condition grows with each value of its window
  // Of the rule in force; not part of what it says.
  RuleTallyPtr tally = std::make_shared<RuleTally>();

  bool active(int64_t now_ms) const { return !schedule || schedule->active(now_ms); }
};

Result<std::unique_ptr<const CompiledRule>> compile(model::Rule rule);

// All that decides when a rule fires: without name, message, labels, notifications, scope.
bool same_condition(const model::Rule& a, const model::Rule& b);
// Whether it looks at a device on that topic with these tags.
bool covers(const model::Rule& rule, const model::Topic& device, const model::Tags& tags);

}  // namespace millstream::rules
