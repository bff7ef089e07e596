// api/rule_change.h: changes of rules: into the registry, and by the log to the engine and to whoever watches.
//
// Flow     registry, then log; when the log refuses, the registry is taken back. A crash between the two is healed at
//          the start, when the registry's rules are put in force.
// Errors   as the registry and the log have them. Code::conflict: another process has changed the rule meanwhile.
// Thread   the one of Context::changes: blocks until the change is durable
#pragma once

#include <string>

#include "api/context.h"
#include "model/rule_record.h"

namespace millstream::api {

Status add_rule(Context& context, const model::RuleRecord& record);
// In place of `before`.
Status replace_rule(Context& context, const model::RuleRecord& before, const model::RuleRecord& record);
Status remove_rule(Context& context, const model::RuleRecord& record, const std::string& by);

// What files say now, in place of what they said before. Gives back how many rules in force have changed.
Result<size_t> replace_given_rules(Context& context, const model::RuleRecords& given);

}  // namespace millstream::api
