// app/entry_readers.h: readers of values that several kinds of [[…]] entries have.
//
// Errors   Code::invalid with the place, and what is allowed.
// Thread   value
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "app/setting.h"
#include "base/result.h"
#include "model/topic.h"

namespace millstream::app {

Status read_given_text(const Setting& setting, size_t bytes_max, std::string& target);
Status read_name(const Setting& setting, std::string& target);
// What stands in the file that the setting names, which nobody but its owner may be able to read.
Status read_secret(const Setting& setting, std::string& target);
// The same, if there is such a setting, and unless `target` has come by `other_key`.
Status take_secret_file(const std::optional<Setting>& file, std::string_view other_key, std::string& target);
Status read_account(const Setting& setting, model::AccountId& target);

// One of an enum's words. `name_of` gives the word of a value; the values run from 0 to count - 1.
template <class E, class NameOf>
Status read_word(const Setting& setting, size_t count, NameOf name_of, E& target) {
  const Result<std::string> text = read_text(setting);
  if (!text) return text.error();
  std::string words;
  for (size_t i = 0; i < count; ++i) {
    const std::string_view word = name_of(static_cast<E>(i));
    if (word == *text) {
      target = static_cast<E>(i);
      return {};
    }
    words.append(i == 0 ? "" : ", ").append(word);
  }
  return setting.wrong("must be one of " + words);
}

}  // namespace millstream::app
