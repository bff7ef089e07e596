// load/json_line.h: one flat JSON object on one line, the form every result leaves this program in.
//
// Thread   value
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millstream::load {

class JsonLine {
 public:
  // Keys and texts are our own words or error sentences; quotes, backslashes and control characters are escaped.
  JsonLine& add(std::string_view key, std::string_view text);
  JsonLine& add(std::string_view key, int64_t value);
  JsonLine& add(std::string_view key, double value);  // six significant digits; not finite: null

  void print() const;  // one line on standard output, flushed

 private:
  void add_key(std::string_view key);

  std::string body_;
};

}  // namespace millstream::load
