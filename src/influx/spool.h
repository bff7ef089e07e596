// influx/spool.h: batches that InfluxDB could not take yet, in files of our own, in the order they came.
//
// Flow     append() puts a batch behind the others and returns when it is on the disk; front() gives the oldest ones
//          together, pop() forgets what front() gave.
// Shapes   <directory>/00000000000000000001.spool, counting up. A file is records:
//          u32 size of the body, u32 CRC-32 of it, body: i64 time of append (wall ms), i64 after, i64 to (packed ids),
//          u32 lines, as many u32 sizes, the lines. Little-endian. The files are deleted when all of their records are
//          popped, so that after a crash some are given again: InfluxDB knows a point it has had.
// Limits   bytes_max on disk and age_ms_max; beyond either the oldest file goes, and the caller is told what was in it.
// Errors   append(): Code::storage_full, Code::internal; the batch is then not in the spool. A record that was cut off
//          or damaged ends its file; open() says so and takes the rest of that file away, never the files behind it.
// Thread   one thread at a time; counts: any
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "influx/batch.h"

namespace millstream::influx {

struct SpoolOptions {
  std::string directory;
  int64_t bytes_max = int64_t{1} << 30;
  int64_t age_ms_max = 86'400'000;
  int64_t file_bytes_max = 8 << 20;  // and never more than an eighth of bytes_max
};

struct SpoolRecord {
  int64_t spooled_at_ms = 0;
  Batch batch;
};

// Appends the record's bytes as they are in a file.
void append_record(const SpoolRecord& record, std::string& out);
// Takes the first record off `bytes`. Code::corrupt: what is there is no whole record.
Result<SpoolRecord> take_record(std::string_view& bytes);

class Spool {
 public:
  // Lines that were given up: those of events above `after`, up to and with `to`.
  struct Dropped {
    uint64_t lines = 0;
    model::EventId after;
    model::EventId to;
    std::string_view why;  // "size", "age", "damaged"
  };
  using OnDropped = std::function<void(const Dropped&)>;

  Spool(SpoolOptions options, OnDropped on_dropped);

  Status open();  // makes the directory, reads what an earlier process left
  Status append(const Batch& batch, int64_t now_ms);
  // The oldest batches joined to one, as many as have at most `bytes_max` together, and at least one. Nothing: empty.
  Result<std::optional<Batch>> front(size_t bytes_max);
  void pop();
  void drop_expired(int64_t now_ms);

  bool empty() const { return batches() == 0; }
  int64_t bytes() const { return bytes_.load(); }
  int64_t batches() const { return batches_.load(); }
  model::EventId last_id() const { return last_id_; }  // of the newest batch found by open() or given since; zero: none

 private:
  struct File {
    std::string path;
    int64_t bytes = 0;    // of whole records
    int64_t read_to = 0;  // offset behind what was popped
    int64_t batches = 0;  // not popped
    uint64_t lines = 0;   // the same
    int64_t newest_ms = 0;
    model::EventId after;  // of the oldest record not popped
    model::EventId to;
  };

  Status scan(File& file);
  Status begin_file();
  void remove_front(std::string_view why);
  void count();

  const SpoolOptions options_;
  const OnDropped on_dropped_;
  std::deque<File> files_;  // oldest first; the last is written to while `tail_` is open
  UniqueFd tail_;
  UniqueFd directory_;
  uint64_t next_number_ = 1;
  model::EventId last_id_;
  bool cut_off_ = false;  // of open(): the end of the file before could not be read
  // What the last front() gave.
  int64_t taken_bytes_ = 0;
  int64_t taken_batches_ = 0;
  uint64_t taken_lines_ = 0;
  model::EventId taken_to_;

  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t> batches_{0};
};

}  // namespace millstream::influx
