#include "codec/rule_command.h"

#include "base/overloaded.h"
#include "codec/event_json.h"
#include "codec/json_input.h"
#include "codec/object_text.h"
#include "codec/rule_json.h"
#include "model/system_kind.h"

namespace millstream::codec {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

Error unreadable(std::string_view what) {
  return {Code::invalid, "data." + std::string(what) + ": not as it should be"};
}

std::string_view text_of(object data, std::string_view key) {
  std::string_view text;
  if (data[key].get(text)) return {};
  return text;
}

Result<std::optional<RuleCommand>> read_rule(object data, const model::AccountId& account) {
  element rule;
  if (data["rule"].get(rule)) return unreadable("rule");
  std::string json, by(text_of(data, "by"));
  append_json_element(rule, json);
  Result<model::Rule> parsed = parse_rule(json, account);  // the tree is gone from here on
  if (!parsed) return parsed.error();
  return std::optional<RuleCommand>(SaveRule{std::move(*parsed), std::move(by)});
}

Result<std::optional<RuleCommand>> read_alert_command(object data) {
  AlertCommand command{.alert_id = std::string(text_of(data, "alertId")),
                       .action = AlertAction::ack,
                       .by = std::string(text_of(data, "by")),
                       .note = std::string(text_of(data, "note"))};
  for (const AlertAction action : {AlertAction::ack, AlertAction::unack, AlertAction::close}) {
    if (text_of(data, "action") != alert_action_name(action)) continue;
    command.action = action;
    return std::optional<RuleCommand>(std::move(command));
  }
  return unreadable("action");
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
  const Result<element> root = parse_json(event.data);
  object data;
  if (!root || root->get(data)) return unreadable("kind");
  const std::string_view kind = text_of(data, "kind");
  if (kind == model::kRuleSavedKind) return read_rule(data, event.topic.account);
  if (kind == model::kRuleDeletedKind) {
    return std::optional<RuleCommand>(
        DeleteRule{std::string(text_of(data, "ruleId")), std::string(text_of(data, "by"))});
  }
  if (kind == model::kAlertCommandKind) return read_alert_command(data);
  return std::optional<RuleCommand>();
}

}  // namespace millstream::codec
