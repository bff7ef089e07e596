// rules/limits.h: how much one account's rules may take of what all share.
//
// Thread   value
#pragma once

#include <cstdint>
#include <string_view>

namespace millstream::rules {

struct Limits {
  // A rule watching a device; beyond, devices that are heard of for the first time are not watched.
  int64_t rule_instances_per_account_max = 1'000'000;
  // In log time. A condition given a value counts as one, an alert event as kAlertEvaluations; beyond, values are not
  // looked at (account_rules.h).
  int64_t rule_evaluations_per_second_max = 1'000'000;

  bool operator==(const Limits&) const = default;
};

inline constexpr std::string_view kInstancesLimit = "rule_instances_per_account_max";
inline constexpr std::string_view kEvaluationsLimit = "rule_evaluations_per_second_max";
inline constexpr int64_t kAlertEvaluations = 8;  // by its cost

}  // namespace millstream::rules
