// registry/columns.h: what a credential allows, as text in columns, and back.
//
// Shapes   names joined by commas; "*": all of them. No name can be "*", and an empty text never means "all" by
//          accident.
// Errors   split_*: false when the text is not what join() makes.
// Thread   value
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/grants.h"
#include "registry/connection.h"

namespace millstream::registry {

inline constexpr std::string_view kAll = "*";

template <class N>
std::string join(const std::vector<N>& names) {
  if (names.empty()) return std::string(kAll);
  std::string text;
  for (const N& name : names) text += (text.empty() ? "" : ",") + name.text();
  return text;
}
std::string join(const model::Roles& roles);

// Calls f with every part of a comma list; the empty text has one empty part. False as soon as f says so.
bool each_part(std::string_view text, const std::function<bool(std::string_view)>& f);

// Of anything with parse(): names, topic patterns.
template <class N>
bool split_list(std::string_view text, std::vector<N>& names) {
  return each_part(text, [&](std::string_view part) {
    Result<N> name = N::parse(part);
    if (name) names.push_back(std::move(*name));
    return name.ok();
  });
}
template <class N>
bool split_names(std::string_view text, std::vector<N>& names) {
  return text == kAll || split_list(text, names);
}
bool split_roles(std::string_view text, model::Roles& roles);

// The four columns account, sites, devices, roles, side by side. False when they do not say clearly what is allowed.
bool read_grants(const Statement& row, int first_column, model::Grants& grants);
void bind_grants(Statement& statement, const model::Grants& grants);

}  // namespace millstream::registry
