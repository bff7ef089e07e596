#include "app/yaml_json.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <optional>

#include "codec/event_json.h"

namespace millstream::app {
namespace {

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const std::from_chars_result end = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = end.ec == std::errc{} && end.ptr == text.data() + text.size();
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

void append_scalar(const YAML::Node& node, std::string& out) {
  const std::string& text = node.Scalar();
  const bool quoted = node.Tag() == "!";
  const std::optional<double> number = quoted ? std::nullopt : number_of(text);
  if (number) {
    codec::append_json_number(*number, out);
  } else if (!quoted && (text == "true" || text == "false" || text == "null")) {
    out += text;
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

Error yaml_error(const std::string& file, const YAML::Exception& thrown) {
  if (dynamic_cast<const YAML::BadFile*>(&thrown) != nullptr) return {Code::not_found, file + ": cannot be read"};
  return {Code::invalid, file + ":" + std::to_string(thrown.mark.line + 1) + ": " + thrown.msg};
}

}  // namespace millstream::app
