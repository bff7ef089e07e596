// app/setting.h: one value an operator gave, wherever it came from, and its readers.
//
// Shapes   From TOML a value has a type; from the environment and flags it is text and is read as the key wants it.
// Errors   Code::invalid: "<place>: <key>: <what is wrong>", where place is "file:line", a variable or a flag.
// Thread   value
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace millstream::app {

inline constexpr const char* kCommandLine = "command line";  // a place

struct Setting {
  struct Text {  // not yet typed: an environment variable or a flag
    std::string text;
  };
  std::string key;    // "server.listen"
  std::string place;  // "millstream.toml:12"
  std::variant<std::string, int64_t, double, bool, std::vector<std::string>, Text> value;

  Error wrong(const std::string& what) const;  // place and key in front
};

Result<std::string> read_text(const Setting& setting);
Result<std::vector<std::string>> read_list(const Setting& setting);  // as text: parts between commas
Result<bool> read_flag(const Setting& setting);
Result<double> read_number(const Setting& setting);  // finite
Result<int64_t> read_whole(const Setting& setting, int64_t min, int64_t max);
Result<int64_t> read_duration_ms(const Setting& setting, int64_t min_ms, int64_t max_ms);  // "10s"
Result<int64_t> read_size_bytes(const Setting& setting, int64_t min, int64_t max);         // 262144 or "256KiB"

std::string size_text(int64_t bytes);  // "256KiB"

// The known word nearest to a mistyped one; empty when none is near.
std::string nearest_word(std::string_view word, const std::vector<std::string>& known);

}  // namespace millstream::app
