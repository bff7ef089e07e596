#include "http/message.h"

#include "base/percent.h"
#include "http/ascii.h"

namespace millstream::http {

std::string_view Headers::get(std::string_view name) const {
  for (const Header& header : list_) {
    if (iequals(header.name, name)) return header.value;
  }
  return {};
}

void Headers::set(std::string_view name, std::string value) {
  std::erase_if(list_, [&](const Header& header) { return iequals(header.name, name); });
  add(std::string(name), std::move(value));
}

bool Headers::has(std::string_view name) const {
  for (const Header& header : list_) {
    if (iequals(header.name, name)) return true;
  }
  return false;
}

std::optional<Query> Query::parse(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    auto& [name, value] = query.list_.emplace_back();
    if (!append_percent_decoded(pair.substr(0, equals), true, name)) return std::nullopt;
    if (equals == std::string_view::npos) continue;
    if (!append_percent_decoded(pair.substr(equals + 1), true, value)) return std::nullopt;
  }
  return query;
}

std::optional<std::string_view> Query::get(std::string_view name) const {
  for (const auto& [key, value] : list_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

Response Response::text(int status, std::string body, std::string content_type) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", std::move(content_type));
  response.body = std::move(body);
  return response;
}

}  // namespace millstream::http
