#include "app/yaml_json.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>

#include "codec/event_json.h"

namespace millstream::app {
namespace {

bool is_number(const std::string& text) {
  double value = 0;
  const std::from_chars_result end = std::from_chars(text.data(), text.data() + text.size(), value);
  return end.ec == std::errc{} && end.ptr == text.data() + text.size() && std::isfinite(value);
}

void append_scalar(const YAML::Node& node, std::string& out) {
  const std::string& text = node.Scalar();
  const bool quoted = node.Tag() == "!";
  if (!quoted && (text == "true" || text == "false" || text == "null")) {
    out += text;
  } else if (!quoted && is_number(text)) {
    double value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    codec::append_json_number(value, out);
  } else {
    codec::append_json_string(text, out);
  }
}

void append(const YAML::Node& node, std::string& out) {
  switch (node.Type()) {
    case YAML::NodeType::Map: {
      char before = '{';
      for (const auto& entry : node) {
        out += before;
        before = ',';
        codec::append_json_string(entry.first.Scalar(), out);
        out += ':';
        append(entry.second, out);
      }
      out += before == '{' ? "{}" : "}";
      break;
    }
    case YAML::NodeType::Sequence: {
      char before = '[';
      for (const auto& item : node) {
        out += before;
        before = ',';
        append(item, out);
      }
      out += before == '[' ? "[]" : "]";
      break;
    }
    case YAML::NodeType::Scalar: append_scalar(node, out); break;
    default: out += "null";
  }
}

}  // namespace

std::string json_of(const YAML::Node& node) {
  std::string out;
  append(node, out);
  return out;
}

}  // namespace millstream::app
