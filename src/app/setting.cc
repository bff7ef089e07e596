#include "app/setting.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/time_text.h"

namespace millstream::app {
namespace {

struct Unit {
  std::string_view name;
  int64_t bytes;
};
constexpr Unit kUnits[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}};

// A string, or text whose type is still open.
const std::string* as_string(const Setting& setting) {
  if (const auto* string = std::get_if<std::string>(&setting.value)) return string;
  if (const auto* text = std::get_if<Setting::Text>(&setting.value)) return &text->text;
  return nullptr;
}

bool is_open(const Setting& setting) { return std::holds_alternative<Setting::Text>(setting.value); }

template <class N>
std::optional<N> parse_all(std::string_view text) {
  N number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<int64_t> parse_size(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    const auto count = parse_all<int64_t>(text.substr(0, text.size() - unit.name.size()));
    if (!count || *count < 0 || *count > INT64_MAX / unit.bytes) return std::nullopt;
    return *count * unit.bytes;
  }
  return parse_all<int64_t>(text);
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

}  // namespace

Error Setting::wrong(const std::string& what) const { return Error{Code::invalid, place + ": " + key + ": " + what}; }

Result<std::string> read_text(const Setting& setting) {
  if (const std::string* text = as_string(setting)) return *text;
  return setting.wrong("must be a string");
}

Result<std::vector<std::string>> read_list(const Setting& setting) {
  if (const auto* list = std::get_if<std::vector<std::string>>(&setting.value)) return *list;
  if (!is_open(setting)) return setting.wrong("must be a list of strings");
  std::vector<std::string> parts;
  std::string_view rest = *as_string(setting);
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    parts.emplace_back(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return parts;
}

Result<bool> read_flag(const Setting& setting) {
  if (const bool* flag = std::get_if<bool>(&setting.value)) return *flag;
  if (is_open(setting) && *as_string(setting) == "true") return true;
  if (is_open(setting) && *as_string(setting) == "false") return false;
  return setting.wrong("must be true or false");
}

Result<double> read_number(const Setting& setting) {
  std::optional<double> number;
  if (const auto* real = std::get_if<double>(&setting.value)) number = *real;
  if (const auto* whole = std::get_if<int64_t>(&setting.value)) number = static_cast<double>(*whole);
  if (is_open(setting)) number = parse_all<double>(*as_string(setting));
  if (!number || !std::isfinite(*number)) return setting.wrong("must be a number");
  return *number;
}

Result<int64_t> read_whole(const Setting& setting, int64_t min, int64_t max) {
  std::optional<int64_t> number;
  if (const auto* whole = std::get_if<int64_t>(&setting.value)) number = *whole;
  if (is_open(setting)) number = parse_all<int64_t>(*as_string(setting));
  if (number && *number >= min && *number <= max) return *number;
  return setting.wrong("must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
}

Result<int64_t> read_duration_ms(const Setting& setting, int64_t min_ms, int64_t max_ms) {
  if (const std::string* text = as_string(setting)) {
    const Result<int64_t> ms = parse_duration_ms(*text);
    if (ms && *ms >= min_ms && *ms <= max_ms) return *ms;
  }
  return setting.wrong("must be a duration such as \"30s\", from " + duration_text(min_ms) + " to " +
                       duration_text(max_ms));
}

Result<int64_t> read_size_bytes(const Setting& setting, int64_t min, int64_t max) {
  std::optional<int64_t> bytes;
  if (const auto* whole = std::get_if<int64_t>(&setting.value)) bytes = *whole;
  if (const std::string* text = as_string(setting)) bytes = parse_size(*text);
  if (bytes && *bytes >= min && *bytes <= max) return *bytes;
  return setting.wrong("must be a size such as \"256KiB\", from " + size_text(min) + " to " + size_text(max));
}

std::string size_text(int64_t bytes) {
  for (const Unit& unit : kUnits) {
    if (bytes >= unit.bytes && bytes % unit.bytes == 0) return std::to_string(bytes / unit.bytes).append(unit.name);
  }
  return std::to_string(bytes);
}

std::string nearest_word(std::string_view word, const std::vector<std::string>& known) {
  std::string nearest;
  // Farther than a third of its letters it is another word, and naming it would only confuse.
  size_t best = std::max<size_t>(word.size() / 3, 1) + 1;
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(word, candidate);
    if (distance >= best) continue;
    best = distance;
    nearest = candidate;
  }
  return nearest;
}

}  // namespace millstream::app
