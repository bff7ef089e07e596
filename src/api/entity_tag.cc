#include "api/entity_tag.h"

#include <algorithm>
#include <charconv>

#include "api/query_fields.h"

namespace millstream::api {
namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

bool is_weak(std::string_view tag) { return tag.starts_with("W/"); }

std::optional<uint64_t> version_of(std::string_view tag) {
  if (is_weak(tag)) tag.remove_prefix(2);
  if (tag.size() < 3 || tag.front() != '"' || tag.back() != '"') return std::nullopt;
  tag = tag.substr(1, tag.size() - 2);
  uint64_t version = 0;
  const auto read = std::from_chars(tag.data(), tag.data() + tag.size(), version);
  if (read.ec != std::errc{} || read.ptr != tag.data() + tag.size()) return std::nullopt;
  return version;
}

}  // namespace

std::string entity_tag(uint64_t version) { return '"' + std::to_string(version) + '"'; }

bool Preconditions::Tags::take(std::optional<uint64_t> version) const {
  return version && (any || std::find(versions.begin(), versions.end(), *version) != versions.end());
}

Result<std::optional<Preconditions::Tags>> Preconditions::tags_of(const http::Request& request, std::string_view header,
                                                                  bool strongly) {
  if (!request.headers.has(header)) return std::optional<Tags>();
  Tags tags;
  const std::string_view text = trimmed(request.headers.get(header));
  tags.any = text == "*";
  if (tags.any) return std::optional(std::move(tags));
  for (const std::string_view item : split_list(text)) {
    const std::string_view tag = trimmed(item);
    const std::optional<uint64_t> version = version_of(tag);
    if (!version) return Error{Code::invalid, std::string(header) + ": a version in quotes such as \"3\", or *"};
    if (!strongly || !is_weak(tag)) tags.versions.push_back(*version);
  }
  return std::optional(std::move(tags));
}

Result<Preconditions> Preconditions::of(const http::Request& request) {
  Preconditions asked;
  Result<std::optional<Tags>> if_match = tags_of(request, "If-Match", true);
  if (!if_match) return if_match.error();
  Result<std::optional<Tags>> if_none_match = tags_of(request, "If-None-Match", false);
  if (!if_none_match) return if_none_match.error();
  asked.if_match_ = std::move(*if_match);
  asked.if_none_match_ = std::move(*if_none_match);
  return asked;
}

std::string_view Preconditions::failed(std::optional<uint64_t> version) const {
  if (if_match_ && !if_match_->take(version)) return "If-Match";
  if (if_none_match_ && if_none_match_->take(version)) return "If-None-Match";
  return {};
}

}  // namespace millstream::api
