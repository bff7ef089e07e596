#include "load/options.h"

#include <charconv>

namespace millstream::load {

Options::Options(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const size_t equals = flag.find('=');
    if (!flag.starts_with("--") || equals == std::string_view::npos) {
      wrong_ = std::string(flag) + ": not --key=value";
      return;
    }
    values_[std::string(flag.substr(2, equals - 2))] = flag.substr(equals + 1);
  }
}

std::string Options::text(std::string_view key, std::string_view fallback) {
  asked_.emplace(key);
  const auto found = values_.find(key);
  return found == values_.end() ? std::string(fallback) : found->second;
}

int64_t Options::number(std::string_view key, int64_t fallback) {
  const std::string given = text(key, "");
  if (given.empty()) return fallback;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
  if (error != std::errc() || end != given.data() + given.size() || value < 0) {
    wrong_ = "--" + std::string(key) + ": not a number from 0";
  }
  return value;
}

Status Options::finish() const {
  if (!wrong_.empty()) return Error{Code::invalid, wrong_};
  for (const auto& [key, value] : values_) {
    if (!asked_.contains(key)) return Error{Code::invalid, "--" + key + ": no such flag here"};
  }
  return {};
}

}  // namespace millstream::load
