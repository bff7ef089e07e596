#include "codec/rule_command.h"

#include "base/overloaded.h"
#include "codec/event_json.h"
#include "codec/json_input.h"
#include "codec/rule_json.h"
#include "model/system_kind.h"

namespace millstream::codec {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

void append_text(std::string_view key, std::string_view value, std::string& out) {
  out.append(",\"").append(key).append("\":");
  append_json_string(value, out);
}

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

Result<std::optional<RuleCommand>> read_attributes(object data) {
  SetAttributes set{.attributes = {}, .by = std::string(text_of(data, "by"))};
  object values;
  if (data["attributes"].get(values)) return unreadable("attributes");
  for (const auto [key, value] : values) {
    double number = 0;
    if (value.get(number)) return unreadable("attributes");
    set.attributes.emplace_back(key, number);
  }
  return std::optional<RuleCommand>(std::move(set));
}

}  // namespace

std::string encode_rule_command(const RuleCommand& command) {
  std::string out = "{\"kind\":";
  std::visit(Overloaded{[&](const SaveRule& c) {
                          append_json_string(model::kRuleSavedKind, out);
                          out += ",\"rule\":" + encode_rule(c.rule);
                          append_text("by", c.by, out);
                        },
                        [&](const DeleteRule& c) {
                          append_json_string(model::kRuleDeletedKind, out);
                          append_text("ruleId", c.rule_id, out);
                          append_text("by", c.by, out);
                        },
                        [&](const AlertCommand& c) {
                          append_json_string(model::kAlertCommandKind, out);
                          append_text("alertId", c.alert_id, out);
                          append_text("action", alert_action_name(c.action), out);
                          append_text("by", c.by, out);
                          append_text("note", c.note, out);
                        },
                        [&](const SetAttributes& c) {
                          append_json_string(model::kDeviceAttributesKind, out);
                          out += ",\"attributes\":{";
                          bool first = true;
                          for (const auto& [name, value] : c.attributes) {
                            if (!first) out += ',';
                            first = false;
                            append_json_string(name, out);
                            out += ':';
                            append_json_number(value, out);
                          }
                          out += '}';
                          append_text("by", c.by, out);
                        }},
             command);
  return out + "}";
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
  if (kind == model::kDeviceAttributesKind) return read_attributes(data);
  return std::optional<RuleCommand>();
}

}  // namespace millstream::codec
