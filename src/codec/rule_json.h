// codec/rule_json.h: alert rules as JSON, both ways.
//
// Shapes   The wire contract's rule object. Durations are texts ("30s"); what is left out takes its default; no member
//          is unknown and none is named twice. encode_rule() writes every member that is not its default, in one order:
//          equal rules have equal texts.
// Limits   kRuleInputBytesMax of text; kRuleBytesMax as encode_rule() writes it, so that what was accepted once can be
//          read again, with all its defaults.
// Errors   Code::invalid naming the place and what is allowed: "levels[1].op: not one of > >= < <= == != in outside".
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/rule.h"

namespace millstream::codec {

inline constexpr size_t kRuleBytesMax = 16 << 10;  // beside its version
inline constexpr size_t kRuleInputBytesMax = 2 * kRuleBytesMax;

// `account`: whose rule it is; the scope may lie in no other.
Result<model::Rule> parse_rule(std::string_view json, const model::AccountId& account);
std::string encode_rule(const model::Rule& rule);

// A rule as someone sends it who may have been given it before.
struct RuleRequest {
  model::Rule rule;                 // its id may be left out, and is empty then
  std::optional<uint64_t> version;  // of the rule that was looked at
};
// The same, but for what answers add to a rule (kRuleAnswerMembers): that may stand there and counts for nothing.
Result<RuleRequest> parse_rule_request(std::string_view json, const model::AccountId& account);
inline constexpr std::string_view kRuleAnswerMembers[] = {"source",    "createdAt", "createdBy",
                                                          "updatedAt", "updatedBy", "status"};

}  // namespace millstream::codec
