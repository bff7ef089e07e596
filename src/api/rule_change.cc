#include "api/rule_change.h"

#include <functional>
#include <map>
#include <utility>

#include "api/recorded_change.h"
#include "base/log_line.h"
#include "codec/rule_command.h"

namespace millstream::api {
namespace {

using model::RuleRecord;

constexpr const char* kByFile = "rules_file";

model::Event rule_event(const codec::RuleCommand& command, const model::TopicPattern& scope, int64_t now_ms) {
  return new_event(model::EventType::system, heard_at(scope), codec::encode_rule_command(command), now_ms);
}

// Of the rule, in one way or another.
Status change(Context& context, const model::Rule& rule, const codec::RuleCommand& command,
              std::function<Status()> apply, std::function<Status()> undo) {
  return record_change(context.log, {.what = "rule " + rule.id + " of account " + rule.scope.account.text(),
                                     .apply = std::move(apply),
                                     .undo = std::move(undo),
                                     .event = rule_event(command, rule.scope, context.clock.wall_ms())});
}

void log_change(const char* what, const model::Rule& rule, const std::string& by) {
  log_info(what, {{"account", rule.scope.account.text()}, {"rule", rule.id}, {"version", rule.version}, {"by", by}});
}

}  // namespace

Status add_rule(Context& context, const RuleRecord& record) {
  registry::Rules& rules = context.registry.rules();
  const model::Rule& rule = record.rule;
  const Status added = change(
      context, rule, codec::SaveRule{rule, record.updated_by}, [&] { return rules.add(record); },
      [&] { return rules.remove(rule.scope.account, rule.id, rule.version); });
  if (added) log_change("a rule was saved", rule, record.updated_by);
  return added;
}

Status replace_rule(Context& context, const RuleRecord& before, const RuleRecord& record) {
  registry::Rules& rules = context.registry.rules();
  const model::Rule& rule = record.rule;
  const Status replaced = change(
      context, rule, codec::SaveRule{rule, record.updated_by},
      [&] { return rules.replace(record, before.rule.version); }, [&] { return rules.replace(before, rule.version); });
  if (replaced) log_change("a rule was saved", rule, record.updated_by);
  return replaced;
}

Status remove_rule(Context& context, const RuleRecord& record, const std::string& by) {
  registry::Rules& rules = context.registry.rules();
  const model::Rule& rule = record.rule;
  const Status removed = change(
      context, rule, codec::DeleteRule{rule.id, by},
      [&] { return rules.remove(rule.scope.account, rule.id, rule.version); }, [&] { return rules.add(record); });
  if (removed) log_change("a rule was deleted", rule, by);
  return removed;
}

Result<size_t> replace_given_rules(Context& context, const model::RuleRecords& given) {
  registry::Rules& rules = context.registry.rules();
  using ById = std::map<std::pair<model::AccountId, std::string>, model::Rule>;
  const auto in_force = [&] {
    ById all;
    for (model::Rule& rule : rules.in_force()) {
      const auto key = std::make_pair(rule.scope.account, rule.id);
      all.emplace(key, std::move(rule));
    }
    return all;
  };
  const model::RuleRecords given_before = rules.given();
  const ById before = in_force();
  rules.give(given);
  const ById now = in_force();
  std::vector<model::Event> events;
  const int64_t now_ms = context.clock.wall_ms();
  for (const auto& [key, rule] : now) {
    const auto known = before.find(key);
    if (known != before.end() && known->second == rule) continue;
    events.push_back(rule_event(codec::SaveRule{rule, kByFile}, rule.scope, now_ms));
  }
  for (const auto& [key, rule] : before) {
    if (!now.contains(key)) events.push_back(rule_event(codec::DeleteRule{rule.id, kByFile}, rule.scope, now_ms));
  }
  const size_t changed = events.size();
  if (changed == 0) return changed;
  if (const Status told = append_durably(context.log, std::move(events)); !told) {
    rules.give(given_before);
    return told.error();
  }
  return changed;
}

}  // namespace millstream::api
