// api/json_body.h: the JSON object of a request's body, member by member.
//
// Errors   Code::invalid naming the member: "roles: neither a string nor a list of strings". A member that is not known
//          is refused, and so is one given twice: of two only one would count, and nobody would be told.
// Thread   one thread at a time
#pragma once

#include <simdjson.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millstream::api {

class JsonBody {
 public:
  // An empty body is an object without members.
  Status read(std::string_view body, std::initializer_list<std::string_view> known);

  bool has(std::string_view name) const;  // and not as null
  // Nothing: not given, or null.
  Result<std::optional<std::string>> text(std::string_view name) const;
  // A whole number as its digits.
  Result<std::optional<std::string>> text_or_number(std::string_view name) const;
  Result<std::string> needed_text(std::string_view name) const;
  Result<bool> needed_boolean(std::string_view name) const;
  // An object as compact JSON, with its members as they came.
  Result<std::string> needed_object(std::string_view name) const;
  // A string, or a list of strings with something in it.
  Result<std::optional<std::vector<std::string>>> texts(std::string_view name) const;

 private:
  std::optional<simdjson::dom::element> find(std::string_view name) const;

  simdjson::dom::parser parser_;
  std::vector<std::pair<std::string_view, simdjson::dom::element>> members_;
};

}  // namespace millstream::api
