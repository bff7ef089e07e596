// model/rule_record.h: a rule with where it came from, and who saved it.
//
// Thread   value
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/rule.h"

namespace millstream::model {

// Those of files are changed there and nowhere else.
enum class RuleSource : uint8_t { api, file, config };
constexpr std::string_view rule_source_name(RuleSource source) {
  constexpr std::string_view names[] = {"api", "file", "config"};
  return names[static_cast<size_t>(source)];
}

struct RuleRecord {
  Rule rule;  // its version counts how often it was saved
  RuleSource source = RuleSource::api;
  // Of those made through the API.
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
  std::string created_by;  // subjects
  std::string updated_by;
};
using RuleRecordPtr = std::shared_ptr<const RuleRecord>;
using RuleRecords = std::vector<RuleRecordPtr>;

}  // namespace millstream::model
