// model/rule.h: what an alert rule says.
//
// Shapes   A rule looks at devices (scope), at values of theirs (when), and says from which limits on they are an alert
//          (levels). codec/rule_json.h is its spelling; docs/rules.md tells what it means.
//          Durations and times in milliseconds.
// Limits   kRule...: of one rule.
// Thread   value
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/alert.h"
#include "model/point.h"
#include "model/topic.h"

namespace millstream::model {

inline constexpr size_t kRuleConditionsMax = 8;
inline constexpr size_t kRuleLevelsMax = 3;  // one a severity
inline constexpr size_t kRuleLabelsMax = 32;
inline constexpr size_t kRuleNotifyMax = 8;
inline constexpr size_t kRuleActiveMax = 32;
inline constexpr size_t kRuleTextBytesMax = 1024;
inline constexpr int kFlapHistoryMax = 64;

enum class Function : uint8_t {
  last,
  avg,
  min,
  max,
  sum,
  count,
  stddev,
  rate,
  delta,  // of a window, but for last
  ewma,
  zscore,
  mad,  // of a baseline
  missing,
  offline,  // of silence
};
inline constexpr size_t kFunctions = 14;
constexpr std::string_view function_name(Function f) {
  constexpr std::string_view names[] = {"last", "avg",   "min",  "max",    "sum", "count",   "stddev",
                                        "rate", "delta", "ewma", "zscore", "mad", "missing", "offline"};
  return names[static_cast<size_t>(f)];
}
constexpr bool has_window(Function f) { return f > Function::last && f <= Function::delta; }
constexpr bool has_baseline(Function f) { return f >= Function::ewma && f <= Function::mad; }
constexpr bool is_silence(Function f) { return f >= Function::missing; }

enum class Comparison : uint8_t { gt, ge, lt, le, eq, ne, in, outside };
inline constexpr size_t kComparisons = 8;
constexpr std::string_view comparison_text(Comparison c) {
  constexpr std::string_view texts[] = {">", ">=", "<", "<=", "==", "!=", "in", "outside"};
  return texts[static_cast<size_t>(c)];
}

struct Range {
  double low = 0;  // both ends belong to it
  double high = 0;
  bool operator==(const Range&) const = default;
};
// A number that is told of each device (its attributes), and what counts where it is not.
struct AttributeLimit {
  std::string name;
  double otherwise = 0;
  bool operator==(const AttributeLimit&) const = default;
};
using Limit = std::variant<double, Range, std::string, AttributeLimit>;

enum class Direction : uint8_t { both, up, down };
constexpr std::string_view direction_name(Direction d) {
  constexpr std::string_view names[] = {"both", "up", "down"};
  return names[static_cast<size_t>(d)];
}

// What has been normal so far, for ewma, zscore and mad.
struct BaselineSettings {
  int64_t half_life_ms = 3'600'000;
  Direction direction = Direction::both;
  double min_deviation = 0;  // less than this from what is normal is no deviation
  uint32_t warmup = 100;     // values before anything is judged
  bool operator==(const BaselineSettings&) const = default;
};

struct Condition {
  std::string field;  // empty for `offline`
  Function fn = Function::last;
  int64_t window_ms = 0;
  BaselineSettings baseline;
  // A guard has a comparison of its own; without, the levels' counts.
  std::optional<Comparison> op;
  Limit value;
  bool operator==(const Condition&) const = default;
};

struct Level {
  Severity severity = Severity::warning;
  Comparison op = Comparison::gt;
  Limit value;
  std::optional<Limit> clear;     // hysteresis; without, the end of the breach
  std::optional<int64_t> for_ms;  // without, the rule's
  bool operator==(const Level&) const = default;
};

enum class NoDataDo : uint8_t { keep, ok, alert };
constexpr std::string_view no_data_name(NoDataDo d) {
  constexpr std::string_view names[] = {"keep", "ok", "alert"};
  return names[static_cast<size_t>(d)];
}
struct NoData {
  int64_t after_ms = 0;
  NoDataDo what = NoDataDo::keep;
  bool operator==(const NoData&) const = default;
};

struct Flap {
  int history = 21;   // values looked at
  double high = 0.5;  // share of them at which the state changed
  double low = 0.25;
  bool operator==(const Flap&) const = default;
};

// Part of a week, in a time zone's local time.
struct ActiveTime {
  uint8_t days = 0x7f;   // bit 0: Monday
  int from_min = 0;      // of the day
  int to_min = 24 * 60;  // not above from_min: on into the next day
  bool operator==(const ActiveTime&) const = default;
};
struct Schedule {
  std::string tz = "UTC";  // of the IANA database
  std::vector<ActiveTime> active;
  bool operator==(const Schedule&) const = default;
};

struct NotifyPolicy {
  std::string channel;
  Severity min_severity = Severity::info;
  std::vector<std::string> group_by;  // of site, device, rule, severity, or names of labels
  int64_t group_wait_ms = 30'000;
  int64_t group_interval_ms = 300'000;
  int64_t repeat_ms = 14'400'000;
  bool resolved = true;
  bool operator==(const NotifyPolicy&) const = default;
};

inline constexpr std::string_view kMessageOfValue = "{{device}} {{field}}={{value}} {{op}} {{threshold}}";

struct Rule {
  std::string id;  // a name, distinct in its account
  std::string name;
  bool enabled = true;
  TopicPattern scope;
  Tags tags;         // the device must have all of them
  bool any = false;  // of the conditions; else all
  std::vector<Condition> when;
  std::vector<Level> levels;  // by severity, ascending
  int64_t for_ms = 0;
  uint32_t min_samples = 1;
  int64_t keep_firing_ms = 0;
  std::optional<NoData> no_data;
  int64_t max_lateness_ms = 30'000;  // event time is clamped to [receive - this, receive]
  std::optional<Flap> flap;
  std::optional<Schedule> schedule;
  std::string message = std::string(kMessageOfValue);
  Tags labels;
  std::vector<NotifyPolicy> notify;
  uint64_t version = 1;

  bool operator==(const Rule&) const = default;
  int64_t for_of(size_t level) const { return levels[level].for_ms.value_or(for_ms); }
};

// Of one that names none. Of silence there is neither a value nor a limit to tell.
inline std::string default_message(const Rule& rule) {
  if (rule.when.empty() || !is_silence(rule.when.front().fn)) return std::string(kMessageOfValue);
  const bool of_field = !rule.when.front().field.empty();
  return of_field ? "{{device}} {{field}} {{fn}} for {{duration}}" : "{{device}} {{fn}} for {{duration}}";
}

}  // namespace millstream::model
