#include "log/data_shape.h"

#include "codec/event_json.h"

namespace millstream::log {
namespace {

constexpr uint64_t kExponentFollows = 3;
constexpr char kLastKind = static_cast<char>(ValueKind::device);

bool is_kind(char c) { return c >= 1 && c <= kLastKind; }
bool starts_number(char c) { return c == '-' || (c >= '0' && c <= '9'); }
bool in_number(char c) { return starts_number(c) || c == '.' || c == '+' || c == 'e' || c == 'E'; }

// The place of the closing quote; npos: none.
size_t string_end(std::string_view text, size_t opening) {
  for (size_t at = opening + 1; at < text.size(); ++at) {
    if (text[at] == '"') return at;
    if (text[at] == '\\') ++at;
    if (at < text.size() && is_kind(text[at])) return std::string_view::npos;
  }
  return std::string_view::npos;
}

class Splitter {
 public:
  Splitter(std::string_view data, std::string_view device, SplitData& out) : data_(data), device_(device), out_(out) {}

  void split() {
    out_.shape.clear();
    out_.values.clear();
    while (at_ < data_.size()) {
      if (!step()) return keep_whole(data_, out_);
    }
    out_.shape += data_.substr(copied_);
    if (out_.shape.size() > kShapeBytesMax) keep_whole(data_, out_);
  }

 private:
  bool step() {
    const char c = data_[at_];
    if (is_kind(c)) return false;
    if (c == '"') return step_string();
    if (starts_number(c)) {
      step_number();
    } else if (data_.substr(at_, 4) == "true") {
      put(ValueKind::truth, 4);
      out_.values += '\1';
    } else if (data_.substr(at_, 5) == "false") {
      put(ValueKind::truth, 5);
      out_.values += '\0';
    } else {
      ++at_;
    }
    return true;
  }

  bool step_string() {
    const size_t end = string_end(data_, at_);
    if (end == std::string_view::npos) return false;
    if (end + 1 < data_.size() && data_[end + 1] == ':') {
      at_ = end + 1;
      return true;
    }
    const std::string_view content = data_.substr(at_ + 1, end - at_ - 1);
    const bool is_device = !device_.empty() && content == device_;
    if (!is_device) append_sized(content, out_.values);
    put(is_device ? ValueKind::device : ValueKind::text, end + 1 - at_);
    return true;
  }

  void step_number() {
    size_t end = at_;
    while (end < data_.size() && in_number(data_[end])) ++end;
    const std::string_view text = data_.substr(at_, end - at_);
    const std::optional<Decimal> number = parse_decimal(text);
    if (number) {
      append_value(*number, out_.values);
    } else {
      append_sized(text, out_.values);
    }
    put(number ? ValueKind::number : ValueKind::raw, text.size());
  }

  void put(ValueKind kind, size_t size) {
    out_.shape += data_.substr(copied_, at_ - copied_);
    out_.shape += static_cast<char>(kind);
    at_ += size;
    copied_ = at_;
  }

  const std::string_view data_;
  const std::string_view device_;
  SplitData& out_;
  size_t at_ = 0;
  size_t copied_ = 0;  // what is before is in the shape
};

}  // namespace

void append_value(Decimal value, std::string& out) {
  const bool follows = value.exponent >= kExponentFollows;
  append_varint(zigzag(value.mantissa) << 2 | (follows ? kExponentFollows : value.exponent), out);
  if (follows) out += static_cast<char>(value.exponent);
}

Decimal read_decimal(ByteReader& in) {
  const uint64_t packed = in.varint();
  auto exponent = static_cast<uint8_t>(packed & 3);
  if (exponent == kExponentFollows) exponent = in.byte();
  return {unzigzag(packed >> 2), exponent};
}

void split_data(std::string_view data, std::string_view device, SplitData& out) { Splitter(data, device, out).split(); }

void keep_whole(std::string_view data, SplitData& out) {
  out.shape.assign(1, static_cast<char>(ValueKind::raw));
  out.values.clear();
  append_sized(data, out.values);
}

Shape Shape::parse(std::string_view text) {
  Shape shape;
  size_t begin = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    if (!is_kind(text[at])) continue;
    shape.literals_.emplace_back(text.substr(begin, at - begin));
    shape.kinds_.push_back(static_cast<ValueKind>(text[at]));
    begin = at + 1;
  }
  shape.literals_.emplace_back(text.substr(begin));
  shape.find_fields();
  return shape;
}

// With each value's place in its stead, the shape is an event's data like any other.
void Shape::find_fields() {
  std::string json;
  for (size_t i = 0; i < kinds_.size(); ++i) {
    json += literals_[i];
    json += std::to_string(i);
  }
  json += literals_.back();
  const Result<model::Fields> fields = codec::decode_telemetry_fields(json);
  if (!fields) return;
  for (const model::Field& field : *fields) {
    const int64_t* place = std::get_if<int64_t>(&field.value);
    if (!place) continue;
    fields_.push_back({field.name, static_cast<size_t>(*place)});
    const ValueKind kind = kinds_[fields_.back().value];
    if (kind != ValueKind::text && kind != ValueKind::device) number_fields_.push_back(fields_.back());
  }
}

bool Shape::join(std::string_view values, std::string_view device, std::string& out) const {
  ByteReader in(values);
  for (size_t i = 0; i < kinds_.size(); ++i) {
    out += literals_[i];
    switch (kinds_[i]) {
      case ValueKind::number: {
        const Decimal number = read_decimal(in);
        if (number.exponent > kDecimalDigitsMax) return false;
        append_decimal(number, out);
        break;
      }
      case ValueKind::raw: out += in.sized(); break;
      case ValueKind::text:
        out += '"';
        out += in.sized();
        out += '"';
        break;
      case ValueKind::truth: out += in.byte() != 0 ? "true" : "false"; break;
      case ValueKind::device:
        out += '"';
        out += device;
        out += '"';
        break;
    }
  }
  out += literals_.back();
  return in.ok() && in.at_end();
}

}  // namespace millstream::log
