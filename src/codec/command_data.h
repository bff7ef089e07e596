// codec/command_data.h: the data of a system event that says what somebody did. For codec's .cc files only.
//
// Errors   Code::invalid naming the member that is not as it should be.
// Thread   as codec/json_input.h: it lives until the thread parses again
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/json_input.h"
#include "model/event.h"

namespace millstream::codec {

class CommandData {
 public:
  static Result<CommandData> of(const model::Event& event) {
    const Result<simdjson::dom::element> root = parse_json(event.data);
    CommandData data;
    if (!root || root->get(data.members_)) return unreadable("kind");
    return data;
  }
  static Error unreadable(std::string_view member) {
    return {Code::invalid, "data." + std::string(member) + ": not as it should be"};
  }

  // Empty where there is none.
  std::string text(std::string_view name) const {
    std::string_view text;
    return members_[name].get(text) ? std::string() : std::string(text);
  }
  Result<std::string> json(std::string_view name) const {
    simdjson::dom::element member;
    if (members_[name].get(member)) return unreadable(name);
    std::string text;
    append_json_element(member, text);
    return text;
  }

 private:
  simdjson::dom::object members_;
};

}  // namespace millstream::codec
