#include "api/rule_change.h"

#include <future>
#include <map>
#include <utility>

#include "base/log_line.h"
#include "codec/rule_command.h"

namespace millstream::api {
namespace {

using model::RuleRecord;

constexpr const char* kByFile = "rules_file";

// Where those see it who may see something of what the rule looks at.
model::Event rule_event(const codec::RuleCommand& command, const model::TopicPattern& scope, int64_t now_ms) {
  model::Event event;
  event.ts_ms = now_ms;
  event.topic.account = scope.account;
  event.topic.site = scope.site.name;
  if (!scope.site.any()) event.topic.device = scope.device.name;
  event.type = model::EventType::system;
  event.data = codec::encode_rule_command(command);
  return event;
}

Status append_durably(log::EventLog& log, std::vector<model::Event> events) {
  const auto answer = std::make_shared<std::promise<Status>>();
  std::future<Status> answered = answer->get_future();
  const Status queued = log.append(std::move(events), [answer](const Result<log::AppendReceipt>& receipt) {
    answer->set_value(receipt ? Status() : Status(receipt.error()));
  });
  return queued ? answered.get() : queued;
}

Status tell(Context& context, const codec::RuleCommand& command, const model::TopicPattern& scope) {
  return append_durably(context.log, {rule_event(command, scope, context.clock.wall_ms())});
}

void check_undone(const Status& undone, const model::Rule& rule) {
  if (undone) return;
  log_error("a change of a rule that was not made could not be taken back; it counts from the next start on",
            {{"account", rule.scope.account.text()}, {"rule", rule.id}, {"reason", undone.error().detail}});
}

void log_change(const char* what, const model::Rule& rule, const std::string& by) {
  log_info(what, {{"account", rule.scope.account.text()}, {"rule", rule.id}, {"version", rule.version}, {"by", by}});
}

}  // namespace

Status add_rule(Context& context, const RuleRecord& record) {
  registry::Rules& rules = context.registry.rules();
  const model::Rule& rule = record.rule;
  if (Status added = rules.add(record); !added) return added;
  const Status told = tell(context, codec::SaveRule{rule, record.updated_by}, rule.scope);
  if (told) {
    log_change("a rule was saved", rule, record.updated_by);
  } else {
    check_undone(rules.remove(rule.scope.account, rule.id, rule.version), rule);
  }
  return told;
}

Status replace_rule(Context& context, const RuleRecord& before, const RuleRecord& record) {
  registry::Rules& rules = context.registry.rules();
  const model::Rule& rule = record.rule;
  if (Status replaced = rules.replace(record, before.rule.version); !replaced) return replaced;
  const Status told = tell(context, codec::SaveRule{rule, record.updated_by}, rule.scope);
  if (told) {
    log_change("a rule was saved", rule, record.updated_by);
  } else {
    check_undone(rules.replace(before, rule.version), rule);
  }
  return told;
}

Status remove_rule(Context& context, const RuleRecord& record, const std::string& by) {
  registry::Rules& rules = context.registry.rules();
  const model::Rule& rule = record.rule;
  if (Status removed = rules.remove(rule.scope.account, rule.id, rule.version); !removed) return removed;
  const Status told = tell(context, codec::DeleteRule{rule.id, by}, rule.scope);
  if (told) {
    log_change("a rule was deleted", rule, by);
  } else {
    check_undone(rules.add(record), rule);
  }
  return told;
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
