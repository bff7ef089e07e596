// log/decimal.h: numbers as they were written: digits and the place of the point.
//
// Shapes   value = mantissa / 10^exponent, in its shortest spelling: the mantissa ends in no zero while there is a
// point. Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millstream::log {

struct Decimal {
  int64_t mantissa = 0;
  uint8_t exponent = 0;  // digits behind the point
  bool operator==(const Decimal&) const = default;
};

inline constexpr uint8_t kDecimalDigitsMax = 17;

// None: not spelled the one way append_decimal() would spell it, or longer than kDecimalDigitsMax digits.
std::optional<Decimal> parse_decimal(std::string_view text);
void append_decimal(Decimal value, std::string& out);
// The same value with its point at `exponent`; none: it does not fit 60 bits. Precondition: at least value.exponent.
std::optional<int64_t> scaled_to(Decimal value, uint8_t exponent);
// What scaled_to() made, spelled the shortest way again.
Decimal shortest(int64_t mantissa, uint8_t exponent);
// The double nearest to it, as a reader of the text would take it.
double to_double(Decimal value);
// Any JSON number; none: it is not one, or no double holds it.
std::optional<double> number_of(std::string_view text);

}  // namespace millstream::log
