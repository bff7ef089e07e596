#include "codec/csv.h"

#include <algorithm>
#include <array>

#include "base/time_text.h"
#include "codec/event_json.h"

namespace millstream::codec {
namespace {

bool begins_a_formula(std::string_view text) {
  constexpr std::array<std::string_view, 11> kBeginnings = {
      "=", "+", "-", "@", "\t", "\r", "\n", "\xEF\xBC\x9D", "\xEF\xBC\x8B", "\xEF\xBC\x8D", "\xEF\xBC\xA0"};
  text.remove_prefix(std::min(text.find_first_not_of('\''), text.size()));
  return std::any_of(kBeginnings.begin(), kBeginnings.end(), [&](auto begin) { return text.starts_with(begin); });
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return false;
  return text.front() == ' ' || text.back() == ' ' || text.find_first_of("\",\r\n") != std::string_view::npos;
}

}  // namespace

void CsvWriter::begin_cell() {
  if (in_row_) out_ += ',';
  in_row_ = true;
}

CsvWriter& CsvWriter::text(std::string_view utf8) {
  begin_cell();
  const bool quoted = needs_quotes(utf8);
  if (quoted) out_ += '"';
  if (begins_a_formula(utf8)) out_ += '\'';
  for (const char c : utf8) {
    if (c == '"') out_ += '"';
    out_ += c;
  }
  if (quoted) out_ += '"';
  return *this;
}

CsvWriter& CsvWriter::number(double value) {
  begin_cell();
  append_json_number(value, out_);
  return *this;
}

CsvWriter& CsvWriter::number(uint64_t value) {
  begin_cell();
  out_ += std::to_string(value);
  return *this;
}

CsvWriter& CsvWriter::time(int64_t utc_ms) {
  begin_cell();
  append_rfc3339_ms(utc_ms, out_);
  return *this;
}

CsvWriter& CsvWriter::value(const model::FieldValue& value) {
  if (const auto* words = std::get_if<std::string>(&value)) return text(*words);
  begin_cell();
  append_field_value(value, out_);
  return *this;
}

CsvWriter& CsvWriter::empty() {
  begin_cell();
  return *this;
}

void CsvWriter::end_row() {
  out_ += "\r\n";
  in_row_ = false;
}

}  // namespace millstream::codec
