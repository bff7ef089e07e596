// rules/scenario.h: what is to come of a rule, step by step: a test of rules, without a server.
//
// Flow     app/scenario_file.h reads one; run_scenario() leads an engine through its steps and compares.
// Shapes   Steps come in order of time. A step that expects nothing says that nothing may come of it. The same steps
// are
//          gone through once more with a restart of the engine before each: the outcome must be the same.
// Thread   value
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "codec/device_settings_json.h"
#include "codec/rule_command.h"
#include "model/alert.h"
#include "model/rule.h"

namespace millstream::rules {

// Members an alert must have, by the name the wire gives them, and their texts ("started" and "ended" are times since
// the beginning). What is not named may be anything.
using ExpectedAlert = std::vector<std::pair<std::string, std::string>>;

struct ScenarioValues {
  model::Fields fields;
  model::Tags tags;
  int64_t ts_ms = 0;  // the device's time, since the beginning
};
struct ScenarioStatus {
  model::Presence status = model::Presence::offline;
};
struct ScenarioDowntime {
  int64_t ms = 0;  // the server was down for that long until now
};
struct ScenarioTime {};  // nothing but that it is that late

struct ScenarioStep {
  int64_t at_ms = 0;  // when it arrives, since the beginning
  model::Topic device;
  std::variant<ScenarioTime, ScenarioValues, ScenarioStatus, ScenarioDowntime, codec::RuleCommand, codec::SaveDevice>
      what;
  std::vector<ExpectedAlert> expected;
  int line = 0;  // of the file
};

struct Scenario {
  std::string name;
  int64_t begin_ms = 0;  // UTC
  std::vector<model::Rule> rules;
  std::vector<ScenarioStep> steps;
};

// The first thing that came otherwise, as a line for a person: "line 12, at 30s: …"; nothing: all came as expected.
std::optional<std::string> run_scenario(const Scenario& scenario);

}  // namespace millstream::rules
