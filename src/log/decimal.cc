#include "log/decimal.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/check.h"

namespace millstream::log {
namespace {

constexpr std::array<int64_t, kDecimalDigitsMax + 1> kPowers = [] {
  std::array<int64_t, kDecimalDigitsMax + 1> powers{};
  int64_t power = 1;
  for (int64_t& entry : powers) {
    entry = power;
    power *= 10;
  }
  return powers;
}();

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<Decimal> parse_decimal(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > kDecimalDigitsMax + 1u || !is_digit(text[0])) return std::nullopt;
  if (text[0] == '0' && text.size() > 1 && text[1] != '.') return std::nullopt;
  Decimal value;
  size_t digits = 0;
  bool point = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (!is_digit(c) || ++digits > kDecimalDigitsMax) return std::nullopt;
    value.mantissa = value.mantissa * 10 + (c - '0');
    value.exponent = static_cast<uint8_t>(value.exponent + (point ? 1 : 0));
  }
  if (point && (!is_digit(text.back()) || text.back() == '0')) return std::nullopt;
  if (negative && value.mantissa == 0) return std::nullopt;
  if (negative) value.mantissa = -value.mantissa;
  return value;
}

void append_decimal(Decimal value, std::string& out) {
  char buffer[48];
  char* at = buffer;
  if (value.mantissa < 0) *at++ = '-';
  const uint64_t magnitude =
      value.mantissa < 0 ? uint64_t{0} - static_cast<uint64_t>(value.mantissa) : static_cast<uint64_t>(value.mantissa);
  char digits[20];
  const auto size = static_cast<size_t>(std::to_chars(digits, digits + sizeof digits, magnitude).ptr - digits);
  const size_t behind = value.exponent;
  if (behind == 0) {
    at = std::copy(digits, digits + size, at);
  } else if (size > behind) {
    at = std::copy(digits, digits + (size - behind), at);
    *at++ = '.';
    at = std::copy(digits + (size - behind), digits + size, at);
  } else {
    *at++ = '0';
    *at++ = '.';
    for (size_t i = size; i < behind; ++i) *at++ = '0';
    at = std::copy(digits, digits + size, at);
  }
  out.append(buffer, static_cast<size_t>(at - buffer));
}

std::optional<int64_t> scaled_to(Decimal value, uint8_t exponent) {
  MS_DCHECK(exponent >= value.exponent && exponent <= kDecimalDigitsMax);
  int64_t scaled = 0;
  if (__builtin_mul_overflow(value.mantissa, kPowers[exponent - value.exponent], &scaled)) return std::nullopt;
  if (std::abs(scaled) >= int64_t{1} << 60) return std::nullopt;
  return scaled;
}

Decimal shortest(int64_t mantissa, uint8_t exponent) {
  while (exponent > 0 && mantissa % 10 == 0) {
    mantissa /= 10;
    --exponent;
  }
  return {mantissa, exponent};
}

double to_double(Decimal value) {
  constexpr int64_t kExact = int64_t{1} << 53;
  // Both are exact as doubles, so that the quotient is rounded once: the nearest double.
  if (value.mantissa <= kExact && value.mantissa >= -kExact) {
    return static_cast<double>(value.mantissa) / static_cast<double>(kPowers[value.exponent]);
  }
  std::string text;
  append_decimal(value, text);
  return number_of(text).value_or(0);
}

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace millstream::log
