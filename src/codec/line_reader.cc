#include "codec/line_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/limits.h"
#include "codec/field_name.h"

namespace millstream::codec {
namespace {

constexpr size_t kKeyBytesMax = 65535;  // measurement and tags as written, as InfluxDB has it

constexpr int64_t nanoseconds_in(Precision precision) {
  switch (precision) {
    case Precision::nanoseconds: return 1;
    case Precision::microseconds: return 1'000;
    case Precision::milliseconds: return 1'000'000;
    case Precision::seconds: return 1'000'000'000;
    case Precision::minutes: return 60'000'000'000;
    case Precision::hours: return 3'600'000'000'000;
    case Precision::by_magnitude: break;
  }
  return 1;
}

constexpr Precision precision_of(int64_t timestamp) {
  constexpr int64_t limit = 5'000'000'000;
  const auto below = [timestamp](int64_t n) { return -n < timestamp && timestamp < n; };
  if (below(limit)) return Precision::seconds;
  if (below(limit * 1'000)) return Precision::milliseconds;
  if (below(limit * 1'000'000)) return Precision::microseconds;
  return Precision::nanoseconds;
}

// Which bytes end a run of ordinary ones, by the part of the line.
using ByteSet = std::array<bool, 256>;
constexpr ByteSet make_byte_set(std::string_view bytes) {
  ByteSet set{};
  for (const char c : bytes) set[static_cast<unsigned char>(c)] = true;
  return set;
}
constexpr ByteSet kMeasurementStops = make_byte_set(", \\");
constexpr ByteSet kKeyStops = make_byte_set(", =\\");
constexpr ByteSet kValueStops = make_byte_set(", ");

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The digits of a number so far. Of more than 19 the value means nothing.
struct Digits {
  uint64_t value = 0;
  size_t count = 0;

  // Moves `at` past all digits there. Gives back how many there were.
  size_t take(const char*& at, const char* end) {
    const char* p = at;
    uint64_t sum = value;
    for (; p != end && is_digit(*p); ++p) sum = sum * 10 + static_cast<uint64_t>(*p - '0');
    const auto taken = static_cast<size_t>(p - at);
    value = sum;
    count += taken;
    at = p;
    return taken;
  }
  bool fit_int64() const { return count <= 19 && value <= uint64_t{INT64_MAX}; }
};
constexpr size_t kExactDigitsMax = 15;  // so many always fit into the 53 bits of a double
constexpr std::array<double, kExactDigitsMax + 1> kPowersOfTen{1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                               1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

// A backslash counts only in front of one of `escapable`; everywhere else it stands for itself.
std::string unescaped(std::string_view text, std::string_view escapable) {
  std::string out;
  out.reserve(text.size());
  while (true) {
    const size_t backslash = text.find('\\');
    if (backslash >= text.size() - 1) return out.append(text);  // the last byte escapes nothing
    const bool counts = escapable.find(text[backslash + 1]) != std::string_view::npos;
    out.append(text.substr(0, backslash)).append(1, counts ? text[backslash + 1] : '\\');
    text.remove_prefix(backslash + (counts ? 2 : 1));
    if (text.empty()) return out;
  }
}

// Reads one line, which has no blanks in front and no line end behind.
class LineReader {
 public:
  LineReader(std::string_view line, Precision precision, LinePattern& pattern)
      : at_(line.data()), end_(at_ + line.size()), unit_(precision), pattern_(pattern) {}

  // `last`: the point that the key of the pattern belongs to, if there is one. False: reason() says why.
  bool read(const model::Point* last, model::Point& point) {
    const char* const start = at_;
    if (!take_same_key(last, point) && !read_key(point)) return false;
    const std::string_view key(start, static_cast<size_t>(at_ - start));
    if (!read_fields(point) || !read_timestamp(point) || !check_time_names(point)) return false;
    pattern_.key = key;
    return true;
  }
  const std::string& reason() const { return reason_; }

 private:
  bool fail(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }
  bool done() const { return at_ == end_; }
  void skip_blanks() {
    while (!done() && is_blank(*at_)) ++at_;
  }

  // Moves past a run that ends at the end of the line or at an unescaped byte of `stops` other than the backslash.
  // In this part of a line a byte is escaped whenever the one before it is a backslash, even "\\ ".
  std::string_view take_run(const ByteSet& stops, bool& has_backslash) {
    const char* const start = at_;
    const char* p = start;
    has_backslash = false;
    for (; p != end_; ++p) {
      if (!stops[static_cast<unsigned char>(*p)]) continue;
      if (*p == '\\') {
        has_backslash = true;
      } else if (p == start || p[-1] != '\\') {
        break;
      }
    }
    at_ = p;
    return {start, static_cast<size_t>(p - start)};
  }

  // A key ends at its first unescaped blank, so the same bytes in front of a blank are the same key.
  bool take_same_key(const model::Point* last, model::Point& point) {
    const std::string_view key = pattern_.key;
    const std::string_view line(at_, static_cast<size_t>(end_ - at_));
    if (last == nullptr || key.empty() || !line.starts_with(key) || !line.substr(key.size()).starts_with(' '))
      return false;
    at_ += key.size();
    point.site = last->site;
    point.device = last->device;
    point.tags = last->tags;
    return true;
  }

  bool read_key(model::Point& point) {
    const char* const start = at_;
    if (done() || *at_ == ',') return fail("missing measurement");
    read_measurement();
    if (done()) return fail("missing fields");
    while (*at_ == ',') {
      ++at_;
      if (!read_tag(point)) return false;
    }
    const auto size = static_cast<size_t>(at_ - start);
    if (size > kKeyBytesMax) return fail(key_too_long(size, kKeyBytesMax));
    name_device_by_host(point);
    return true;
  }

  void read_measurement() {
    bool has_backslash = false;
    const std::string_view text = take_run(kMeasurementStops, has_backslash);
    if (text == pattern_.measurement_text) return;
    pattern_.key = {};
    pattern_.measurement_text = text;
    pattern_.measurement = has_backslash ? unescaped(text, ", ") : std::string(text);
    pattern_.field_prefix = pattern_.measurement == "telemetry" ? std::string() : pattern_.measurement + '.';
    pattern_.field_names_used = 0;
  }

  // "host" names the device when no "device" does.
  static void name_device_by_host(model::Point& point) {
    if (!point.device.empty()) return;
    const auto host =
        std::find_if(point.tags.begin(), point.tags.end(), [](const auto& tag) { return tag.name == "host"; });
    if (host == point.tags.end()) return;
    point.device = std::move(host->value);
    point.tags.erase(host);
  }

  bool read_tag(model::Point& point) {
    if (done() || *at_ == ' ' || *at_ == ',' || *at_ == '=') return fail("missing tag key");
    bool name_escaped = false, value_escaped = false;
    const std::string_view raw_name = take_run(kKeyStops, name_escaped);
    if (done() || *at_ != '=') return fail("missing tag value");
    ++at_;
    if (done() || *at_ == ',' || *at_ == ' ') return fail("missing tag value");
    // A value may start with "=", but hold no other one.
    const char* const value_start = at_;
    if (*at_ == '=') ++at_;
    take_run(kKeyStops, value_escaped);
    const std::string_view raw_value(value_start, static_cast<size_t>(at_ - value_start));
    if (done()) return fail("missing fields");
    if (*at_ == '=') return fail("invalid tag format");
    constexpr std::string_view escapable = ", =";
    return add_tag(name_escaped ? unescaped(raw_name, escapable) : std::string(raw_name),
                   value_escaped ? unescaped(raw_value, escapable) : std::string(raw_value), point);
  }

  bool add_tag(std::string name, std::string value, model::Point& point) {
    std::string* const place = name == "device" ? &point.device : name == "site" ? &point.site : nullptr;
    if (place ? !place->empty() : has_tag(name, point)) return fail("duplicate tags");
    if (++tags_read_ > kTagsPerPointMax) return fail("more than " + std::to_string(kTagsPerPointMax) + " tags");
    if (name.size() > kFieldNameBytesMax) return fail(key_too_long(name.size(), kFieldNameBytesMax));
    if (value.size() > kStringFieldBytesMax) return fail(too_long("tag", name, value.size()));
    if (place) {
      *place = std::move(value);
      return true;
    }
    if (has_control_character(name)) return fail("key contains invalid unicode");
    has_time_tag_ = has_time_tag_ || name == "time";
    point.tags.push_back({std::move(name), std::move(value)});
    return true;
  }
  static bool has_tag(std::string_view name, const model::Point& point) {
    return std::any_of(point.tags.begin(), point.tags.end(), [&](const auto& tag) { return tag.name == name; });
  }

  bool read_fields(model::Point& point) {
    skip_blanks();
    if (done()) return fail("invalid field format");
    while (true) {
      if (!read_field(point)) return false;
      if (done() || *at_ == ' ') return true;
      if (*at_ != ',') return fail("invalid field format");  // something right behind a closing quote
      ++at_;
      if (done()) return fail("invalid field format");
    }
  }

  bool read_field(model::Point& point) {
    if (const LinePattern::FieldName* name = take_same_name(point)) {
      if (done() || *at_ == ',' || *at_ == ' ') return fail("missing field value");
      model::Field& field = point.fields.emplace_back();
      field.name = name->full;
      return read_value(field.value) &&
             check_size(std::string_view(name->full).substr(pattern_.field_prefix.size()), field.value);
    }
    const char* const start = at_;
    bool escaped = false;
    while (!done() && *at_ != '=' && *at_ != ',' && *at_ != ' ') {
      if (*at_ == '\\') {
        escaped = true;
        if (at_ + 1 != end_) ++at_;
      }
      ++at_;
    }
    const std::string_view raw_name(start, static_cast<size_t>(at_ - start));
    if (done() || *at_ != '=') return fail("invalid field format");
    if (raw_name.empty()) return fail("missing field key");
    ++at_;
    if (done() || *at_ == ',' || *at_ == ' ') return fail("missing field value");
    model::FieldValue value;
    if (!read_value(value)) return false;
    return add_field({start, raw_name.size() + 1}, escaped ? unescaped(raw_name, ", =\"") : std::string(raw_name),
                     std::move(value), point);
  }

  // The fields of the point so far have the first names of the pattern, in its order, and no name is in it twice: where
  // the next one stands in the line too, it needs no look. nullptr: the line has another one here.
  const LinePattern::FieldName* take_same_name(const model::Point& point) {
    const size_t number = point.fields.size();
    if (number >= pattern_.field_names_used) return nullptr;
    const LinePattern::FieldName& name = pattern_.field_names[number];
    const std::string_view rest(at_, static_cast<size_t>(end_ - at_));
    if (!rest.starts_with(name.text)) return nullptr;
    at_ += name.text.size();
    return &name;
  }

  bool check_size(std::string_view name, const model::FieldValue& value) {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr || text->size() <= kStringFieldBytesMax) return true;
    return fail(too_long("field", name, text->size()));
  }

  // `text`: the name as written, with its "=".
  bool add_field(std::string_view text, std::string name, model::FieldValue value, model::Point& point) {
    if (!check_size(name, value)) return false;
    // InfluxDB keeps the name "time" for itself and stores the rest of the point.
    if (name == "time") {
      has_time_field_ = true;
      return true;
    }
    name.insert(0, pattern_.field_prefix);
    if (name.size() > kFieldNameBytesMax) return fail(key_too_long(name.size(), kFieldNameBytesMax));
    if (has_control_character(name)) return fail("key contains invalid unicode");
    if (model::Field* same = find_field(name, point)) {  // the last one counts
      same->value = std::move(value);
      return true;
    }
    if (point.fields.size() == kFieldsPerPointMax) {
      return fail("more than " + std::to_string(kFieldsPerPointMax) + " fields");
    }
    pattern_.set_field_name(point.fields.size(), text, name);
    point.fields.push_back({std::move(name), std::move(value)});
    return true;
  }

  // Names that differ in length or ends mostly differ in their bit, which saves the search.
  model::Field* find_field(std::string_view name, model::Point& point) {
    for (; fields_noted_ < point.fields.size(); ++fields_noted_)
      names_seen_ |= bit_of(point.fields[fields_noted_].name);
    if ((names_seen_ & bit_of(name)) == 0) return nullptr;
    const auto same = std::find_if(point.fields.begin(), point.fields.end(),
                                   [&](const model::Field& field) { return field.name == name; });
    return same == point.fields.end() ? nullptr : &*same;
  }
  static uint64_t bit_of(std::string_view name) {
    const size_t hash = name.size() * 31 + static_cast<unsigned char>(name.back()) * 7 +
                        static_cast<unsigned char>(name[name.size() / 2]);
    return uint64_t{1} << (hash % 64);
  }

  bool read_value(model::FieldValue& value) {
    const char c = *at_;
    if (c == '"') return read_string(value);
    if (read_short_number(value)) return true;
    const char* const start = at_;
    while (!done() && !kValueStops[static_cast<unsigned char>(*at_)]) ++at_;
    const std::string_view token(start, static_cast<size_t>(at_ - start));
    if (is_digit(c) || c == '.' || c == '-' || c == 'N' || c == 'n') return read_number(token, value);
    return read_boolean(token, value);
  }

  // What most values are: "23.5", "-7", "42i". False, and nothing read: it is not one of these.
  bool read_short_number(model::FieldValue& value) {
    const char* p = at_;
    const bool negative = *p == '-';
    if (negative) ++p;
    Digits number;
    number.take(p, end_);
    size_t decimals = 0;
    const bool whole = p != end_ && *p == 'i';
    if (whole) {
      ++p;
    } else if (p != end_ && *p == '.') {
      ++p;
      decimals = number.take(p, end_);
    }
    if (number.count == 0 || (p != end_ && !kValueStops[static_cast<unsigned char>(*p)])) return false;
    if (whole ? !number.fit_int64() : number.count > kExactDigitsMax) return false;
    at_ = p;
    if (whole) {
      const auto n = static_cast<int64_t>(number.value);
      value = negative ? -n : n;
    } else {
      // Both are exact as doubles, so that their quotient is the nearest double, as from_chars has it.
      const double n = static_cast<double>(number.value) / kPowersOfTen[decimals];
      value = negative ? -n : n;
    }
    return true;
  }

  bool read_string(model::FieldValue& value) {
    const char* const start = ++at_;
    bool escaped = false;
    while (!done() && *at_ != '"') {
      if (*at_ == '\\') {
        escaped = true;
        if (at_ + 1 != end_) ++at_;
      }
      ++at_;
    }
    if (done()) return fail("unbalanced quotes");
    const std::string_view raw(start, static_cast<size_t>(at_ - start));
    ++at_;
    value = escaped ? unescaped(raw, "\"\\") : std::string(raw);
    return true;
  }

  bool read_boolean(std::string_view token, model::FieldValue& value) {
    if (token == "t" || token == "T" || token == "true" || token == "True" || token == "TRUE") {
      value = true;
    } else if (token == "f" || token == "F" || token == "false" || token == "False" || token == "FALSE") {
      value = false;
    } else {
      return fail("invalid boolean");
    }
    return true;
  }

  bool read_number(std::string_view token, model::FieldValue& value) {
    if (token.back() == 'i') return read_integer(token, value);
    if (token.back() == 'u') return read_unsigned(token, value);
    const char* p = token.data();
    const char* const token_end = p + token.size();
    if (*p == '-') ++p;
    size_t digits = 0, points = 0;
    bool scientific = false;
    for (const char* const first = p; p != token_end; ++p) {
      if (is_digit(*p)) {
        ++digits;
      } else if (*p == '.') {
        ++points;
      } else if (*p == 'e' || *p == 'E') {
        scientific = true;
      } else if ((*p != '+' && *p != '-') || p == first || (p[-1] != 'e' && p[-1] != 'E')) {
        return fail("invalid number");
      }
    }
    if (points > 1 || (digits == 0 && !scientific)) return fail("invalid number");
    double number = 0;
    if (!parse_double(token, number)) return fail("invalid float");
    value = number;
    return true;
  }

  static bool parse_double(std::string_view token, double& number) {
    const char* const token_end = token.data() + token.size();
    const auto [stop, error] = std::from_chars(token.data(), token_end, number);
    if (stop != token_end) return false;
    if (error == std::errc()) return true;
    // Too large or too small? from_chars does not say which; too small is a zero.
    number = std::strtod(std::string(token).c_str(), nullptr);
    return std::isfinite(number);
  }

  // Digits alone, with at most one minus in front.
  static bool is_integer(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
  }

  bool read_integer(std::string_view token, model::FieldValue& value) {
    const std::string_view digits = token.substr(0, token.size() - 1);
    if (!is_integer(digits)) return fail("invalid number");
    int64_t number = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc()) {
      return fail("unable to parse integer " + shortened(digits, kNameBytesMax) + ": " + out_of_range("Int", digits));
    }
    value = number;
    return true;
  }

  // There is no unsigned kind of value here: what an int64 does not hold becomes a double.
  bool read_unsigned(std::string_view token, model::FieldValue& value) {
    const std::string_view digits = token.substr(0, token.size() - 1);
    if (!is_integer(digits) || digits.starts_with('-')) return fail("invalid number");
    uint64_t number = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc()) {
      return fail("unable to parse unsigned " + shortened(digits, kNameBytesMax) + ": " + out_of_range("Uint", digits));
    }
    if (number <= static_cast<uint64_t>(INT64_MAX)) {
      value = static_cast<int64_t>(number);
    } else {
      value = static_cast<double>(number);
    }
    return true;
  }

  bool read_timestamp(model::Point& point) {
    skip_blanks();
    if (done()) return true;
    const char* const start = at_;
    const bool negative = *at_ == '-';
    if (negative) ++at_;
    Digits digits;
    digits.take(at_, end_);
    if (digits.count == 0 || (!done() && *at_ != ' ')) return fail("bad timestamp");
    const std::string_view token(start, static_cast<size_t>(at_ - start));
    int64_t number = 0;
    if (digits.fit_int64()) {
      number = negative ? -static_cast<int64_t>(digits.value) : static_cast<int64_t>(digits.value);
    } else if (std::from_chars(token.data(), token.data() + token.size(), number).ec != std::errc()) {
      return fail(out_of_range("Int", token));
    }
    if (!set_time(number, point)) return false;
    while (!done()) {
      if (*at_++ != ' ') return fail("point is invalid");
    }
    return true;
  }

  bool set_time(int64_t number, model::Point& point) {
    constexpr int64_t ns_max = INT64_MAX - 1;
    const Precision unit = unit_ == Precision::by_magnitude ? precision_of(number) : unit_;
    int64_t ns = 0;
    if (__builtin_mul_overflow(number, nanoseconds_in(unit), &ns) || ns < -ns_max || ns > ns_max) {
      return fail("time outside range -9223372036854775806 - 9223372036854775806");
    }
    int64_t ms = ns / 1'000'000;
    if (ns % 1'000'000 < 0) --ms;  // cut towards the past before 1970 too, as times in text are
    point.ts_ms = ms;
    return true;
  }

  bool check_time_names(const model::Point& point) {
    if (has_time_tag_) return fail(time_is_taken("tag key: input tag"));
    if (point.fields.empty() && has_time_field_) return fail(time_is_taken("field name: input field"));
    return true;
  }

  std::string time_is_taken(std::string_view kind) const {
    return "invalid " + std::string(kind) + " \"time\" on measurement \"" +
           shortened(pattern_.measurement, kNameBytesMax) + "\" is invalid";
  }
  static std::string key_too_long(size_t size, size_t max) {
    return "max key length exceeded: " + std::to_string(size) + " > " + std::to_string(max);
  }
  std::string too_long(std::string_view kind, std::string_view name, size_t size) const {
    return "input " + std::string(kind) + " \"" + shortened(name, kNameBytesMax) + "\" on measurement \"" +
           shortened(pattern_.measurement, kNameBytesMax) + "\" is too long, " + std::to_string(size) + " > " +
           std::to_string(kStringFieldBytesMax);
  }
  // InfluxDB passes on the words of the Go library here.
  static std::string out_of_range(std::string_view kind, std::string_view digits) {
    return "strconv.Parse" + std::string(kind) + ": parsing \"" + shortened(digits, kNameBytesMax) +
           "\": value out of range";
  }

  const char* at_;
  const char* const end_;
  const Precision unit_;
  LinePattern& pattern_;
  uint64_t names_seen_ = 0;  // of the first fields_noted_ fields
  size_t fields_noted_ = 0;
  size_t tags_read_ = 0;
  bool has_time_tag_ = false;
  bool has_time_field_ = false;
  std::string reason_;
};

}  // namespace

void LinePattern::set_field_name(size_t number, std::string_view text, std::string_view full) {
  if (number == field_names.size()) field_names.emplace_back();
  field_names[number].text = text;
  field_names[number].full = full;
  field_names_used = number + 1;
}

Status read_line(std::string_view line, size_t number, Precision precision, LinePattern& pattern,
                 std::vector<model::Point>& points) {
  points.emplace_back();
  model::Point& point = points.back();
  point.index = number;
  const model::Point* const last = points.size() == 1 ? nullptr : &point - 1;
  if (last != nullptr) point.fields.reserve(last->fields.size());  // lines of one body are mostly alike
  LineReader reader(line, precision, pattern);
  if (reader.read(last, point)) return {};
  points.pop_back();
  return Error{Code::invalid, reader.reason()};
}

}  // namespace millstream::codec
