#include "rules/alert_message.h"

#include "base/time_text.h"
#include "codec/field_name.h"

namespace millstream::rules {
namespace {

bool append_placeholder(std::string_view name, const AlertFacts& facts, std::string& out) {
  if (name == "device")
    out += facts.device.device.text();
  else if (name == "site")
    out += facts.device.site.text();
  else if (name == "field")
    out += facts.condition.field;
  else if (name == "fn")
    out += model::function_name(facts.condition.fn);
  else if (name == "value")
    out += facts.value;
  else if (name == "op")
    out += model::comparison_text(facts.condition.op.value_or(facts.level.op));
  else if (name == "threshold")
    out += facts.threshold;
  else if (name == "severity")
    out += model::severity_name(facts.level.severity);
  else if (name == "duration")
    out += duration_text(facts.for_ms);
  else if (name == "rule")
    out += facts.rule.name;
  else
    return false;
  return true;
}

}  // namespace

std::string alert_message(const AlertFacts& facts) {
  std::string out;
  std::string_view rest = facts.text;
  while (!rest.empty() && out.size() <= kAlertMessageBytesMax) {
    const size_t open = rest.find("{{");
    out += rest.substr(0, open);
    if (open == std::string_view::npos) break;
    rest.remove_prefix(open);
    const size_t close = rest.find("}}");
    if (close != std::string_view::npos && append_placeholder(rest.substr(2, close - 2), facts, out)) {
      rest.remove_prefix(close + 2);
    } else {
      out += rest.front();
      rest.remove_prefix(1);
    }
  }
  out.resize(codec::cut_text(out, kAlertMessageBytesMax).size());
  return out;
}

}  // namespace millstream::rules
