#include "codec/line_protocol.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/field_name.h"
#include "codec/line_reader.h"

namespace millstream::codec {
namespace {

constexpr size_t kOriginalBytesMax = 256;  // of a bad line, in its report

struct PrecisionName {
  std::string_view name;
  Precision precision;
};
constexpr std::array<PrecisionName, 10> kPrecisionNames{{{"", Precision::nanoseconds},
                                                         {"n", Precision::nanoseconds},
                                                         {"ns", Precision::nanoseconds},
                                                         {"u", Precision::microseconds},
                                                         {"us", Precision::microseconds},
                                                         {"µ", Precision::microseconds},
                                                         {"ms", Precision::milliseconds},
                                                         {"s", Precision::seconds},
                                                         {"m", Precision::minutes},
                                                         {"h", Precision::hours}}};

std::optional<Precision> precision_named(std::string_view text) {
  for (const PrecisionName& known : kPrecisionNames) {
    if (known.name == text) return known.precision;
  }
  return std::nullopt;
}

// Cuts a body into lines. Only a line with a quote in it needs more than the next "\n": a quoted value may hold some.
class Lines {
 public:
  explicit Lines(std::string_view body) : at_(body.data()), end_(at_ + body.size()), next_quote_(find(at_, '"')) {}

  // False at the end of the body. The line comes without its end. If it has_quote(), it may go on behind its "\n".
  bool next(std::string_view& line) {
    if (at_ == end_) return false;
    number_ = next_number_++;
    start_ = at_;
    end_line(find(at_, '\n'), line);
    if (next_quote_ < start_) next_quote_ = find(start_, '"');
    return true;
  }
  bool has_quote() const { return next_quote_ < start_ + size_; }
  // The line that next() gave, with what its quoted values go on with.
  void take_quoted(std::string_view& line) {
    if (!has_quote() || is_comment(line)) return;
    const char* const stop = quoted_line_end(line.data() + line.size());
    next_number_ += static_cast<size_t>(std::count(start_, stop, '\n'));
    end_line(stop, line);
  }
  size_t number() const { return number_; }  // of the physical line the last one started on, from 1

 private:
  const char* find(const char* from, char c) const {
    const void* found = std::memchr(from, c, static_cast<size_t>(end_ - from));
    return found == nullptr ? end_ : static_cast<const char*>(found);
  }
  static bool is_comment(std::string_view line) {
    const auto first = std::find_if_not(line.begin(), line.end(), is_blank);
    return first != line.end() && *first == '#';
  }

  // A quote opens a string only behind a "=" of the fields, which begin behind the first space. A string that nobody
  // closes would swallow all the rest: then the line ends where it seemed to.
  const char* quoted_line_end(const char* first_newline) const {
    bool quoted = false, in_fields = false;
    size_t equals = 0, commas = 0;
    for (const char* p = start_; p < end_; ++p) {
      if (*p == '\\') {
        // Outside of strings a line end cannot be escaped, so that other lines need no look at backslashes.
        if (p + 1 != end_ && (quoted || p[1] != '\n')) ++p;
      } else if (quoted) {
        quoted = *p != '"';
      } else if (*p == '\n') {
        return p;
      } else if (*p == ' ') {
        in_fields = true;
      } else if (in_fields) {
        if (*p == '=') ++equals;
        if (*p == ',') ++commas;
        quoted = *p == '"' && equals > commas;
      }
    }
    return quoted ? first_newline : end_;
  }

  void end_line(const char* stop, std::string_view& line) {
    size_ = static_cast<size_t>(stop - start_);
    line = {start_, size_};
    at_ = stop == end_ ? end_ : stop + 1;
  }

  const char* at_;
  const char* const end_;
  const char* next_quote_;       // in or behind the last line
  const char* start_ = nullptr;  // of the last line
  size_t size_ = 0;
  size_t number_ = 0;
  size_t next_number_ = 1;
};

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Whether a line with quotes ends at its "\n" for certain if it is a good one: every quote that opens a value is closed
// in it then, for without blanks in front and backslashes in the key Lines sees the values where the reader does.
bool ends_where_it_seems(std::string_view line) {
  if (is_blank(line.front()) || line.front() == '#') return false;
  return line.substr(0, line.find(' ')).find('\\') == std::string_view::npos;
}

// How many lines to make room for: as many as there are if all are like the first.
size_t lines_expected(std::string_view body) {
  constexpr size_t expected_max = 10'000;
  return std::min(body.size() / (body.substr(0, body.find('\n')).size() + 1) + 1, expected_max);
}

std::string original_text(std::string_view line) {
  const std::string text = as_utf8(line.substr(0, kOriginalBytesMax + 4));
  return std::string(cut_text(text, kOriginalBytesMax));
}

}  // namespace

Result<Precision> parse_precision_v1(std::string_view text) {
  if (const std::optional<Precision> precision = precision_named(text)) return *precision;
  return Error{Code::invalid,
               "invalid precision \"" + shortened(as_utf8(text), kNameBytesMax) + "\" (use n, u, ms, s, m or h)"};
}

Result<Precision> parse_precision_v2(std::string_view text) {
  const bool of_v2 = text.empty() || text == "ns" || text == "us" || text == "ms" || text == "s";
  if (of_v2) return *precision_named(text);
  return Error{Code::invalid, "invalid precision; valid precision units are ns, us, ms, and s"};
}

Result<Precision> parse_precision_v3(std::string_view text) {
  if (text.empty() || text == "auto") return Precision::by_magnitude;
  if (text == "nanosecond") return Precision::nanoseconds;
  if (text == "microsecond") return Precision::microseconds;
  if (text == "millisecond") return Precision::milliseconds;
  if (text == "second") return Precision::seconds;
  const std::optional<Precision> precision = precision_named(text);
  if (precision && *precision != Precision::minutes && *precision != Precision::hours) return *precision;
  return Error{Code::invalid, "invalid precision \"" + shortened(as_utf8(text), kNameBytesMax) +
                                  "\" (use auto, nanosecond, microsecond, millisecond or second)"};
}

ParsedPoints parse_line_protocol(std::string_view body, Precision precision) {
  ParsedPoints out;
  // One fast look at everything; only a body that is not UTF-8 is looked at line by line.
  const bool all_utf8 = simdjson::validate_utf8(body.data(), body.size());
  Lines lines(body);
  LinePattern pattern;
  out.points.reserve(lines_expected(body));
  std::string_view line;
  while (lines.next(line)) {
    if (lines.has_quote()) {
      const bool try_alone = all_utf8 && ends_where_it_seems(line);
      if (try_alone && read_line(trimmed(line), lines.number(), precision, pattern, out.points)) continue;
      lines.take_quoted(line);
    }
    line = trimmed(line);
    if (line.empty() || line.front() == '#') continue;
    if (!all_utf8 && !is_utf8(line)) {
      out.reject(lines.number(), "invalid UTF-8", original_text(line));
    } else if (const Status read = read_line(line, lines.number(), precision, pattern, out.points); !read) {
      out.reject(lines.number(), read.error().detail, original_text(line));
    }
  }
  return out;
}

void quote_lines(std::string_view body, std::vector<Rejected>& rejected) {
  Lines lines(body);
  std::string_view line;
  for (auto bad = rejected.begin(); bad != rejected.end() && lines.next(line);) {
    lines.take_quoted(line);
    for (; bad != rejected.end() && bad->index <= lines.number(); ++bad) {
      if (bad->original.empty() && bad->index == lines.number()) bad->original = original_text(trimmed(line));
    }
  }
}

}  // namespace millstream::codec
