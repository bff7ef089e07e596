// The writing half of event_json.h that knows no events: strings, numbers, values.
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "codec/event_json.h"

namespace millstream::codec {
namespace {

constexpr std::array<bool, 256> make_escape_table() {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 0x20; ++c) table[c] = true;
  table['"'] = table['\\'] = true;
  return table;
}
constexpr std::array<bool, 256> kNeedsEscape = make_escape_table();

// True when one of eight bytes is below 0x20, a quote or a backslash (bit tricks on all eight at once; bytes from 0x80
// on are never below 0x20 because their high bit is masked out).
bool block_needs_escape(uint64_t block) {
  constexpr uint64_t ones = 0x0101010101010101;
  constexpr uint64_t highs = 0x8080808080808080;
  const uint64_t quote = block ^ (ones * '"');
  const uint64_t backslash = block ^ (ones * '\\');
  const uint64_t control = (block - ones * 0x20) & ~block;
  return (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | control) & highs;
}

// The end of the run from `from` that can be copied as it stands.
size_t plain_run_end(std::string_view text, size_t from) {
  while (from + 8 <= text.size()) {
    uint64_t block;
    std::memcpy(&block, text.data() + from, 8);
    if (block_needs_escape(block)) break;
    from += 8;
  }
  while (from < text.size() && !kNeedsEscape[static_cast<unsigned char>(text[from])]) ++from;
  return from;
}

void append_escape(char c, std::string& out) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  constexpr char digits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  const char text[] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
  out.append(text, sizeof text);
}

template <class N>
void append_chars(N value, std::string& out) {
  char buffer[32];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

// Most readings have few decimals, and as an exact quotient these are found faster than by to_chars: two decimals of at
// most 15 digits are never the same double, so the one that gives `value` is the shortest. False: it is not such a one.
bool append_short_decimal(double value, std::string& out) {
  constexpr double scale = 1e6, smallest = 1e-3, largest = 1e9;  // below 1e-3 to_chars prefers an exponent
  const double size = std::abs(value);
  if (!(size >= smallest && size < largest)) return false;
  const auto scaled = static_cast<uint64_t>(size * scale + 0.5);
  if (static_cast<double>(scaled) / scale != size) return false;
  char buffer[24];
  char* end = buffer;
  if (value < 0) *end++ = '-';
  end = std::to_chars(end, buffer + sizeof buffer, scaled / 1'000'000).ptr;
  *end++ = '.';
  uint64_t rest = scaled % 1'000'000;
  for (uint64_t unit = 100'000; rest != 0; unit /= 10) {
    *end++ = static_cast<char>('0' + rest / unit);
    rest %= unit;
  }
  out.append(buffer, end);
  return true;
}

}  // namespace

void append_json_string(std::string_view utf8, std::string& out) {
  out += '"';
  size_t at = 0;
  while (true) {
    const size_t end = plain_run_end(utf8, at);
    out.append(utf8.data() + at, end - at);
    if (end == utf8.size()) break;
    append_escape(utf8[end], out);
    at = end + 1;
  }
  out += '"';
}

void append_json_number(double value, std::string& out) {
  // Whole numbers read best, and print fastest, as whole numbers; "-0" would read back as the integer 0.
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (value >= -kExact && value <= kExact && value == std::trunc(value)) {
    if (value == 0 && std::signbit(value)) {
      out += "-0.0";
    } else {
      append_chars(static_cast<int64_t>(value), out);
    }
    return;
  }
  if (append_short_decimal(value, out)) return;
  const size_t begin = out.size();
  append_chars(value, out);
  // Digits alone would be read back as an integer, and from 2^64 on they are none.
  if (out.find_first_not_of("-0123456789", begin) == std::string::npos) out += ".0";
}

void append_field_value(const model::FieldValue& value, std::string& out) {
  if (const double* d = std::get_if<double>(&value)) {
    append_json_number(*d, out);
  } else if (const int64_t* i = std::get_if<int64_t>(&value)) {
    append_chars(*i, out);
  } else if (const bool* b = std::get_if<bool>(&value)) {
    out += *b ? "true" : "false";
  } else {
    append_json_string(std::get<std::string>(value), out);
  }
}

}  // namespace millstream::codec
