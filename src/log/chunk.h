// log/chunk.h: the telemetry of one device over a closed window, in columns.
//
// Flow     the sealer adds a device's events to a ChunkBuilder and stores the row it gives; readers decode it: whole
//          events for a stream or a backfill page, columns of numbers for a chart.
// Shapes   zstd over: count; ids (packed, the first whole, then differences); ts minus the id's milliseconds; the
// shapes
//          and, when there are several, which event has which; then for each shape its values, column by column.
//          A column of numbers has one place for the point and holds differences of mantissas; of texts: all of them,
//          or one for all. sums: of each number field the least, greatest, last and the sum, when all events have one
//          shape and rising ts.
// Errors   decode(): Code::corrupt.
// Thread   value
// Source   zstd.net (facebook.github.io/zstd/zstd_manual.html)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "log/block.h"
#include "log/data_shape.h"
#include "model/point.h"

namespace millstream::log {

struct ChunkRow {
  int64_t topic = 0;
  model::EventId first;
  model::EventId last;
  int64_t ts_low_ms = 0;
  int64_t ts_high_ms = 0;
  uint64_t count = 0;
  uint32_t crc = 0;  // hour_file.h
  std::string sums;  // empty: there are none
  std::string data;
};

// Where a file's shapes are found by number.
class ShapeSource {
 public:
  virtual Result<std::shared_ptr<const Shape>> shape_of(int64_t number) = 0;  // null: there is none

 protected:
  ~ShapeSource() = default;
};

struct Column {
  ValueKind kind = ValueKind::number;
  uint8_t exponent = 0;
  bool scaled = true;                   // numbers: all have `exponent`; else each has its own
  std::vector<int64_t> mantissas;       // numbers
  std::vector<uint8_t> exponents;       // numbers, not scaled
  std::vector<std::string_view> texts;  // raw and text
  std::vector<uint8_t> truths;          // truth
};

class ChunkBuilder {
 public:
  static constexpr size_t kChunkBytes = 16 << 20;

  // In id order, all of one topic. False: the values are not of the shape.
  bool add(const PackedEvent& event, const std::shared_ptr<const Shape>& shape);
  size_t count() const { return ids_.size(); }
  // It is time for another one: what it encodes to might grow past what decode() takes.
  bool is_full() const { return bytes_max_ > kChunkBytes; }
  // Precondition: not empty.
  ChunkRow finish(int64_t topic) const;

 private:
  struct Group {
    int64_t number = 0;
    std::shared_ptr<const Shape> shape;
    std::vector<Column> columns;
  };
  size_t group_of(int64_t number, const std::shared_ptr<const Shape>& shape);
  std::string encode_sums() const;

  std::vector<int64_t> ids_;
  std::vector<int64_t> ts_;
  std::vector<uint32_t> group_;
  std::vector<Group> groups_;
  size_t bytes_max_ = 0;  // it encodes to no more, before compression
};

class Chunk {
 public:
  static Result<std::unique_ptr<Chunk>> decode(std::string_view bytes, ShapeSource& shapes);
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  size_t count() const { return ids_.size(); }
  model::EventId id(size_t i) const { return model::EventId::from_packed(ids_[i]); }
  int64_t ts_ms(size_t i) const { return ts_[i]; }
  void append_data(size_t i, std::string_view device, std::string& out) const;
  // Those of `names` that the event has, as codec::decode_telemetry_fields() gives them of its data.
  void append_fields(size_t i, std::string_view device, std::span<const std::string> names, model::Fields& out) const;

  // The events of one shape, in id order.
  struct Group {
    std::shared_ptr<const Shape> shape;
    std::vector<uint32_t> events;  // which; empty: all of them
    std::vector<Column> columns;
  };
  const std::vector<Group>& groups() const { return groups_; }
  size_t bytes() const;  // of memory, about

 private:
  Chunk() = default;
  bool read(ShapeSource& shapes, Error& error);

  std::string plain_;  // what the texts of the columns point into
  std::vector<int64_t> ids_;
  std::vector<int64_t> ts_;
  std::vector<uint32_t> group_;  // of each event; empty: all in the first
  std::vector<uint32_t> row_;    // in its group; empty: as in the chunk
  std::vector<Group> groups_;
};

// The value of a column as a number; none: a text that is none.
std::optional<double> number_at(const Column& column, size_t row);

// Of one number field over a whole chunk.
struct FieldSums {
  size_t value = 0;  // which of the shape's values
  double min = 0;
  double max = 0;
  double sum = 0;
  double last = 0;
};
struct ChunkSums {
  std::shared_ptr<const Shape> shape;
  std::vector<FieldSums> fields;
};
Result<ChunkSums> decode_sums(std::string_view bytes, ShapeSource& shapes);

}  // namespace millstream::log
