// model/silence.h: a time in which certain alerts notify nobody. What they are and the stream's events stay the same.
//
// Thread   value
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/topic.h"

namespace millstream::model {

inline constexpr size_t kSilenceRulesMax = 64;
inline constexpr size_t kSilenceCommentBytesMax = 1024;
inline constexpr int64_t kSilenceMsMax = 366 * int64_t{86'400'000};

struct Silence {
  std::string id;  // a name, distinct in its account
  TopicPattern topic;
  std::vector<std::string> rules;  // by id; empty: of every rule
  int64_t starts_at_ms = 0;
  int64_t ends_at_ms = 0;  // the first moment after it
  std::string comment;
  std::string created_by;
  int64_t created_at_ms = 0;

  bool is_active(int64_t now_ms) const { return starts_at_ms <= now_ms && now_ms < ends_at_ms; }
  bool covers(const Topic& device, std::string_view rule_id) const {
    return topic.matches(device) && (rules.empty() || std::find(rules.begin(), rules.end(), rule_id) != rules.end());
  }
  bool operator==(const Silence&) const = default;
};

}  // namespace millstream::model
