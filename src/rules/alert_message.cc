#include "rules/alert_message.h"

#include <string_view>

#include "codec/event_json.h"

namespace millstream::rules {
namespace {

bool append_placeholder(std::string_view name, const model::ThresholdRule& rule, const model::Topic& device,
                        double value, std::string& out) {
  if (name == "device")
    out += device.device.text();
  else if (name == "site")
    out += device.site.text();
  else if (name == "field")
    out += rule.field;
  else if (name == "value")
    codec::append_json_number(value, out);
  else if (name == "op")
    out += model::comparison_text(rule.op);
  else if (name == "threshold")
    codec::append_json_number(rule.value, out);
  else if (name == "rule")
    out += rule.name.empty() ? rule.id : rule.name;
  else
    return false;
  return true;
}

}  // namespace

std::string alert_message(const model::ThresholdRule& rule, const model::Topic& device, double value) {
  std::string out;
  std::string_view rest = rule.message;
  while (!rest.empty()) {
    const size_t open = rest.find("{{");
    out += rest.substr(0, open);
    if (open == std::string_view::npos) break;
    rest.remove_prefix(open);
    const size_t close = rest.find("}}");
    if (close != std::string_view::npos && append_placeholder(rest.substr(2, close - 2), rule, device, value, out)) {
      rest.remove_prefix(close + 2);
    } else {
      out += rest.front();
      rest.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace millstream::rules
