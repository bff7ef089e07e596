// log/hour_reader.h: one read-only connection to one hour file, and how it finds events there.
//
// Flow     hour_files.h lends it to a reader thread; scan() is one read transaction and leaves none behind.
// Shapes   Three ways through the rows, all in id order: few topics -> one index cursor each, merged; no telemetry
//          asked -> one index cursor per type; else every row of the span, filtered.
// Errors   Code::corrupt: the file is damaged from here on. A row that fails its check is counted and left out.
// Thread   one at a time
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "log/event_log.h"
#include "log/sqlite.h"
#include "log/topic_filter.h"

namespace millstream::log {

// One read() over several files.
struct Scan {
  const ReadRequest& request;
  int64_t low = 0;  // packed ids, both inclusive
  int64_t high = 0;
  size_t rows_left = 0;  // how many rows may still be looked at

  std::vector<model::Event> events;
  model::EventId scanned_to;  // newest row looked at, in the order asked
  bool stopped = false;       // before the end of the span: page full, or no rows left
  size_t damaged_rows = 0;
  int64_t first_damaged = 0;  // packed; as found, in the order asked
  int64_t last_damaged = 0;
};

class HourReader {
 public:
  static Result<std::unique_ptr<HourReader>> open(const std::string& path, OpenMode mode);

  bool immutable() const { return immutable_; }
  Status scan(Scan& scan);

 private:
  enum class Way { all, topic, type };
  struct Cursor;
  struct TopicEntry {
    model::Topic topic;
    std::string text;
  };

  HourReader(Database database, bool immutable) : immutable_(immutable), database_(std::move(database)) {}
  Status scan_in_transaction(Scan& scan);
  Result<std::vector<Cursor>> open_cursors(const Scan& scan, const TopicSet* topics);
  Result<Cursor> open_cursor(const Scan& scan, Way way, int64_t key);
  Result<Statement> take_statement(size_t kind);
  void give_back(Cursor& cursor);
  Status merge(Scan& scan, const TopicSet* topics, std::vector<Cursor>& cursors);
  Status take_row(Scan& scan, const TopicSet* topics, const Statement& row);
  Status decode(const Statement& row, Scan& scan);
  Result<const TopicEntry*> topic_of(int64_t number);

  const bool immutable_;
  Database database_;
  TopicFilters filters_;
  std::unordered_map<int64_t, TopicEntry> topics_;
  std::array<std::vector<Statement>, 6> idle_;  // prepared, by way and order
};

}  // namespace millstream::log
