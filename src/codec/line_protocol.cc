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
  explicit Lines(std::string_view body) : at_(body.data()), end_(at_ + body.size()) {}

  // False at the end of the body. The line comes without its end.
  bool next(std::string_view& line) {
    if (at_ == end_) return false;
    number_ = next_number_;
    const char* stop = find(at_, '\n');
    const std::string_view first(at_, static_cast<size_t>(stop - at_));
    if (std::memchr(first.data(), '"', first.size()) != nullptr && !is_comment(first)) {
      stop = quoted_line_end(stop);
      next_number_ += static_cast<size_t>(std::count(at_, stop, '\n'));
    }
    ++next_number_;
    line = {at_, static_cast<size_t>(stop - at_)};
    at_ = stop == end_ ? end_ : stop + 1;
    return true;
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
    for (const char* p = at_; p < end_; ++p) {
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

  const char* at_;
  const char* const end_;
  size_t number_ = 0;
  size_t next_number_ = 1;
};

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Takes the tag out of the point's tags; empty when there is none.
std::string take_tag(std::string_view name, model::Tags& tags) {
  const auto tag = std::find_if(tags.begin(), tags.end(), [&](const model::Tag& t) { return t.name == name; });
  if (tag == tags.end()) return {};
  std::string value = std::move(tag->value);
  tags.erase(tag);
  return value;
}

void name_places(model::Point& point) {
  point.device = take_tag("device", point.tags);
  if (point.device.empty()) point.device = take_tag("host", point.tags);
  point.site = take_tag("site", point.tags);
}

std::string original_text(std::string_view line) {
  const std::string text = as_utf8(line.substr(0, kOriginalBytesMax + 4));
  return std::string(cut_text(text, kOriginalBytesMax));
}

void take_line(std::string_view line, size_t number, Precision precision, ParsedPoints& out) {
  model::Point point;
  point.index = number;
  // Lines of one body are mostly alike.
  if (!out.points.empty()) point.fields.reserve(out.points.back().fields.size());
  if (const Status read = read_line(line, precision, point); read) {
    name_places(point);
    out.points.push_back(std::move(point));
  } else {
    out.reject(number, read.error().detail, original_text(line));
  }
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
  std::string_view line;
  while (lines.next(line)) {
    line = trimmed(line);
    if (line.empty() || line.front() == '#') continue;
    if (!all_utf8 && !is_utf8(line)) {
      out.reject(lines.number(), "invalid UTF-8", original_text(line));
      continue;
    }
    take_line(line, lines.number(), precision, out);
  }
  return out;
}

void quote_lines(std::string_view body, std::vector<Rejected>& rejected) {
  Lines lines(body);
  std::string_view line;
  for (auto bad = rejected.begin(); bad != rejected.end() && lines.next(line);) {
    for (; bad != rejected.end() && bad->index <= lines.number(); ++bad) {
      if (bad->original.empty() && bad->index == lines.number()) bad->original = original_text(trimmed(line));
    }
  }
}

}  // namespace millstream::codec
