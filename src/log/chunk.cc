#include "log/chunk.h"

#include <zstd.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/check.h"
#include "codec/event_json.h"

namespace millstream::log {
namespace {

constexpr int kCompressionLevel = 3;
constexpr size_t kPlainBytesMax = size_t{256} << 20;
constexpr uint8_t kNotScaled = 0xff;
constexpr size_t kDistinctTextsMax = 255;

Error corrupt(std::string_view what) { return {Code::corrupt, "chunk: " + std::string(what)}; }

void append_differences(const std::vector<int64_t>& values, std::string& out) {
  int64_t before = 0;
  for (const int64_t value : values) {
    append_signed(wrapping_subtract(value, before), out);
    before = value;
  }
}

void read_differences(ByteReader& in, size_t count, std::vector<int64_t>& out) {
  out.resize(count);
  int64_t value = 0;
  for (int64_t& entry : out) entry = value = wrapping_add(value, in.signed_varint());
}

// --- columns ---------------------------------------------------------------------------------------------------------

bool add_value(ByteReader& in, Column& column) {
  switch (column.kind) {
    case ValueKind::number: {
      const Decimal number = read_decimal(in);
      if (number.exponent > kDecimalDigitsMax) return false;
      column.mantissas.push_back(number.mantissa);
      column.exponents.push_back(number.exponent);
      break;
    }
    case ValueKind::raw:
    case ValueKind::text: column.texts.push_back(in.sized()); break;
    case ValueKind::truth: column.truths.push_back(in.byte()); break;
    case ValueKind::device: break;
  }
  return in.ok();
}

// The mantissas with one place for the point; empty: they do not fit.
std::vector<int64_t> scale(const Column& column, uint8_t exponent) {
  std::vector<int64_t> scaled;
  scaled.reserve(column.mantissas.size());
  for (size_t i = 0; i < column.mantissas.size(); ++i) {
    const std::optional<int64_t> mantissa = scaled_to({column.mantissas[i], column.exponents[i]}, exponent);
    if (!mantissa) return {};
    scaled.push_back(*mantissa);
  }
  return scaled;
}

void append_numbers(const Column& column, std::string& out) {
  const uint8_t exponent = *std::max_element(column.exponents.begin(), column.exponents.end());
  const std::vector<int64_t> scaled = scale(column, exponent);
  if (!scaled.empty()) {
    out += static_cast<char>(exponent);
    append_differences(scaled, out);
    return;
  }
  out += static_cast<char>(kNotScaled);
  out.append(column.exponents.begin(), column.exponents.end());
  append_differences(column.mantissas, out);
}

void append_texts(const std::vector<std::string_view>& texts, std::string& out) {
  std::unordered_map<std::string_view, size_t> numbers;
  std::vector<std::string_view> distinct;
  for (const std::string_view text : texts) {
    if (distinct.size() > kDistinctTextsMax) break;
    if (numbers.try_emplace(text, distinct.size()).second) distinct.push_back(text);
  }
  const bool listed = distinct.size() <= kDistinctTextsMax;
  append_varint(listed ? distinct.size() : 0, out);
  for (const std::string_view text : listed ? distinct : texts) append_sized(text, out);
  if (!listed || distinct.size() == 1) return;
  for (const std::string_view text : texts) out += static_cast<char>(numbers.at(text));
}

void append_column(const Column& column, std::string& out) {
  switch (column.kind) {
    case ValueKind::number: append_numbers(column, out); break;
    case ValueKind::raw:
    case ValueKind::text: append_texts(column.texts, out); break;
    case ValueKind::truth: out.append(column.truths.begin(), column.truths.end()); break;
    case ValueKind::device: break;
  }
}

bool read_numbers(ByteReader& in, size_t count, Column& column) {
  column.exponent = in.byte();
  column.scaled = column.exponent != kNotScaled;
  if (column.scaled && column.exponent > kDecimalDigitsMax) return false;
  if (!column.scaled) {
    const std::string_view exponents = in.bytes(count);
    column.exponents.assign(exponents.begin(), exponents.end());
    if (std::any_of(column.exponents.begin(), column.exponents.end(), [](uint8_t e) { return e > kDecimalDigitsMax; }))
      return false;
  }
  read_differences(in, count, column.mantissas);
  return in.ok();
}

bool read_texts(ByteReader& in, size_t count, std::vector<std::string_view>& out) {
  const size_t distinct = in.varint();
  if (distinct > kDistinctTextsMax) return false;
  if (distinct == 0) {
    for (size_t i = 0; i < count && in.ok(); ++i) out.push_back(in.sized());
    return in.ok();
  }
  std::vector<std::string_view> texts;
  for (size_t i = 0; i < distinct && in.ok(); ++i) texts.push_back(in.sized());
  if (distinct == 1) {
    out.assign(count, texts.front());
    return in.ok();
  }
  out.reserve(count);
  for (const char number : in.bytes(count)) {
    if (static_cast<uint8_t>(number) >= distinct) return false;
    out.push_back(texts[static_cast<uint8_t>(number)]);
  }
  return in.ok();
}

bool read_column(ByteReader& in, size_t count, Column& column) {
  switch (column.kind) {
    case ValueKind::number: return read_numbers(in, count, column);
    case ValueKind::raw:
    case ValueKind::text: return read_texts(in, count, column.texts);
    case ValueKind::truth: {
      const std::string_view truths = in.bytes(count);
      column.truths.assign(truths.begin(), truths.end());
      return in.ok();
    }
    case ValueKind::device: return true;
  }
  return false;
}

std::vector<Column> columns_of(const Shape& shape) {
  std::vector<Column> columns;
  for (const ValueKind kind : shape.kinds()) columns.push_back({.kind = kind});
  return columns;
}

// None: spelled in a way that JSON's own reader has to look at.
std::optional<model::FieldValue> value_at(const Column& column, size_t row, std::string_view device) {
  switch (column.kind) {
    case ValueKind::number: {
      const Decimal number = column.scaled ? shortest(column.mantissas[row], column.exponent)
                                           : Decimal{column.mantissas[row], column.exponents[row]};
      if (number.exponent == 0) return number.mantissa;
      return to_double(number);
    }
    case ValueKind::truth: return column.truths[row] != 0;
    case ValueKind::device: return std::string(device);
    case ValueKind::text:
      if (column.texts[row].find('\\') != std::string_view::npos) return std::nullopt;
      return std::string(column.texts[row]);
    case ValueKind::raw: break;
  }
  return std::nullopt;
}

std::string compress(std::string_view plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  const size_t size = ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), kCompressionLevel);
  MS_CHECK(!ZSTD_isError(size));  // the room is enough, so that only memory can run out
  out.resize(size);
  return out;
}

Result<std::string> decompress(std::string_view bytes) {
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kPlainBytesMax)
    return corrupt("not a zstd frame of known size");
  std::string plain(static_cast<size_t>(size), '\0');
  const size_t got = ZSTD_decompress(plain.data(), plain.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(got) || got != plain.size()) return corrupt("does not decompress");
  return plain;
}

}  // namespace

// --- writing ---------------------------------------------------------------------------------------------------------

size_t ChunkBuilder::group_of(int64_t number, const std::shared_ptr<const Shape>& shape) {
  for (size_t i = groups_.size(); i-- > 0;) {
    if (groups_[i].number == number) return i;
  }
  groups_.push_back({number, shape, columns_of(*shape)});
  return groups_.size() - 1;
}

bool ChunkBuilder::add(const PackedEvent& event, const std::shared_ptr<const Shape>& shape) {
  const size_t group = group_of(event.shape, shape);
  ids_.push_back(event.id.packed());
  ts_.push_back(event.ts_ms);
  group_.push_back(static_cast<uint32_t>(group));
  constexpr size_t kNumberBytesMax = 11;  // a difference of mantissas and an exponent
  bytes_max_ += event.values.size() + (groups_[group].columns.size() + 3) * kNumberBytesMax;
  ByteReader in(event.values);
  for (Column& column : groups_[group].columns) {
    if (!add_value(in, column)) return false;
  }
  return in.at_end();
}

std::string ChunkBuilder::encode_sums() const {
  const bool rising = std::adjacent_find(ts_.begin(), ts_.end(), std::greater_equal<>()) == ts_.end();
  if (groups_.size() != 1 || !rising) return {};
  std::string out;
  append_varint(static_cast<uint64_t>(groups_[0].number), out);
  for (const FieldPlace& field : groups_[0].shape->number_fields()) {
    const Column& column = groups_[0].columns[field.value];
    if (column.kind == ValueKind::raw) return {};
    std::vector<int64_t> values(column.truths.begin(), column.truths.end());
    uint8_t exponent = 0;
    if (column.kind == ValueKind::number) {
      exponent = *std::max_element(column.exponents.begin(), column.exponents.end());
      values = scale(column, exponent);
      if (values.empty()) return {};
    }
    int64_t sum = 0;
    for (const int64_t value : values) {
      if (__builtin_add_overflow(sum, value, &sum)) return {};
    }
    const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
    append_varint(field.value, out);
    out += static_cast<char>(exponent);
    for (const int64_t value : {*least, *greatest, values.back(), sum}) append_signed(value, out);
  }
  return out;
}

ChunkRow ChunkBuilder::finish(int64_t topic) const {
  MS_DCHECK(!ids_.empty());
  std::string plain;
  append_varint(ids_.size(), plain);
  append_differences(ids_, plain);
  std::vector<int64_t> delays(ts_);
  for (size_t i = 0; i < delays.size(); ++i)
    delays[i] = wrapping_subtract(delays[i], model::EventId::from_packed(ids_[i]).ms);
  append_differences(delays, plain);
  append_varint(groups_.size(), plain);
  for (const Group& group : groups_) append_varint(static_cast<uint64_t>(group.number), plain);
  if (groups_.size() > 1) {
    for (const uint32_t group : group_) append_varint(group, plain);
  }
  for (const Group& group : groups_) {
    for (const Column& column : group.columns) append_column(column, plain);
  }
  MS_CHECK(plain.size() <= kPlainBytesMax);
  const auto [low, high] = std::minmax_element(ts_.begin(), ts_.end());
  return {.topic = topic,
          .first = model::EventId::from_packed(ids_.front()),
          .last = model::EventId::from_packed(ids_.back()),
          .ts_low_ms = *low,
          .ts_high_ms = *high,
          .count = ids_.size(),
          .sums = encode_sums(),
          .data = compress(plain)};
}

// --- reading ---------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Chunk>> Chunk::decode(std::string_view bytes, ShapeSource& shapes) {
  Result<std::string> plain = decompress(bytes);
  if (!plain) return plain.error();
  std::unique_ptr<Chunk> chunk(new Chunk());
  chunk->plain_ = std::move(*plain);
  Error error = corrupt("its bytes do not add up");
  if (!chunk->read(shapes, error)) return error;
  return chunk;
}

bool Chunk::read(ShapeSource& shapes, Error& error) {
  ByteReader in(plain_);
  const size_t count = in.varint();
  if (count == 0 || count > in.left() / 2) return false;  // an id and a ts are two bytes at least
  read_differences(in, count, ids_);
  read_differences(in, count, ts_);
  for (size_t i = 0; i < count; ++i) ts_[i] = wrapping_add(ts_[i], id(i).ms);
  const size_t groups = in.varint();
  if (!in.ok() || groups == 0 || groups > count) return false;
  for (size_t i = 0; i < groups; ++i) {
    const Result<std::shared_ptr<const Shape>> shape = shapes.shape_of(static_cast<int64_t>(in.varint()));
    if (!shape) error = shape.error();
    if (!shape || !*shape) return false;
    groups_.push_back({.shape = *shape, .events = {}, .columns = columns_of(**shape)});
  }
  if (groups > 1) {
    for (size_t i = 0; i < count; ++i) {
      const uint64_t group = in.varint();
      if (group >= groups) return false;
      group_.push_back(static_cast<uint32_t>(group));
      row_.push_back(static_cast<uint32_t>(groups_[group].events.size()));
      groups_[group].events.push_back(static_cast<uint32_t>(i));
    }
  }
  for (Group& group : groups_) {
    const size_t rows = groups > 1 ? group.events.size() : count;
    for (Column& column : group.columns) {
      if (!read_column(in, rows, column)) return false;
    }
  }
  return in.ok() && in.at_end();
}

void Chunk::append_data(size_t i, std::string_view device, std::string& out) const {
  const Group& group = groups_[group_.empty() ? 0 : group_[i]];
  const size_t row = row_.empty() ? i : row_[i];
  for (size_t v = 0; v < group.columns.size(); ++v) {
    const Column& column = group.columns[v];
    out += group.shape->literal(v);
    switch (column.kind) {
      case ValueKind::number:
        append_decimal(column.scaled ? shortest(column.mantissas[row], column.exponent)
                                     : Decimal{column.mantissas[row], column.exponents[row]},
                       out);
        break;
      case ValueKind::raw: out += column.texts[row]; break;
      case ValueKind::text: (out += '"').append(column.texts[row]) += '"'; break;
      case ValueKind::truth: out += column.truths[row] != 0 ? "true" : "false"; break;
      case ValueKind::device: (out += '"').append(device) += '"'; break;
    }
  }
  out += group.shape->literal(group.columns.size());
}

void Chunk::append_fields(size_t i, std::string_view device, std::span<const std::string> names,
                          model::Fields& out) const {
  const Group& group = groups_[group_.empty() ? 0 : group_[i]];
  const size_t row = row_.empty() ? i : row_[i];
  const auto& places = group.shape->fields();
  bool plain = !group.shape->is_whole();
  for (size_t n = 0; plain && n < names.size(); ++n) {
    const auto place = std::find_if(places.begin(), places.end(), [&](const auto& p) { return p.name == names[n]; });
    if (place == places.end()) continue;
    std::optional<model::FieldValue> value = value_at(group.columns[place->value], row, device);
    plain = value.has_value();
    if (plain) out.push_back({names[n], std::move(*value)});
  }
  if (plain) return;
  std::string data;
  append_data(i, device, data);
  Result<model::Fields> fields = codec::decode_telemetry_fields(data, names);
  out = fields ? std::move(*fields) : model::Fields();
}

size_t Chunk::bytes() const {
  size_t bytes = plain_.size() + (ids_.size() + ts_.size()) * sizeof(int64_t) + group_.size() * 3 * sizeof(uint32_t);
  for (const Group& group : groups_) {
    for (const Column& column : group.columns) {
      bytes += column.mantissas.size() * sizeof(int64_t) + column.exponents.size() + column.truths.size() +
               column.texts.size() * sizeof(std::string_view);
    }
  }
  return bytes;
}

std::optional<double> number_at(const Column& column, size_t row) {
  switch (column.kind) {
    case ValueKind::number:
      return to_double({column.mantissas[row], column.scaled ? column.exponent : column.exponents[row]});
    case ValueKind::truth: return column.truths[row] != 0 ? 1.0 : 0.0;
    case ValueKind::raw: return number_of(column.texts[row]);
    default: return std::nullopt;
  }
}

Result<ChunkSums> decode_sums(std::string_view bytes, ShapeSource& shapes) {
  ByteReader in(bytes);
  const Result<std::shared_ptr<const Shape>> shape = shapes.shape_of(static_cast<int64_t>(in.varint()));
  if (!shape) return shape.error();
  if (!*shape) return corrupt("sums of an unknown shape");
  ChunkSums sums{.shape = *shape, .fields = {}};
  while (in.ok() && !in.at_end()) {
    FieldSums field{.value = in.varint()};
    const uint8_t exponent = in.byte();
    if (exponent > kDecimalDigitsMax || field.value >= (*shape)->kinds().size()) return corrupt("sums of no field");
    field.min = to_double({in.signed_varint(), exponent});
    field.max = to_double({in.signed_varint(), exponent});
    field.last = to_double({in.signed_varint(), exponent});
    field.sum = to_double({in.signed_varint(), exponent});
    sums.fields.push_back(field);
  }
  if (!in.ok()) return corrupt("sums cut off");
  return sums;
}

}  // namespace millstream::log
