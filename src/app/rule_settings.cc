#include "app/rule_settings.h"

#include <optional>

#include "app/entry_readers.h"
#include "app/entry_rows.h"
#include "base/limits.h"

namespace millstream::app {
namespace {

using model::Rule;

constexpr size_t kTextBytesMax = 1024;

// A rule of one field and one level, which is what a table says plainly.
struct Draft {
  Rule rule;
  std::string field;
  model::Level level;
  std::optional<double> value;
  std::optional<double> clear;
};

Status read_scope(const Setting& s, model::TopicPattern& target) {
  const Result<std::string> text = read_text(s);
  if (!text) return text.error();
  Result<model::TopicPattern> pattern = model::TopicPattern::parse(*text);
  if (!pattern) return s.wrong("not a topic pattern: " + pattern.error().detail);
  target = std::move(*pattern);
  return {};
}

// Names of channels, each with the policy that goes without saying.
Status read_notify(const Setting& s, std::vector<model::NotifyPolicy>& target) {
  const Result<std::vector<std::string>> names = read_list(s);
  if (!names) return names.error();
  if (names->size() > model::kRuleNotifyMax) {
    return s.wrong("must name at most " + std::to_string(model::kRuleNotifyMax) + " channels");
  }
  for (const std::string& name : *names) {
    if (!model::is_name(name)) return s.wrong("\"" + name + "\": must be 1 to 64 of A-Z a-z 0-9 . _ -");
    target.emplace_back().channel = name;
  }
  return {};
}

const std::vector<EntryRow<Draft>>& rows() {
  static const std::vector<EntryRow<Draft>> table = {
      {"rules.id", [](const Setting& s, Draft& d) { return read_name(s, d.rule.id); }, true},
      {"rules.name", [](const Setting& s, Draft& d) { return read_given_text(s, kTextBytesMax, d.rule.name); }},
      {"rules.enabled", [](const Setting& s, Draft& d) { return assign(read_flag(s), d.rule.enabled); }},
      {"rules.topic", [](const Setting& s, Draft& d) { return read_scope(s, d.rule.scope); }, true},
      {"rules.field", [](const Setting& s, Draft& d) { return read_given_text(s, kFieldNameBytesMax, d.field); }, true},
      {"rules.op", [](const Setting& s, Draft& d) { return read_word(s, 4, model::comparison_text, d.level.op); },
       true},
      {"rules.value", [](const Setting& s, Draft& d) { return assign(read_number(s), d.value); }, true},
      {"rules.clear", [](const Setting& s, Draft& d) { return assign(read_number(s), d.clear); }},
      {"rules.for", [](const Setting& s, Draft& d) { return assign(read_duration_ms(s, 0, kDayMs), d.rule.for_ms); }},
      {"rules.severity",
       [](const Setting& s, Draft& d) { return read_word(s, 3, model::severity_name, d.level.severity); }},
      {"rules.message", [](const Setting& s, Draft& d) { return read_given_text(s, kTextBytesMax, d.rule.message); }},
      {"rules.notify", [](const Setting& s, Draft& d) { return read_notify(s, d.rule.notify); }},
      {"rules.max_lateness",
       [](const Setting& s, Draft& d) { return assign(read_duration_ms(s, 0, kHourMs), d.rule.max_lateness_ms); }},
  };
  return table;
}

// A clear value beyond the threshold would resolve an alert while it still holds.
Status check_clear(const TomlFile::Entry& entry, const Draft& draft) {
  if (!draft.clear) return {};
  const bool upper = draft.level.op == model::Comparison::gt || draft.level.op == model::Comparison::ge;
  if (upper ? *draft.clear <= *draft.value : *draft.clear >= *draft.value) return {};
  return Error{Code::invalid,
               entry.place + ": rules.clear must not be " + (upper ? "above" : "below") + " rules.value"};
}

}  // namespace

Result<Rule> read_rule(const TomlFile::Entry& entry) {
  Draft draft;
  if (Status s = read_entry(entry, rows(), draft); !s) return s.error();
  if (Status s = check_clear(entry, draft); !s) return s.error();
  draft.level.value = *draft.value;
  if (draft.clear) draft.level.clear = *draft.clear;
  model::Condition condition;
  condition.field = std::move(draft.field);
  draft.rule.when.push_back(std::move(condition));
  draft.rule.levels.push_back(std::move(draft.level));
  if (draft.rule.name.empty()) draft.rule.name = draft.rule.id;
  return std::move(draft.rule);
}

}  // namespace millstream::app
