// app/rule_settings.h: one [[rules]] entry -> a rule.
//
// Errors   Code::invalid with the place: an unknown key, a missing one, a clear value on the wrong side.
// Thread   value
#pragma once

#include "app/toml_file.h"
#include "base/result.h"
#include "model/rule.h"

namespace millstream::app {

Result<model::Rule> read_rule(const TomlFile::Entry& entry);

}  // namespace millstream::app
