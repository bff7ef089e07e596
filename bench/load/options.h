// load/options.h: the flags of one subcommand, --key=value.
//
// Errors   a flag that is not --key=value, a number that is none, a key nobody asked for: finish() names it.
// Thread   value
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millstream::load {

class Options {
 public:
  Options(int argc, char** argv);

  std::string text(std::string_view key, std::string_view fallback);
  int64_t number(std::string_view key, int64_t fallback);

  // Call after the last text() or number(): fails on the first flag that was wrong or unknown.
  Status finish() const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
  std::set<std::string, std::less<>> asked_;
  std::string wrong_;
};

}  // namespace millstream::load
