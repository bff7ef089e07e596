// log/hour_rows.h: the four places an hour file keeps events in, each gone through by id in the order asked.
//
// Flow     hour_reader.h opens what a scan needs and merges them by id.
// Shapes   EventRows: rows of event. BlockRows: telemetry not sealed yet. ChunkRows: one device's chunks, one decoded
// at
//          a time. WindowRows: whole closed windows, for readers of many devices.
// Errors   what fails its check is counted in the scan as damage and passed over.
// Thread   one at a time, within a read transaction
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "log/block.h"
#include "log/hour_names.h"
#include "log/hour_scan.h"
#include "log/sqlite.h"
#include "log/topic_filter.h"
#include "log/windows.h"

namespace millstream::log {

class Rows {
 public:
  virtual ~Rows() = default;

  bool at_end() const { return id_ < 0; }
  int64_t id() const { return id_; }  // packed, of the row it stands on
  virtual int64_t type() const { return static_cast<int64_t>(model::EventType::telemetry); }
  virtual int64_t topic() const = 0;
  virtual Status next(Scan& scan) = 0;  // the first call goes to the first row
  virtual Status take(Scan& scan) = 0;  // adds the row's event to the scan

 protected:
  int64_t id_ = -1;
};

class EventRows final : public Rows {
 public:
  // `rows` gives id, topic, type, ts, conclusion, crc, data.
  EventRows(Statement rows, HourNames& names) : rows_(std::move(rows)), names_(names) {}
  int64_t type() const override;
  int64_t topic() const override;
  Status next(Scan& scan) override;
  Status take(Scan& scan) override;

 private:
  Statement rows_;
  HourNames& names_;
};

class BlockRows final : public Rows {
 public:
  // `topics`: the only ones looked for; null: all.
  static Result<std::unique_ptr<Rows>> open(Database& database, HourNames& names, const Scan& scan, int64_t through,
                                            const TopicSet* topics);
  int64_t topic() const override { return events_[at_].topic; }
  Status next(Scan& scan) override;
  Status take(Scan& scan) override;

 private:
  BlockRows(Statement blocks, HourNames& names, const TopicSet* topics)
      : blocks_(std::move(blocks)), names_(names), topics_(topics) {}
  void load(Scan& scan);

  Statement blocks_;
  HourNames& names_;
  const TopicSet* topics_;
  std::string bytes_;
  std::vector<PackedEvent> events_;  // of the block, in the order asked
  size_t at_ = 0;
};

// What is decoded at once, a chunk or a window, and then gone through.
class DecodedRows : public Rows {
 public:
  Status next(Scan& scan) final;

 protected:
  explicit DecodedRows(Statement sources) : sources_(std::move(sources)) {}
  // Decodes what the statement stands on; sets left_ to how many of its rows are to be gone to.
  virtual Status load(Scan& scan) = 0;
  virtual size_t size() const = 0;
  virtual int64_t id_at(size_t i) const = 0;

  Statement sources_;
  size_t left_ = 0;
  size_t at_ = 0;  // the row it stands on
};

class ChunkRows final : public DecodedRows {
 public:
  static Result<std::unique_ptr<Rows>> open(Database& database, HourNames& names, const Scan& scan, int64_t chunk_last,
                                            int64_t topic);
  int64_t topic() const override { return topic_; }
  Status take(Scan& scan) override;

 private:
  ChunkRows(Statement chunks, HourNames& names, int64_t topic)
      : DecodedRows(std::move(chunks)), names_(names), topic_(topic) {}
  Status load(Scan& scan) override;
  size_t size() const override { return chunk_ ? chunk_->count() : 0; }
  int64_t id_at(size_t i) const override { return chunk_->id(i).packed(); }

  HourNames& names_;
  const int64_t topic_;
  std::unique_ptr<Chunk> chunk_;
};

class WindowRows final : public DecodedRows {
 public:
  struct Place {
    WindowCache& cache;
    uint64_t file = 0;
  };
  static Result<std::unique_ptr<Rows>> open(Database& database, HourNames& names, const Scan& scan, Place place);
  int64_t topic() const override { return window_->topics[place().chunk]; }
  Status take(Scan& scan) override;

 private:
  WindowRows(Database& database, Statement windows, HourNames& names, Place place)
      : DecodedRows(std::move(windows)), database_(database), names_(names), place_(place) {}
  const Window::Place& place() const { return window_->places[at_]; }
  Status load(Scan& scan) override;
  size_t size() const override { return window_ ? window_->places.size() : 0; }
  int64_t id_at(size_t i) const override { return window_->places[i].id; }
  Result<WindowPtr> decode(int64_t chunk_first, int64_t chunk_last);

  Database& database_;
  HourNames& names_;
  Place place_;
  WindowPtr window_;
};

// Columns of chunk, in the order read_chunk_row() takes them.
inline constexpr std::string_view kChunkColumns = "topic, first, last, ts_low, ts_high, count, crc, sums, data";

struct CheckedChunk {
  ChunkRow row;
  bool sound = false;            // false: it fails its check
  std::unique_ptr<Chunk> chunk;  // Decode::yes, and sound
};
enum class Decode { no, yes };
Result<CheckedChunk> read_chunk_row(const Statement& row, HourNames& names, Decode decode = Decode::yes);

}  // namespace millstream::log
