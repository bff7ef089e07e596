// rules/alert_message.h: the text of an alert from its rule's template.
//
// Shapes   {{device}} {{site}} {{field}} {{fn}} {{value}} {{op}} {{threshold}} {{severity}} {{duration}} {{rule}} are
//          replaced; other text, including unknown or unfinished placeholders, stays as it is. What was put in is not
//          looked at again.
// Limits   kAlertMessageBytesMax: a value may be a long text, and a template may name it a hundred times.
// Thread   value
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "model/rule.h"

namespace millstream::rules {

inline constexpr size_t kAlertMessageBytesMax = 4 << 10;

// What is known of one alert at one moment.
struct AlertFacts {
  std::string_view text;  // the template
  const model::Rule& rule;
  const model::Topic& device;
  const model::Condition& condition;
  const model::Level& level;
  std::string value;  // as text
  std::string threshold;
  int64_t for_ms = 0;
};

std::string alert_message(const AlertFacts& facts);

}  // namespace millstream::rules
