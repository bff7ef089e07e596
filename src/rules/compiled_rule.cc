#include "rules/compiled_rule.h"

#include <algorithm>
#include <utility>

namespace millstream::rules {
namespace {

bool is_text(const model::Limit& limit) { return std::holds_alternative<std::string>(limit); }

bool is_plain(const model::Rule& rule) {
  return rule.when.size() == 1 && rule.when[0].fn == model::Function::last &&
         std::none_of(rule.levels.begin(), rule.levels.end(), [](const model::Level& l) { return is_text(l.value); });
}

}  // namespace

Result<std::unique_ptr<const CompiledRule>> compile(model::Rule rule) {
  auto compiled = std::make_unique<CompiledRule>();
  if (rule.schedule) {
    Result<Schedule> schedule = Schedule::make(*rule.schedule);
    if (!schedule) return schedule.error();
    compiled->schedule = std::move(*schedule);
  }
  compiled->plain = is_plain(rule);
  compiled->silence = model::is_silence(rule.when.front().fn);
  for (const model::Condition& c : rule.when) {
    if (!model::has_window(c.fn)) continue;
    compiled->window_ms = std::max(compiled->window_ms, c.window_ms + rule.max_lateness_ms);
    compiled->adds_up |= c.fn == model::Function::count || c.fn == model::Function::sum;
  }
  compiled->rule = std::move(rule);
  return std::unique_ptr<const CompiledRule>(std::move(compiled));
}

bool same_condition(const model::Rule& a, const model::Rule& b) {
  return a.enabled == b.enabled && a.any == b.any && a.when == b.when && a.levels == b.levels && a.for_ms == b.for_ms &&
         a.min_samples == b.min_samples && a.keep_firing_ms == b.keep_firing_ms && a.no_data == b.no_data &&
         a.max_lateness_ms == b.max_lateness_ms && a.flap == b.flap && a.schedule == b.schedule;
}

bool covers(const model::Rule& rule, const model::Topic& device, const model::Tags& tags) {
  return rule.scope.matches(device) && std::all_of(rule.tags.begin(), rule.tags.end(), [&](const model::Tag& tag) {
           return std::find(tags.begin(), tags.end(), tag) != tags.end();
         });
}

}  // namespace millstream::rules
