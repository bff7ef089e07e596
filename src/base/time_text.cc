#include "base/time_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>

#include "base/limits.h"

namespace millstream {
namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr int64_t kDurationMsMax = 3650 * kDayMs;

void put_digits(char* at, int width, unsigned value) {
  for (int i = width - 1; i >= 0; --i) {
    at[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

// Eats the text from the front; every take_* leaves it alone and says so when it does not fit.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}
  bool done() const { return text_.empty(); }

  bool take(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool take_one_of(std::string_view any) {
    if (text_.empty() || any.find(text_[0]) == std::string_view::npos) return false;
    text_.remove_prefix(1);
    return true;
  }
  // Exactly `width` digits, with a value of at most `max`.
  bool take_digits(size_t width, int max, int& value) {
    if (text_.size() < width) return false;
    value = 0;
    for (size_t i = 0; i < width; ++i) {
      if (text_[i] < '0' || text_[i] > '9') return false;
      value = value * 10 + (text_[i] - '0');
    }
    text_.remove_prefix(width);
    return value <= max;
  }
  // 1 to 9 digits of a fraction, as milliseconds.
  bool take_fraction_ms(int& ms) {
    size_t count = 0;
    ms = 0;
    for (; count < text_.size() && text_[count] >= '0' && text_[count] <= '9'; ++count) {
      if (count < 3) ms = ms * 10 + (text_[count] - '0');
    }
    if (count == 0 || count > 9) return false;
    for (size_t i = count; i < 3; ++i) ms *= 10;
    text_.remove_prefix(count);
    return true;
  }

 private:
  std::string_view text_;
};

std::optional<int64_t> parse_date(Cursor& in) {
  int y = 0, m = 0, d = 0;
  if (!in.take_digits(4, 9999, y) || !in.take('-') || !in.take_digits(2, 12, m) || !in.take('-') ||
      !in.take_digits(2, 31, d)) {
    return std::nullopt;
  }
  const year_month_day date{year(y), month(static_cast<unsigned>(m)), day(static_cast<unsigned>(d))};
  if (!date.ok()) return std::nullopt;
  return sys_days(date).time_since_epoch().count() * kDayMs;
}

// A leap second counts as the first second after it, as everywhere in POSIX time.
std::optional<int64_t> parse_time_of_day(Cursor& in) {
  int h = 0, m = 0, s = 0, ms = 0;
  if (!in.take_digits(2, 23, h) || !in.take(':') || !in.take_digits(2, 59, m) || !in.take(':') ||
      !in.take_digits(2, 60, s)) {
    return std::nullopt;
  }
  if (in.take('.') && !in.take_fraction_ms(ms)) return std::nullopt;
  return ((int64_t{h} * 60 + m) * 60 + s) * 1000 + ms;
}

std::optional<int64_t> parse_offset(Cursor& in) {
  if (in.take_one_of("Zz")) return 0;
  const bool minus = in.take('-');
  if (!minus && !in.take('+')) return std::nullopt;
  int h = 0, m = 0;
  if (!in.take_digits(2, 23, h) || !in.take(':') || !in.take_digits(2, 59, m)) return std::nullopt;
  const int64_t ms = (int64_t{h} * 60 + m) * 60'000;
  return minus ? -ms : ms;
}

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

struct Unit {
  std::string_view name;
  int64_t ms;
};
constexpr std::array<Unit, 5> kUnits{{{"d", kDayMs}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

}  // namespace

void append_rfc3339_ms(int64_t utc_ms, std::string& out) {
  utc_ms = std::clamp(utc_ms, kTimeMsMin, kTimeMsMax);
  int64_t whole_days = utc_ms / kDayMs;
  int64_t rest = utc_ms % kDayMs;
  if (rest < 0) {
    rest += kDayMs;
    --whole_days;
  }
  const year_month_day date{sys_days(days(whole_days))};
  const auto ms = static_cast<unsigned>(rest);
  char text[] = "0000-00-00T00:00:00.000Z";
  put_digits(text, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put_digits(text + 5, 2, static_cast<unsigned>(date.month()));
  put_digits(text + 8, 2, static_cast<unsigned>(date.day()));
  put_digits(text + 11, 2, ms / 3'600'000);
  put_digits(text + 14, 2, ms / 60'000 % 60);
  put_digits(text + 17, 2, ms / 1000 % 60);
  put_digits(text + 20, 3, ms % 1000);
  out.append(text, 24);
}

std::string rfc3339_ms(int64_t utc_ms) {
  std::string out;
  append_rfc3339_ms(utc_ms, out);
  return out;
}

Result<int64_t> parse_rfc3339(std::string_view text) {
  const Error bad{Code::invalid, "not RFC 3339"};
  Cursor in(text);
  const std::optional<int64_t> date = parse_date(in);
  // RFC 3339 5.6: "t" and a space may stand for "T".
  if (!date || !in.take_one_of("Tt ")) return bad;
  const std::optional<int64_t> time_of_day = parse_time_of_day(in);
  if (!time_of_day) return bad;
  const std::optional<int64_t> offset = parse_offset(in);
  if (!offset || !in.done()) return bad;
  return std::clamp(*date + *time_of_day - *offset, kTimeMsMin, kTimeMsMax);  // an offset can step over the edge
}

Result<int64_t> parse_time(std::string_view text) {
  const std::optional<int64_t> ms = parse_integer(text);
  if (ms && *ms >= kTimeMsMin && *ms <= kTimeMsMax) return *ms;
  if (Result<int64_t> time = parse_rfc3339(text); time) return time;
  return Error{Code::invalid, "neither RFC 3339 nor epoch milliseconds"};
}

Result<int64_t> parse_duration_ms(std::string_view text) {
  const Error bad{Code::invalid, "not a duration such as 500ms, 30s, 5m, 24h or 7d"};
  const size_t unit_at = text.find_first_not_of("0123456789");
  if (unit_at == std::string_view::npos || unit_at == 0) return bad;
  const std::string_view name = text.substr(unit_at);
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == name; });
  if (unit == kUnits.end()) return bad;
  const std::optional<int64_t> count = parse_integer(text.substr(0, unit_at));
  if (!count || *count > kDurationMsMax / unit->ms) return Error{Code::invalid, "longer than 10 years"};
  return *count * unit->ms;
}

std::string duration_text(int64_t ms) {
  if (ms == 0) return "0s";
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return ms % u.ms == 0; });
  return std::to_string(ms / unit->ms) + std::string(unit->name);
}

}  // namespace millstream
