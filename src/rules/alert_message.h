// rules/alert_message.h: the text of an alert from its rule's template.
//
// Shapes   {{device}} {{site}} {{field}} {{value}} {{op}} {{threshold}} {{rule}} are replaced; other text, including
//          unknown or unfinished placeholders, stays as it is. What was put in is not looked at again.
// Thread   value
#pragma once

#include <string>

#include "model/alert.h"

namespace millstream::rules {

std::string alert_message(const model::ThresholdRule& rule, const model::Topic& device, double value);

}  // namespace millstream::rules
