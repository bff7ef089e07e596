// codec/rule_command.h: what people tell the rule engine, as system events in the log.
//
// Flow     api/ appends a command; the engine steps over it like over everything else, so that a restart finds the same
//          again, and whoever follows the topic sees who did what.
// Shapes   data.kind is one of kRuleCommandKinds (model/system_kind.h: nobody else may say them). `by` is the subject.
// Errors   decode: Code::invalid naming the place; none: it is a system event of another kind.
// Thread   value
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "model/event.h"
#include "model/rule.h"

namespace millstream::codec {

// On the topic of what the rule's scope lies in: the account, a site of it, or one device.
struct SaveRule {
  model::Rule rule;
  std::string by;
};
struct DeleteRule {
  std::string rule_id;
  std::string by;
};
enum class AlertAction : uint8_t { ack, unack, close };
constexpr std::string_view alert_action_name(AlertAction action) {
  constexpr std::string_view names[] = {"ack", "unack", "close"};
  return names[static_cast<size_t>(action)];
}
// On the device's topic.
struct AlertCommand {
  std::string alert_id;
  AlertAction action = AlertAction::ack;
  std::string by;
  std::string note;
};
using RuleCommand = std::variant<SaveRule, DeleteRule, AlertCommand>;

std::string encode_rule_command(const RuleCommand& command);
// What the engine tells an account whose rules are over a limit: data of a system event, model::kRulesLimitedKind.
std::string encode_rules_limited(std::string_view limit, int64_t max);
// Of a system event.
Result<std::optional<RuleCommand>> decode_rule_command(const model::Event& event);

}  // namespace millstream::codec
