#include "api/json_body.h"

#include <algorithm>

namespace millstream::api {
namespace {

constexpr size_t kNameShownMax = 64;

Error wrong(std::string_view name, std::string_view what) {
  return Error{Code::invalid, std::string(name.substr(0, kNameShownMax)) + ": " + std::string(what)};
}

}  // namespace

Status JsonBody::read(std::string_view body, std::initializer_list<std::string_view> known) {
  members_.clear();
  if (body.empty()) return {};
  simdjson::dom::object object;
  if (parser_.parse(body.data(), body.size()).get(object) != simdjson::SUCCESS) {
    return wrong("body", "not a JSON object");
  }
  for (const auto& [name, value] : object) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::string names;
      for (const std::string_view k : known) names += (names.empty() ? "" : " ") + std::string(k);
      return wrong("body",
                   "unknown member \"" + std::string(name.substr(0, kNameShownMax)) + "\"; known are: " + names);
    }
    if (find(name)) return wrong(name, "given more than once");
    members_.emplace_back(name, value);
  }
  return {};
}

std::optional<simdjson::dom::element> JsonBody::find(std::string_view name) const {
  const auto found = std::find_if(members_.begin(), members_.end(), [&](const auto& m) { return m.first == name; });
  if (found == members_.end()) return std::nullopt;
  return found->second;
}

bool JsonBody::has(std::string_view name) const {
  const auto value = find(name);
  return value && !value->is_null();
}

Result<std::optional<std::string>> JsonBody::text(std::string_view name) const {
  const auto value = find(name);
  if (!value || value->is_null()) return std::optional<std::string>();
  std::string_view text;
  if (value->get(text) != simdjson::SUCCESS) return wrong(name, "not a string");
  return std::optional<std::string>(text);
}

Result<std::optional<std::string>> JsonBody::text_or_number(std::string_view name) const {
  const auto value = find(name);
  int64_t number = 0;
  if (value && value->get(number) == simdjson::SUCCESS) return std::optional(std::to_string(number));
  return text(name);
}

Result<std::string> JsonBody::needed_text(std::string_view name) const {
  Result<std::optional<std::string>> given = text(name);
  if (!given) return given.error();
  if (!*given || (*given)->empty()) return wrong(name, "is needed");
  return std::move(**given);
}

Result<bool> JsonBody::needed_boolean(std::string_view name) const {
  const auto value = find(name);
  if (!value || value->is_null()) return wrong(name, "is needed");
  bool given = false;
  if (value->get(given) != simdjson::SUCCESS) return wrong(name, "neither true nor false");
  return given;
}

Result<std::string> JsonBody::needed_object(std::string_view name) const {
  const auto value = find(name);
  if (!value || value->is_null()) return wrong(name, "is needed");
  if (!value->is_object()) return wrong(name, "not an object");
  return simdjson::minify(*value);
}

Result<std::optional<std::vector<std::string>>> JsonBody::texts(std::string_view name) const {
  const auto value = find(name);
  if (!value || value->is_null()) return std::optional<std::vector<std::string>>();
  std::string_view text;
  if (value->get(text) == simdjson::SUCCESS) return std::optional(std::vector{std::string(text)});
  simdjson::dom::array items;
  if (value->get(items) != simdjson::SUCCESS) return wrong(name, "neither a string nor a list of strings");
  std::vector<std::string> list;
  for (const simdjson::dom::element item : items) {
    if (item.get(text) != simdjson::SUCCESS) return wrong(name, "neither a string nor a list of strings");
    list.emplace_back(text);
  }
  if (list.empty()) return wrong(name, "names nothing");
  return std::optional(std::move(list));
}

}  // namespace millstream::api
