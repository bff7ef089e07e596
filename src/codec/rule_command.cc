#include "codec/rule_command.h"

#include "base/overloaded.h"
#include "codec/command_data.h"
#include "codec/event_json.h"
#include "codec/object_text.h"
#include "codec/rule_json.h"
#include "model/system_kind.h"

namespace millstream::codec {
namespace {

Result<std::optional<RuleCommand>> read_rule(const CommandData& data, const model::AccountId& account) {
  std::string by = data.text("by");
  const Result<std::string> json = data.json("rule");
  if (!json) return json.error();
  Result<model::Rule> parsed = parse_rule(*json, account);  // the tree is gone from here on
  if (!parsed) return parsed.error();
  return std::optional<RuleCommand>(SaveRule{std::move(*parsed), std::move(by)});
}

Result<std::optional<RuleCommand>> read_alert_command(const CommandData& data) {
  AlertCommand command{
      .alert_id = data.text("alertId"), .action = AlertAction::ack, .by = data.text("by"), .note = data.text("note")};
  const std::string text = data.text("action");
  for (const AlertAction action : {AlertAction::ack, AlertAction::unack, AlertAction::close}) {
    if (text != alert_action_name(action)) continue;
    command.action = action;
    return std::optional<RuleCommand>(std::move(command));
  }
  return CommandData::unreadable("action");
}

}  // namespace

std::string encode_rule_command(const RuleCommand& command) {
  std::string out;
  {
    ObjectText object(out);
    std::visit(Overloaded{[&](const SaveRule& c) {
                            object.text("kind", model::kRuleSavedKind);
                            object.key("rule") += encode_rule(c.rule);
                            object.text("by", c.by);
                          },
                          [&](const DeleteRule& c) {
                            object.text("kind", model::kRuleDeletedKind);
                            object.text("ruleId", c.rule_id);
                            object.text("by", c.by);
                          },
                          [&](const AlertCommand& c) {
                            object.text("kind", model::kAlertCommandKind);
                            object.text("alertId", c.alert_id);
                            object.text("action", alert_action_name(c.action));
                            object.text("by", c.by);
                            object.text("note", c.note);
                          }},
               command);
  }
  return out;
}

std::string encode_rules_limited(std::string_view limit, int64_t max) {
  std::string out;
  {
    ObjectText object(out);
    object.text("kind", model::kRulesLimitedKind);
    object.text("limit", limit);
    object.number("max", static_cast<double>(max));
  }
  return out;
}

Result<std::optional<RuleCommand>> decode_rule_command(const model::Event& event) {
  const Result<CommandData> data = CommandData::of(event);
  if (!data) return data.error();
  const std::string kind = data->text("kind");
  if (kind == model::kRuleSavedKind) return read_rule(*data, event.topic.account);
  if (kind == model::kRuleDeletedKind) {
    return std::optional<RuleCommand>(DeleteRule{data->text("ruleId"), data->text("by")});
  }
  if (kind == model::kAlertCommandKind) return read_alert_command(*data);
  return std::optional<RuleCommand>();
}

}  // namespace millstream::codec
