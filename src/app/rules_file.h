// app/rules_file.h: alert rules in full, from a file.
//
// Shapes   YAML (JSON is a part of it): a list of rules as codec/rule_json.h has them. The account is that of the
//          scope's topic, which every rule here needs.
// Errors   Code::invalid: "rules.yaml:12: levels[0].op: …".
// Thread   value
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/rule.h"

namespace millstream::app {

Result<std::vector<model::Rule>> read_rules_file(const std::string& file);

}  // namespace millstream::app
