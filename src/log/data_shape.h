// log/data_shape.h: the data of telemetry events, taken apart into what repeats and what does not.
//
// Flow     split_data() parts an event's JSON into its shape (keys and punctuation) and its values; the file numbers
// the
//          shapes, so that an event carries a small number and its values. Shape::join() puts back the same bytes.
// Shapes   A shape is the JSON with one of ValueKind's bytes in the place of each value. Bytes that are no JSON are a
//          shape of one raw value. Values, one after another: number: a varint of the mantissa and the digits behind
//          the point; text and raw: their length and bytes; truth: a byte; device: nothing.
// Limits   kShapeBytesMax; longer is one raw value.
// Errors   join() is false when the values are not of this shape.
// Thread   value
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log/decimal.h"
#include "log/varint.h"

namespace millstream::log {

enum class ValueKind : char {
  number = 1,  // a Decimal
  raw = 2,     // a number spelled another way, or all of the data
  text = 3,    // what stands between the quotes, escapes as they are
  truth = 4,
  device = 5,  // the name of the event's device, in quotes
};

inline constexpr size_t kShapeBytesMax = 16 << 10;

struct SplitData {
  std::string shape;
  std::string values;
};
// Writes over `out`, so that its memory is used again.
void split_data(std::string_view data, std::string_view device, SplitData& out);
// As one raw value.
void keep_whole(std::string_view data, SplitData& out);

// Which value a member of "fields" is.
struct FieldPlace {
  std::string name;
  size_t value = 0;  // counted from 0
};

class Shape {
 public:
  static Shape parse(std::string_view text);

  const std::vector<ValueKind>& kinds() const { return kinds_; }
  // What stands before value i, and, for i = kinds().size(), after the last one.
  std::string_view literal(size_t i) const { return literals_[i]; }
  // All of the data is one raw value.
  bool is_whole() const { return kinds_.size() == 1 && literals_[0].empty() && literals_[1].empty(); }
  const std::vector<FieldPlace>& fields() const { return fields_; }
  // Those whose values count as numbers.
  const std::vector<FieldPlace>& number_fields() const { return number_fields_; }

  bool join(std::string_view values, std::string_view device, std::string& out) const;

 private:
  void find_fields();

  std::vector<std::string> literals_;  // one more than kinds_
  std::vector<ValueKind> kinds_;
  std::vector<FieldPlace> fields_;
  std::vector<FieldPlace> number_fields_;
};

void append_value(Decimal value, std::string& out);
Decimal read_decimal(ByteReader& in);

}  // namespace millstream::log
