// codec/object_members.h: a JSON object, read member by member and strictly. For codec's .cc files only.
//
// Flow     ask for every member there may be; at the end of its life it refuses what was never asked for.
// Errors   the first thing that is wrong is kept in `error`, as Code::invalid naming the place and what is allowed.
//          null counts as left out.
// Thread   value
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/json_input.h"
#include "model/point.h"

namespace millstream::codec {

class ObjectMembers {
 public:
  // `path`: of the object, in the reasons; empty for the outermost, which is called `root`.
  ObjectMembers(simdjson::dom::element from, std::string path, std::optional<Error>& error,
                std::string_view root = "rule");
  ~ObjectMembers();
  ObjectMembers(const ObjectMembers&) = delete;
  ObjectMembers& operator=(const ObjectMembers&) = delete;

  std::optional<simdjson::dom::element> find(std::string_view name);
  bool needs(std::string_view name);
  void fail(std::string_view name, std::string reason);
  std::string place(std::string_view name) const;
  std::optional<Error>& error() { return error_; }

  // Each leaves `target` alone when there is no such member.
  void text(std::string_view name, size_t bytes_max, std::string& target);
  void flag(std::string_view name, bool& target);
  void number(std::string_view name, double low, double high, double& target);
  void duration(std::string_view name, int64_t low_ms, int64_t high_ms, int64_t& target);
  void time(std::string_view name, int64_t& target);  // RFC 3339 or epoch milliseconds
  // Texts by name.
  void tags(std::string_view name, size_t count_max, model::Tags& target);
  template <class N>
  void whole(std::string_view name, int64_t low, int64_t high, N& target) {
    if (const std::optional<int64_t> value = whole_number(name, low, high)) target = static_cast<N>(*value);
  }
  template <class E>
  void one_of(std::string_view name, size_t count, std::string_view (*name_of)(E), E& target) {
    const auto found = find(name);
    if (!found) return;
    std::string_view value;
    std::string words;
    const bool is_text = !found->get(value);
    for (size_t i = 0; i < count; ++i) {
      const std::string_view word = name_of(static_cast<E>(i));
      if (is_text && word == value) {
        target = static_cast<E>(i);
        return;
      }
      words.append(" ").append(word);
    }
    fail(name, "not one of" + words);
  }
  // Calls each(element, place) for the items of a list.
  template <class Each>
  void list(std::string_view name, size_t count_min, size_t count_max, Each each) {
    const auto found = find(name);
    if (!found) return;
    simdjson::dom::array items;
    if (found->get(items)) return fail(name, "not a list");
    if (items.size() < count_min || items.size() > count_max) {
      return fail(name, std::to_string(count_min) + " to " + std::to_string(count_max) + " items");
    }
    size_t i = 0;
    for (const simdjson::dom::element item : items) each(item, place(name) + "[" + std::to_string(i++) + "]");
  }

 private:
  std::optional<int64_t> whole_number(std::string_view name, int64_t low, int64_t high);
  void check_names();

  simdjson::dom::object members_;
  bool is_object_ = false;
  const std::string path_;
  const std::string_view root_;
  std::optional<Error>& error_;
  std::set<std::string_view> asked_;
};

// Reads `json` as one object, which the reasons call `root`. read(ObjectMembers&, T&) asks for its members.
template <class T, class Read>
Result<T> parse_object(std::string_view json, std::string_view root, size_t bytes_max, T value, Read read) {
  if (json.size() > bytes_max) {
    return Error{Code::invalid, std::string(root) + ": at most " + std::to_string(bytes_max) + " bytes"};
  }
  const Result<simdjson::dom::element> tree = parse_json(json);
  if (!tree) return Error{tree.error().code, std::string(root) + ": " + tree.error().detail};
  std::optional<Error> error;
  {
    ObjectMembers in(*tree, "", error, root);
    read(in, value);
  }
  if (error) return *error;
  return value;
}

}  // namespace millstream::codec
