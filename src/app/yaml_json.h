// app/yaml_json.h: YAML, of which JSON is a part, as JSON: for files that people write.
//
// Shapes   plain true, false, null and numbers become what they are in JSON, quoted ones stay texts. Aliases are
//          resolved; keys are texts.
// Thread   value
#pragma once

#include <string>

namespace YAML {
class Node;
}

namespace millstream::app {

std::string json_of(const YAML::Node& node);

}  // namespace millstream::app
