#include "app/rules_file.h"

#include <yaml-cpp/yaml.h>

#include "app/yaml_json.h"
#include "codec/rule_json.h"
#include "rules/compiled_rule.h"

namespace millstream::app {
namespace {

Result<model::Rule> read_rule(const YAML::Node& node) {
  const YAML::Node scope = node.IsMap() ? node["scope"] : YAML::Node();
  const YAML::Node topic = scope && scope.IsMap() ? scope["topic"] : YAML::Node();
  if (!topic || !topic.IsScalar()) return Error{Code::invalid, "scope.topic: missing; it says whose rule this is"};
  const Result<model::TopicPattern> pattern = model::TopicPattern::parse(topic.Scalar());
  if (!pattern) return Error{Code::invalid, "scope.topic: " + pattern.error().detail};
  Result<model::Rule> rule = codec::parse_rule(json_of(node), pattern->account);
  if (!rule) return rule;
  const auto compiled = rules::compile(*rule);
  return compiled ? std::move(rule) : compiled.error();
}

}  // namespace

Result<std::vector<model::Rule>> read_rules_file(const std::string& file) {
  std::vector<model::Rule> rules;
  // The library throws for what is no YAML, and for a file that cannot be read.
  try {
    const YAML::Node list = YAML::LoadFile(file);
    if (!list.IsSequence()) return Error{Code::invalid, file + ": not a list of rules"};
    for (const YAML::Node& node : list) {
      Result<model::Rule> rule = read_rule(node);
      if (!rule) {
        return Error{Code::invalid, file + ":" + std::to_string(node.Mark().line + 1) + ": " + rule.error().detail};
      }
      rules.push_back(std::move(*rule));
    }
  } catch (const YAML::Exception& e) {
    return yaml_error(file, e);
  }
  return rules;
}

}  // namespace millstream::app
