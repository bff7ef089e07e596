// log/hour_reader.h: one read-only connection to one hour file, and how it finds events there.
//
// Flow     hour_files.h lends it to a reader thread; scan() is one read transaction and leaves none behind.
// Shapes   Three ways through the file, all in id order: few topics -> the rows and chunks of each, merged; no
// telemetry
//          asked -> rows by type; else everything in the span, filtered. What is not sealed yet is gone through whole.
// Errors   Code::corrupt: the file is damaged from here on. A row that fails its check is counted and left out.
// Thread   one at a time
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "log/hour_names.h"
#include "log/hour_rows.h"
#include "log/hour_scan.h"
#include "log/sqlite.h"
#include "log/topic_filter.h"
#include "log/windows.h"

namespace millstream::log {

// What is closed in a file, as a read transaction sees it.
struct SealedSoFar {
  int64_t through = 0;     // packed; zero: nothing
  int64_t chunk_last = 0;  // chunks from above it are half-done work
};

class HourReader {
 public:
  static Result<std::unique_ptr<HourReader>> open(const std::string& path, OpenMode mode, WindowRows::Place windows);

  Status scan(Scan& scan);
  // The same for what is in no chunk, within a transaction of the caller's.
  Status scan_loose(Scan& scan);
  // One read transaction for `work`, which may use what follows.
  Status in_transaction(const std::function<Status()>& work);
  Result<SealedSoFar> sealed_so_far();
  Database& database() { return database_; }
  HourNames& names() { return names_; }

 private:
  enum class Way { all, topic, type };

  HourReader(Database database, WindowRows::Place windows)
      : database_(std::move(database)), names_(database_), windows_(windows) {}
  enum class Telemetry { all, loose };
  Status scan_in_transaction(Scan& scan, Telemetry telemetry);
  Status open_rows(Scan& scan, const TopicSet* topics, Telemetry telemetry);
  Status open_telemetry(Scan& scan, const TopicSet* topics, Way way, Telemetry telemetry);
  Status open_event_rows(const Scan& scan, Way way, int64_t key);
  Status merge(Scan& scan, const TopicSet* topics);
  Status take_row(Scan& scan, const TopicSet* topics, Rows& row);

  Database database_;
  HourNames names_;
  const WindowRows::Place windows_;
  bool has_chunks_ = false;  // the file is of version 2
  TopicFilters filters_;
  std::vector<std::unique_ptr<Rows>> rows_;  // of the scan at hand
};

}  // namespace millstream::log
