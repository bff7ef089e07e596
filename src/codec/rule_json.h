// codec/rule_json.h: alert rules as JSON, both ways.
//
// Shapes   The wire contract's rule object. Durations are texts ("30s"); what is left out takes its default; no member
//          is unknown and none is named twice. encode_rule() writes every member that is not its default, in one order:
//          equal rules have equal texts.
// Errors   Code::invalid naming the place and what is allowed: "levels[1].op: not one of > >= < <= == != in outside".
// Thread   value
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/rule.h"

namespace millstream::codec {

inline constexpr size_t kRuleBytesMax = 16 << 10;

// `account`: whose rule it is; the scope may lie in no other.
Result<model::Rule> parse_rule(std::string_view json, const model::AccountId& account);
std::string encode_rule(const model::Rule& rule);

}  // namespace millstream::codec
