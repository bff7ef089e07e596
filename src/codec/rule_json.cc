#include "codec/rule_json.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/limits.h"
#include "base/time_text.h"
#include "codec/event_json.h"
#include "codec/json_input.h"
#include "codec/object_members.h"
#include "codec/object_text.h"

namespace millstream::codec {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;
using namespace model;

constexpr int64_t kDurationMsMax = kDayMs;
constexpr int64_t kRepeatMsMax = 7 * kDayMs;
constexpr int64_t kHalfLifeMsMax = 7 * kDayMs;

constexpr double kAnyNumber = std::numeric_limits<double>::max();

// `range`: low and high are what is compared with; else one value.
void read_limit(ObjectMembers& in, std::string_view name, bool range, bool text, Limit& target) {
  const auto found = in.find(name);
  if (!found) return;
  double number = 0;
  if (range) {
    array pair;
    double low = 0, high = 0;
    if (found->get(pair) || pair.size() != 2 || pair.at(0).get(low) || pair.at(1).get(high) || low > high) {
      return in.fail(name, "two numbers, the lower first, for \"in\" and \"outside\"");
    }
    target = Range{low, high};
    return;
  }
  bool flag = false;
  std::string_view words;
  if (!found->get(number)) {
    target = number;
  } else if (!found->get(flag)) {
    target = flag ? 1.0 : 0.0;
  } else if (text && !found->get(words) && words.size() <= kFieldNameBytesMax) {
    target = std::string(words);
  } else if (found->is_object()) {
    AttributeLimit limit;
    ObjectMembers attribute(*found, in.place(name), in.error());
    attribute.needs("attr");
    attribute.text("attr", kFieldNameBytesMax, limit.name);
    attribute.needs("default");
    attribute.number("default", -kAnyNumber, kAnyNumber, limit.otherwise);
    target = std::move(limit);
  } else {
    in.fail(name, text ? R"(a number, true, false, a string, or {"attr":…,"default":…})"
                       : R"(a number, true, false, or {"attr":…,"default":…}; strings only with fn last, == and !=)");
  }
}

bool takes_range(Comparison op) { return op == Comparison::in || op == Comparison::outside; }
bool takes_text(Comparison op) { return op == Comparison::eq || op == Comparison::ne; }

Condition read_condition(element from, const std::string& path, std::optional<Error>& error) {
  Condition condition;
  ObjectMembers in(from, path, error);
  in.one_of("fn", kFunctions, &function_name, condition.fn);
  in.text("field", kFieldNameBytesMax, condition.field);
  if (condition.fn != Function::offline && condition.field.empty()) in.fail("field", "missing");
  if (condition.fn == Function::offline && !condition.field.empty()) in.fail("field", "offline looks at no field");
  in.duration("window", 1000, kDurationMsMax, condition.window_ms);
  if (has_window(condition.fn) && condition.window_ms == 0) {
    in.fail("window", "missing: " + std::string(function_name(condition.fn)) + " is of a window");
  }
  if (!has_window(condition.fn) && condition.window_ms != 0) {
    in.fail("window", std::string(function_name(condition.fn)) + " has none");
  }
  if (has_baseline(condition.fn)) {
    in.duration("halfLife", 1000, kHalfLifeMsMax, condition.baseline.half_life_ms);
    in.one_of("direction", 3, &direction_name, condition.baseline.direction);
    in.number("minDeviation", 0, kAnyNumber, condition.baseline.min_deviation);
    in.whole("warmup", 2, 1'000'000, condition.baseline.warmup);
  }
  if (in.find("op")) {
    Comparison op = Comparison::gt;
    in.one_of("op", kComparisons, &comparison_text, op);
    if (is_silence(condition.fn)) in.fail("op", std::string(function_name(condition.fn)) + " is compared with nothing");
    condition.op = op;
    if (in.needs("value")) {
      read_limit(in, "value", takes_range(op), takes_text(op) && condition.fn == Function::last, condition.value);
    }
  } else if (in.find("value")) {
    in.fail("value", "needs an op beside it");
  }
  return condition;
}

// Whether a level says what to compare with, or only for how long.
bool compares_levels(const Rule& rule) {
  return std::any_of(rule.when.begin(), rule.when.end(), [](const Condition& c) { return !c.op && !is_silence(c.fn); });
}

// Whether a level may compare with text: all that it is compared with are values as they come.
bool may_be_text(const Rule& rule) {
  return std::all_of(rule.when.begin(), rule.when.end(),
                     [](const Condition& c) { return c.op.has_value() || c.fn == Function::last; });
}

// A clear value beyond the limit would end an alert that still holds.
bool clears_within(Comparison op, const Limit& value, const Limit& clear) {
  if (const auto* limit = std::get_if<Range>(&value)) {
    const auto* inner = std::get_if<Range>(&clear);
    if (inner == nullptr) return false;
    if (op == Comparison::outside) return inner->low >= limit->low && inner->high <= limit->high;
    return inner->low <= limit->low && inner->high >= limit->high;
  }
  const auto* limit = std::get_if<double>(&value);
  const auto* back = std::get_if<double>(&clear);
  if (limit == nullptr || back == nullptr) return true;  // known only device by device
  const bool above = op == Comparison::gt || op == Comparison::ge;
  return above ? *back <= *limit : *back >= *limit;
}

Level read_level(element from, const std::string& path, const Rule& rule, std::optional<Error>& error) {
  Level level;
  ObjectMembers in(from, path, error);
  in.needs("severity");
  in.one_of("severity", 3, &severity_name, level.severity);
  int64_t for_ms = -1;
  in.duration("for", 0, kDurationMsMax, for_ms);
  if (for_ms >= 0) level.for_ms = for_ms;
  if (!compares_levels(rule)) {
    for (const std::string_view name : {"op", "value", "clear"}) {
      if (in.find(name)) in.fail(name, "no condition is compared with it");
    }
    return level;
  }
  in.needs("op");
  in.one_of("op", kComparisons, &comparison_text, level.op);
  const bool range = takes_range(level.op);
  if (in.needs("value")) read_limit(in, "value", range, takes_text(level.op) && may_be_text(rule), level.value);
  if (in.find("clear")) {
    if (takes_text(level.op)) in.fail("clear", "== and != have none");
    Limit clear;
    read_limit(in, "clear", range, false, clear);
    if (!clears_within(level.op, level.value, clear))
      in.fail("clear", "lies beyond value: the alert would end while it holds");
    level.clear = std::move(clear);
  }
  return level;
}

constexpr std::array<std::string_view, 7> kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

std::optional<int> day_of(std::string_view text) {
  const auto found = std::find(kDays.begin(), kDays.end(), text);
  if (found == kDays.end()) return std::nullopt;
  return static_cast<int>(found - kDays.begin());
}

// "mon-fri", "sat,sun", "fri-mon".
std::optional<uint8_t> parse_days(std::string_view text) {
  uint8_t days = 0;
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const size_t dash = part.find('-');
    const std::optional<int> first = day_of(part.substr(0, dash));
    const std::optional<int> last = dash == std::string_view::npos ? first : day_of(part.substr(dash + 1));
    if (!first || !last) return std::nullopt;
    for (int day = *first;; day = (day + 1) % 7) {
      days = static_cast<uint8_t>(days | (1u << day));
      if (day == *last) break;
    }
    if (comma == std::string_view::npos) return days;
    text.remove_prefix(comma + 1);
  }
}

std::string days_text(uint8_t days) {
  std::string out;
  for (size_t day = 0; day < kDays.size(); ++day) {
    if ((days >> day & 1u) == 0) continue;
    if (!out.empty()) out += ',';
    out += kDays[day];
  }
  return out;
}

std::optional<int> parse_minute_of_day(std::string_view text) {
  const auto digit = [&](size_t at) { return text[at] >= '0' && text[at] <= '9' ? text[at] - '0' : 100; };
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const int hours = digit(0) * 10 + digit(1), minutes = digit(3) * 10 + digit(4);
  if (hours > 24 || minutes > 59 || hours * 60 + minutes > 24 * 60) return std::nullopt;
  return hours * 60 + minutes;
}

std::string minute_text(int minute) {
  const std::string hours = std::to_string(minute / 60), minutes = std::to_string(minute % 60);
  return std::string(2 - hours.size(), '0') + hours + ":" + std::string(2 - minutes.size(), '0') + minutes;
}

void read_minute(ObjectMembers& in, std::string_view name, int& target) {
  std::string text;
  in.text(name, 5, text);
  if (text.empty()) return;
  const std::optional<int> minute = parse_minute_of_day(text);
  if (!minute) return in.fail(name, "a time of day such as \"08:00\", up to \"24:00\"");
  target = *minute;
}

ActiveTime read_active(element from, const std::string& path, std::optional<Error>& error) {
  ActiveTime active;
  ObjectMembers in(from, path, error);
  std::string days;
  in.text("days", 64, days);
  if (!days.empty()) {
    const std::optional<uint8_t> parsed = parse_days(days);
    if (parsed)
      active.days = *parsed;
    else
      in.fail("days", "days such as \"mon-fri\" or \"sat,sun\"");
  }
  read_minute(in, "from", active.from_min);
  read_minute(in, "to", active.to_min);
  if (active.from_min == 24 * 60) in.fail("from", "a time of day before \"24:00\"");
  return active;
}

NotifyPolicy read_notify(element from, const std::string& path, std::optional<Error>& error) {
  NotifyPolicy policy;
  ObjectMembers in(from, path, error);
  in.needs("channel");
  in.text("channel", kNameBytesMax, policy.channel);
  if (!policy.channel.empty() && !is_name(policy.channel)) in.fail("channel", "1 to 64 of A-Z a-z 0-9 . _ -");
  in.one_of("minSeverity", 3, &severity_name, policy.min_severity);
  in.list("groupBy", 0, 8, [&](element item, const std::string& place) {
    std::string_view text;
    if (!item.get(text) && !text.empty() && text.size() <= kFieldNameBytesMax) {
      policy.group_by.emplace_back(text);
    } else if (!error) {
      error = Error{Code::invalid, place + ": site, device, rule, severity or the name of a label"};
    }
  });
  in.duration("groupWait", 0, kHourMs, policy.group_wait_ms);
  in.duration("groupInterval", 1000, kDayMs, policy.group_interval_ms);
  in.duration("repeat", 60'000, kRepeatMsMax, policy.repeat_ms);
  in.flag("resolved", policy.resolved);
  return policy;
}

void read_scope(ObjectMembers& rule_in, Rule& rule, const AccountId& account, std::optional<Error>& error) {
  const auto found = rule_in.find("scope");
  if (!found) {
    rule.scope = TopicPattern::all_of(account);
    return;
  }
  ObjectMembers in(*found, "scope", error);
  rule.scope = TopicPattern::all_of(account);
  std::string topic;
  in.text("topic", kTopicTextBytesMax, topic);
  if (!topic.empty()) {
    Result<TopicPattern> pattern = TopicPattern::parse(topic);
    if (!pattern)
      in.fail("topic", pattern.error().detail);
    else if (pattern->account != account)
      in.fail("topic", "account:" + account.text() + " is yours, and no other");
    else
      rule.scope = std::move(*pattern);
  }
  in.tags("tags", kTagsPerPointMax, rule.tags);
}

void read_when(ObjectMembers& rule_in, Rule& rule, std::optional<Error>& error) {
  if (!rule_in.needs("when")) return;
  ObjectMembers in(*rule_in.find("when"), "when", error);
  const bool all = in.find("all").has_value();
  rule.any = in.find("any").has_value();
  if (all == rule.any) return in.fail("", "needs either \"all\" or \"any\"");
  in.list(rule.any ? "any" : "all", 1, kRuleConditionsMax,
          [&](element item, const std::string& place) { rule.when.push_back(read_condition(item, place, error)); });
  if (!error && rule.when.front().op) {
    error = Error{Code::invalid, std::string("when.") + (rule.any ? "any" : "all") +
                                     "[0].op: the first condition is what the levels are compared with"};
  }
}

void read_levels(ObjectMembers& in, Rule& rule, std::optional<Error>& error) {
  if (!in.needs("levels")) return;
  in.list("levels", 1, kRuleLevelsMax, [&](element item, const std::string& place) {
    rule.levels.push_back(read_level(item, place, rule, error));
    const size_t count = rule.levels.size();
    if (!error && count > 1 && rule.levels[count - 2].severity >= rule.levels[count - 1].severity) {
      error = Error{Code::invalid, place + ".severity: levels go from info over warning to critical"};
    }
  });
}

void check_silence(const Rule& rule, std::optional<Error>& error) {
  if (error || rule.when.empty() || !is_silence(rule.when.front().fn)) return;
  for (size_t i = 0; i < rule.levels.size(); ++i) {
    if (rule.for_of(i) > 0) continue;
    error = Error{Code::invalid, "levels[" + std::to_string(i) +
                                     "].for: " + std::string(function_name(rule.when.front().fn)) +
                                     " needs one, here or of the rule"};
    return;
  }
}

void read_no_data(ObjectMembers& rule_in, Rule& rule, std::optional<Error>& error) {
  const auto found = rule_in.find("noData");
  if (!found) return;
  NoData no_data;
  ObjectMembers in(*found, "noData", error);
  in.needs("after");
  in.duration("after", 1000, kDurationMsMax, no_data.after_ms);
  in.one_of("do", 3, &no_data_name, no_data.what);
  rule.no_data = no_data;
}

void read_flap(ObjectMembers& rule_in, Rule& rule, std::optional<Error>& error) {
  const auto found = rule_in.find("flap");
  if (!found) return;
  Flap flap;
  ObjectMembers in(*found, "flap", error);
  in.whole("history", 3, kFlapHistoryMax, flap.history);
  in.number("high", 0.01, 1, flap.high);
  in.number("low", 0, 1, flap.low);
  if (flap.low >= flap.high) in.fail("low", "must be below high");
  rule.flap = flap;
}

void read_schedule(ObjectMembers& rule_in, Rule& rule, std::optional<Error>& error) {
  const auto found = rule_in.find("schedule");
  if (!found) return;
  Schedule schedule;
  ObjectMembers in(*found, "schedule", error);
  in.text("tz", kNameBytesMax, schedule.tz);
  in.needs("active");
  in.list("active", 1, kRuleActiveMax,
          [&](element item, const std::string& place) { schedule.active.push_back(read_active(item, place, error)); });
  rule.schedule = std::move(schedule);
}

void read_members(ObjectMembers& in, Rule& rule, const AccountId& account, std::optional<Error>& error) {
  in.text("id", kNameBytesMax, rule.id);
  if (!rule.id.empty() && !is_name(rule.id)) in.fail("id", "1 to 64 of A-Z a-z 0-9 . _ -");
  rule.name = rule.id;
  in.text("name", kRuleTextBytesMax, rule.name);
  in.flag("enabled", rule.enabled);
  in.whole("version", 1, std::numeric_limits<int64_t>::max(), rule.version);
  read_scope(in, rule, account, error);
  in.duration("for", 0, kDurationMsMax, rule.for_ms);
  read_when(in, rule, error);
  read_levels(in, rule, error);
  check_silence(rule, error);
  in.whole("minSamples", 1, 1'000'000, rule.min_samples);
  in.duration("keepFiring", 0, kDurationMsMax, rule.keep_firing_ms);
  read_no_data(in, rule, error);
  in.duration("maxLateness", 0, kHourMs, rule.max_lateness_ms);
  read_flap(in, rule, error);
  read_schedule(in, rule, error);
  rule.message = default_message(rule);
  in.text("message", kRuleTextBytesMax, rule.message);
  in.tags("labels", kRuleLabelsMax, rule.labels);
  in.list("notify", 0, kRuleNotifyMax,
          [&](element item, const std::string& place) { rule.notify.push_back(read_notify(item, place, error)); });
}

void append_limit(const Limit& limit, std::string& out) {
  if (const auto* number = std::get_if<double>(&limit)) {
    append_json_number(*number, out);
  } else if (const auto* range = std::get_if<Range>(&limit)) {
    out += '[';
    append_json_number(range->low, out);
    out += ',';
    append_json_number(range->high, out);
    out += ']';
  } else if (const auto* text = std::get_if<std::string>(&limit)) {
    append_json_string(*text, out);
  } else {
    const auto& attribute = std::get<AttributeLimit>(limit);
    ObjectText w(out);
    w.text("attr", attribute.name);
    w.number("default", attribute.otherwise);
  }
}

void append_condition(const Condition& condition, std::string& out) {
  ObjectText w(out);
  if (!condition.field.empty()) w.text("field", condition.field);
  w.text("fn", function_name(condition.fn));
  if (condition.window_ms > 0) w.duration("window", condition.window_ms);
  if (has_baseline(condition.fn)) {
    w.duration("halfLife", condition.baseline.half_life_ms);
    w.text("direction", direction_name(condition.baseline.direction));
    w.number("minDeviation", condition.baseline.min_deviation);
    w.number("warmup", condition.baseline.warmup);
  }
  if (condition.op) {
    w.text("op", comparison_text(*condition.op));
    append_limit(condition.value, w.key("value"));
  }
}

void append_level(const Level& level, bool compares, std::string& out) {
  ObjectText w(out);
  w.text("severity", severity_name(level.severity));
  if (compares) {
    w.text("op", comparison_text(level.op));
    append_limit(level.value, w.key("value"));
    if (level.clear) append_limit(*level.clear, w.key("clear"));
  }
  if (level.for_ms) w.duration("for", *level.for_ms);
}

void append_schedule(const Schedule& schedule, std::string& out) {
  ObjectText w(out);
  w.text("tz", schedule.tz);
  w.list("active", schedule.active, [&](const ActiveTime& active) {
    ObjectText a(out);
    a.text("days", days_text(active.days));
    a.text("from", minute_text(active.from_min));
    a.text("to", minute_text(active.to_min));
  });
}

void append_notify(const NotifyPolicy& policy, std::string& out) {
  ObjectText w(out);
  w.text("channel", policy.channel);
  w.text("minSeverity", severity_name(policy.min_severity));
  if (!policy.group_by.empty()) {
    w.list("groupBy", policy.group_by, [&](const std::string& name) { append_json_string(name, out); });
  }
  w.duration("groupWait", policy.group_wait_ms);
  w.duration("groupInterval", policy.group_interval_ms);
  w.duration("repeat", policy.repeat_ms);
  w.flag("resolved", policy.resolved);
}

Error too_long() { return {Code::invalid, "rule: at most " + std::to_string(kRuleBytesMax) + " bytes"}; }

// `first`: asked of the object before the members of a rule.
template <class First>
Result<Rule> read_rule(std::string_view json, const AccountId& account, First first) {
  if (json.size() > kRuleInputBytesMax) return too_long();
  Result<Rule> rule = parse_object(json, "rule", kRuleInputBytesMax, Rule{}, [&](ObjectMembers& in, Rule& target) {
    first(in);
    read_members(in, target, account, in.error());
  });
  if (!rule) return rule;
  if (encode_rule(*rule).size() - std::to_string(rule->version).size() > kRuleBytesMax) return too_long();
  return rule;
}

}  // namespace

Result<Rule> parse_rule(std::string_view json, const AccountId& account) {
  return read_rule(json, account, [](ObjectMembers& in) { in.needs("id"); });
}

Result<RuleRequest> parse_rule_request(std::string_view json, const AccountId& account) {
  std::optional<uint64_t> version;
  Result<Rule> rule = read_rule(json, account, [&](ObjectMembers& in) {
    for (const std::string_view name : kRuleAnswerMembers) (void)in.find(name);
    uint64_t number = 0;
    in.whole("version", 1, std::numeric_limits<int64_t>::max(), number);
    if (number > 0) version = number;
  });
  if (!rule) return rule.error();
  return RuleRequest{std::move(*rule), version};
}

std::string encode_rule(const Rule& rule) {
  std::string out;
  {
    ObjectText w(out);
    w.text("id", rule.id);
    w.text("name", rule.name);
    w.flag("enabled", rule.enabled);
    w.number("version", static_cast<double>(rule.version));
    w.key("scope");
    {
      ObjectText scope(out);
      scope.text("topic", rule.scope.text());
      scope.tags("tags", rule.tags);
    }
    w.key("when");
    {
      ObjectText when(out);
      when.list(rule.any ? "any" : "all", rule.when, [&](const Condition& c) { append_condition(c, out); });
    }
    const bool compares = compares_levels(rule);
    w.list("levels", rule.levels, [&](const Level& level) { append_level(level, compares, out); });
    w.duration("for", rule.for_ms);
    w.number("minSamples", rule.min_samples);
    w.duration("keepFiring", rule.keep_firing_ms);
    if (rule.no_data) {
      w.key("noData");
      ObjectText no_data(out);
      no_data.duration("after", rule.no_data->after_ms);
      no_data.text("do", no_data_name(rule.no_data->what));
    }
    w.duration("maxLateness", rule.max_lateness_ms);
    if (rule.flap) {
      w.key("flap");
      ObjectText flap(out);
      flap.number("history", rule.flap->history);
      flap.number("high", rule.flap->high);
      flap.number("low", rule.flap->low);
    }
    if (rule.schedule) append_schedule(*rule.schedule, w.key("schedule"));
    w.text("message", rule.message);
    w.tags("labels", rule.labels);
    if (!rule.notify.empty()) {
      w.list("notify", rule.notify, [&](const NotifyPolicy& policy) { append_notify(policy, out); });
    }
  }
  return out;
}

}  // namespace millstream::codec
