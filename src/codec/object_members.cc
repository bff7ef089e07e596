#include "codec/object_members.h"

#include <algorithm>
#include <limits>

#include "base/limits.h"
#include "base/time_text.h"
#include "codec/event_json.h"
#include "codec/json_input.h"

namespace millstream::codec {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

std::string_view shortened_key(std::string_view key) { return key.substr(0, kNameBytesMax); }

std::string range_text(std::string what, double low, double high) {
  if (low == -std::numeric_limits<double>::max()) return what;
  what += " from ";
  append_json_number(low, what);
  if (high == std::numeric_limits<double>::max()) return what + " on";
  what += " to ";
  append_json_number(high, what);
  return what;
}

}  // namespace

ObjectMembers::ObjectMembers(element from, std::string path, std::optional<Error>& error, std::string_view root)
    : path_(std::move(path)), root_(root), error_(error) {
  is_object_ = !from.get(members_);
  if (!is_object_) fail("", "not an object");
}

ObjectMembers::~ObjectMembers() {
  if (is_object_ && !error_) check_names();
}

std::optional<element> ObjectMembers::find(std::string_view name) {
  asked_.insert(name);
  element found;
  if (!is_object_ || members_.at_key(name).get(found) || found.is_null()) return std::nullopt;
  return found;
}

bool ObjectMembers::needs(std::string_view name) {
  if (find(name)) return true;
  fail(name, "missing");
  return false;
}

void ObjectMembers::fail(std::string_view name, std::string reason) {
  if (!error_) error_ = Error{Code::invalid, place(name) + ": " + std::move(reason)};
}

std::string ObjectMembers::place(std::string_view name) const {
  if (path_.empty()) return std::string(name.empty() ? root_ : name);
  return name.empty() ? path_ : path_ + "." + std::string(name);
}

void ObjectMembers::text(std::string_view name, size_t bytes_max, std::string& target) {
  const auto found = find(name);
  if (!found) return;
  std::string_view value;
  if (found->get(value)) return fail(name, "not a string");
  if (value.empty() || value.size() > bytes_max) return fail(name, "1 to " + std::to_string(bytes_max) + " bytes");
  target = value;
}

void ObjectMembers::flag(std::string_view name, bool& target) {
  const auto found = find(name);
  if (found && found->get(target)) fail(name, "neither true nor false");
}

void ObjectMembers::number(std::string_view name, double low, double high, double& target) {
  const auto found = find(name);
  if (!found) return;
  if (found->get(target) || target < low || target > high) fail(name, range_text("a number", low, high));
}

std::optional<int64_t> ObjectMembers::whole_number(std::string_view name, int64_t low, int64_t high) {
  const auto found = find(name);
  if (!found) return std::nullopt;
  int64_t value = 0;
  if (!found->get(value) && value >= low && value <= high) return value;
  fail(name, "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return std::nullopt;
}

void ObjectMembers::duration(std::string_view name, int64_t low_ms, int64_t high_ms, int64_t& target) {
  const auto found = find(name);
  if (!found) return;
  std::string_view value;
  if (!found->get(value)) {
    const Result<int64_t> ms = parse_duration_ms(value);
    if (ms && *ms >= low_ms && *ms <= high_ms) {
      target = *ms;
      return;
    }
  }
  fail(name, "a duration from " + duration_text(low_ms) + " to " + duration_text(high_ms) + ", such as \"30s\"");
}

void ObjectMembers::time(std::string_view name, int64_t& target) {
  const auto found = find(name);
  if (!found) return;
  const Result<int64_t> ms = read_time(*found);
  if (!ms) return fail(name, "neither RFC 3339 nor epoch milliseconds");
  target = *ms;
}

void ObjectMembers::tags(std::string_view name, size_t count_max, model::Tags& target) {
  const auto found = find(name);
  if (!found) return;
  object values;
  if (found->get(values)) return fail(name, "not an object");
  for (const auto member : values) {
    const std::string_view key = member.key;
    std::string_view text;
    if (member.value.get(text)) return fail(name, "\"" + std::string(shortened_key(key)) + "\" is not a string");
    if (key.empty() || key.size() > kFieldNameBytesMax || text.size() > kFieldNameBytesMax) {
      return fail(name, "names and values of at most " + std::to_string(kFieldNameBytesMax) + " bytes");
    }
    if (std::any_of(target.begin(), target.end(),
                    [&, named = key](const model::Tag& tag) { return tag.name == named; })) {
      return fail(name, "\"" + std::string(shortened_key(key)) + "\" is given more than once");
    }
    target.push_back({std::string(key), std::string(text)});
    if (target.size() > count_max) return fail(name, "at most " + std::to_string(count_max));
  }
  std::sort(target.begin(), target.end());
}

void ObjectMembers::check_names() {
  std::set<std::string_view> seen;
  for (const auto [key, value] : members_) {
    if (!seen.insert(key).second) return fail(shortened_key(key), "given more than once");
    if (asked_.contains(key)) continue;
    std::string known;
    for (const std::string_view name : asked_) known.append(" ").append(name);
    return fail(shortened_key(key), "unknown; known are:" + known);
  }
}

}  // namespace millstream::codec
