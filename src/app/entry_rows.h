// app/entry_rows.h: one [[…]] entry of the configuration file, read by the table of its keys.
//
// Shapes   A row is a key with its reader. `Draft` is what the readers fill.
// Errors   Code::invalid with the place: an unknown key (naming the nearest), a required one that is missing, and
//          whatever a reader says.
// Thread   value
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "app/setting.h"
#include "app/toml_file.h"
#include "base/result.h"

namespace millstream::app {

template <class Draft>
struct EntryRow {
  std::string key;  // "rules.id"
  std::function<Status(const Setting&, Draft&)> set;
  bool required = false;
};

// For readers: what was read goes to `target`, or the error back.
template <class T>
Status assign(Result<T> value, auto& target) {
  if (!value) return value.error();
  target = std::move(*value);
  return {};
}

template <class Draft>
Status read_entry(const TomlFile::Entry& entry, const std::vector<EntryRow<Draft>>& rows, Draft& draft) {
  for (const Setting& setting : entry.settings) {
    const auto row =
        std::find_if(rows.begin(), rows.end(), [&](const auto& known) { return known.key == setting.key; });
    if (row == rows.end()) {
      std::vector<std::string> known;
      for (const EntryRow<Draft>& each : rows) known.push_back(each.key);
      const std::string near = nearest_word(setting.key, known);
      return setting.wrong("unknown key" + (near.empty() ? "" : "; did you mean " + near + "?"));
    }
    if (Status s = row->set(setting, draft); !s) return s;
  }
  for (const EntryRow<Draft>& row : rows) {
    const bool given = std::any_of(entry.settings.begin(), entry.settings.end(),
                                   [&](const Setting& setting) { return setting.key == row.key; });
    if (row.required && !given) return Error{Code::invalid, entry.place + ": " + row.key + " is missing"};
  }
  return {};
}

}  // namespace millstream::app
