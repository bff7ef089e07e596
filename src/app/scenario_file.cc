#include "app/scenario_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <initializer_list>

#include "app/yaml_json.h"
#include "base/time_text.h"
#include "codec/event_json.h"
#include "codec/rule_json.h"

namespace millstream::app {
namespace {

using rules::Scenario;
using rules::ScenarioStep;

constexpr const char* kBegin = "2026-01-27T12:00:00Z";

// What is wrong and where; thrown and caught in this file, as yaml-cpp does it with its own.
struct Wrong {
  int line;
  std::string what;
};

int line_of(const YAML::Node& node) { return node.Mark().line + 1; }

[[noreturn]] void wrong(const YAML::Node& node, const std::string& what) { throw Wrong{line_of(node), what}; }

template <class T>
T or_wrong(const YAML::Node& node, Result<T> result) {
  if (!result) wrong(node, result.error().detail);
  return std::move(*result);
}

void check_members(const YAML::Node& node, std::initializer_list<std::string_view> known) {
  if (!node.IsMap()) wrong(node, "not a table of names and values");
  for (const auto& entry : node) {
    const std::string name = entry.first.Scalar();
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string words;
    for (const std::string_view word : known) words.append(" ").append(word);
    wrong(entry.first, name + ": unknown; known are:" + words);
  }
}

int64_t duration(const YAML::Node& node) {
  if (!node.IsScalar()) wrong(node, "not a duration such as 30s");
  const std::string& text = node.Scalar();
  if (text.starts_with('-')) return -or_wrong(node, parse_duration_ms(text.substr(1)));
  return or_wrong(node, parse_duration_ms(text));
}

std::string scalar(const YAML::Node& node) {
  if (!node.IsScalar()) wrong(node, "not a text");
  return node.Scalar();
}

model::AccountId account() { return *model::AccountId::parse("demo"); }

model::Rule read_rule(const YAML::Node& node) { return or_wrong(node, codec::parse_rule(json_of(node), account())); }

model::Topic read_device(const YAML::Node& node) {
  const std::string text = scalar(node);
  const size_t slash = text.find('/');
  if (slash == std::string::npos) wrong(node, "device: site/device");
  return or_wrong(
      node, model::Topic::parse("account:demo/site:" + text.substr(0, slash) + "/device:" + text.substr(slash + 1)));
}

model::Tags read_tags(const YAML::Node& node) {
  model::Tags tags;
  for (const auto& entry : node) tags.push_back({scalar(entry.first), scalar(entry.second)});
  return tags;
}

rules::ScenarioValues read_values(const YAML::Node& step, int64_t at_ms) {
  const YAML::Node values = step["values"];
  if (!values.IsMap()) wrong(values, "values: names and values");
  rules::ScenarioValues read;
  read.fields = or_wrong(values, codec::decode_telemetry_fields("{\"fields\":" + json_of(values) + "}"));
  if (step["tags"]) read.tags = read_tags(step["tags"]);
  read.ts_ms = step["ts"] ? duration(step["ts"]) : at_ms;
  return read;
}

rules::ScenarioStatus read_status(const YAML::Node& node) {
  for (const model::Presence status : {model::Presence::online, model::Presence::stale, model::Presence::offline}) {
    if (scalar(node) == model::presence_name(status)) return {status};
  }
  wrong(node, "status: online, stale or offline");
}

codec::AlertCommand read_alert_command(const YAML::Node& node, codec::AlertAction action) {
  check_members(node, {"by", "note"});
  codec::AlertCommand command;
  command.action = action;
  if (node["by"]) command.by = scalar(node["by"]);
  if (node["note"]) command.note = scalar(node["note"]);
  return command;
}

codec::SaveDevice read_settings(const YAML::Node& step) {
  codec::SaveDevice set;
  for (const auto& entry : step["attributes"]) {
    set.settings.attributes.emplace_back(scalar(entry.first), entry.second.as<double>());
  }
  if (step["parent"]) set.settings.parent = or_wrong(step["parent"], model::DeviceId::parse(scalar(step["parent"])));
  return set;
}

void read_what(const YAML::Node& node, ScenarioStep& step) {
  const bool settings = node["attributes"] || node["parent"];
  int count = settings ? 1 : 0;
  for (const char* name : {"values", "status", "down", "ack", "unack", "close", "save", "delete"}) {
    if (node[name]) ++count;
  }
  if (count > 1) wrong(node, "one thing a step");
  if (node["values"]) step.what = read_values(node, step.at_ms);
  if (node["status"]) step.what = read_status(node["status"]);
  if (node["down"]) step.what = rules::ScenarioDowntime{duration(node["down"])};
  for (const codec::AlertAction action :
       {codec::AlertAction::ack, codec::AlertAction::unack, codec::AlertAction::close}) {
    const YAML::Node command = node[std::string(codec::alert_action_name(action))];
    if (command) step.what = codec::RuleCommand(read_alert_command(command, action));
  }
  if (node["save"]) step.what = codec::RuleCommand(codec::SaveRule{read_rule(node["save"]), ""});
  if (node["delete"]) step.what = codec::RuleCommand(codec::DeleteRule{scalar(node["delete"]), ""});
  if (settings) step.what = read_settings(node);
}

rules::ExpectedAlert read_expected(const YAML::Node& node) {
  if (!node.IsMap()) wrong(node, "expect: a list of tables such as {state: firing}");
  rules::ExpectedAlert expected;
  for (const auto& entry : node) expected.emplace_back(scalar(entry.first), scalar(entry.second));
  return expected;
}

ScenarioStep read_step(const YAML::Node& node, const ScenarioStep* before) {
  check_members(node, {"at", "device", "values", "tags", "ts", "status", "down", "ack", "unack", "close", "save",
                       "delete", "attributes", "parent", "expect"});
  if (!node["at"]) wrong(node, "at: missing");
  ScenarioStep step;
  step.line = line_of(node);
  step.at_ms = duration(node["at"]);
  if (before != nullptr && step.at_ms < before->at_ms) wrong(node["at"], "at: earlier than the step before");
  step.device = before != nullptr ? before->device : *model::Topic::parse("account:demo/site:s/device:d");
  if (node["device"]) step.device = read_device(node["device"]);
  read_what(node, step);
  for (const auto& expected : node["expect"]) step.expected.push_back(read_expected(expected));
  return step;
}

Scenario read_scenario(const YAML::Node& node) {
  check_members(node, {"name", "begin", "rules", "steps"});
  Scenario scenario;
  if (!node["name"]) wrong(node, "name: missing");
  scenario.name = scalar(node["name"]);
  scenario.begin_ms = or_wrong(node, parse_rfc3339(node["begin"] ? scalar(node["begin"]) : kBegin));
  for (const auto& rule : node["rules"]) scenario.rules.push_back(read_rule(rule));
  for (const auto& step : node["steps"]) {
    scenario.steps.push_back(read_step(step, scenario.steps.empty() ? nullptr : &scenario.steps.back()));
  }
  if (scenario.steps.empty()) wrong(node, "steps: missing");
  return scenario;
}

}  // namespace

Result<std::vector<Scenario>> read_scenarios(const std::string& file) {
  std::vector<Scenario> scenarios;
  try {
    for (const YAML::Node& node : YAML::LoadAllFromFile(file)) scenarios.push_back(read_scenario(node));
  } catch (const Wrong& e) {
    return Error{Code::invalid, file + ":" + std::to_string(e.line) + ": " + e.what};
  } catch (const YAML::Exception& e) {
    return yaml_error(file, e);
  }
  return scenarios;
}

}  // namespace millstream::app
