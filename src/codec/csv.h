// codec/csv.h: tables as comma-separated values, safe to open in a spreadsheet.
//
// Shapes   Rows of two cells or more, each ended by CR LF. A text is quoted when it holds a quote, a comma or a line
//          end, or begins or ends with a space; its quotes are doubled. Numbers, true and false are never quoted.
//          A text that a spreadsheet would take for a formula (it begins with = + - @, their full-width forms, TAB, CR
//          or LF) gets an apostrophe in front; so does one that begins with apostrophes and then one of these, so that
//          whoever wants the text back takes exactly one apostrophe off wherever one of these follows the apostrophes.
// Thread   value
// Source   RFC 4180; OWASP, "CSV Injection" (CWE-1236)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/point.h"

namespace millstream::codec {

class CsvWriter {
 public:
  explicit CsvWriter(std::string& out) : out_(out) {}

  CsvWriter& text(std::string_view utf8);
  CsvWriter& number(double value);  // precondition: finite
  CsvWriter& number(uint64_t value);
  CsvWriter& time(int64_t utc_ms);  // RFC 3339
  CsvWriter& value(const model::FieldValue& value);
  CsvWriter& empty();
  void end_row();

 private:
  void begin_cell();

  std::string& out_;
  bool in_row_ = false;
};

}  // namespace millstream::codec
