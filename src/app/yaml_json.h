// app/yaml_json.h: YAML, of which JSON is a part, as JSON: for files that people write.
//
// Shapes   plain true, false, null and numbers become what they are in JSON, quoted ones stay texts. Aliases are
//          resolved; keys are texts.
// Thread   value
#pragma once

#include <string>

#include "base/result.h"

namespace YAML {
class Node;
class Exception;
}  // namespace YAML

namespace millstream::app {

std::string json_of(const YAML::Node& node);
// What the library throws for a file that cannot be read, or is no YAML.
Error yaml_error(const std::string& file, const YAML::Exception& thrown);

}  // namespace millstream::app
