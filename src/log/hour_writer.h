// log/hour_writer.h: the one connection that writes and checkpoints an hour file.
//
// Limits   the WAL is copied into the file whenever it passed kWalFramesMax since the last copy, by wal_is_long().
// Errors   after a failed commit() nobody reads anything of it, and the next one writes over it, as long as this writer
//          lives: a new one would take what reached the WAL for committed.
// Thread   log
// Source   sqlite.org/wal.html: synchronous=FULL syncs the WAL at every commit; copying is wal_autocheckpoint=0 and
// ours
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "log/hour_file.h"
#include "model/event.h"

namespace millstream::log {

inline constexpr int kWalFramesMax = (4 << 20) / 4096;

// no: a commit is in the kernel's hands; only the copying of the WAL waits for the disk.
enum class SyncCommits : bool { no, yes };

class HourWriter {
 public:
  static Result<std::unique_ptr<HourWriter>> open(const std::string& directory, int64_t hour, SyncCommits sync);
  HourWriter(const HourWriter&) = delete;
  HourWriter& operator=(const HourWriter&) = delete;

  int64_t hour() const { return hour_; }

  // All or nothing, on disk when it returns (SyncCommits::yes). Ids are given, increase, and lie in this hour.
  Status commit(const std::vector<model::Event>& events);

  bool wal_is_long() const { return wal_.frames - wal_.copied >= kWalFramesMax; }
  Status checkpoint();              // copies what readers allow; never waits for them
  Result<bool> checkpoint_fully();  // true: everything is in the file and the WAL is empty; false: a reader is in it
  void leave_wal_as_it_is();        // the destructor will not copy what is left of it

 private:
  HourWriter(Database database, int64_t hour) : hour_(hour), database_(std::move(database)) {}
  Status prepare();
  Status load_topics();
  Status insert_all(const std::vector<model::Event>& events);
  Result<int64_t> topic_number(const model::Topic& topic);

  struct WalLength {
    int frames = 0;  // pages in the WAL after the last commit
    int copied = 0;  // of these, how many the last checkpoint() has dealt with
  };
  static int after_commit(void* wal, sqlite3*, const char*, int frames);

  const int64_t hour_;
  // log-thread-confined
  Database database_;
  std::unique_ptr<Statement> begin_, commit_, insert_event_, insert_topic_;
  std::unordered_map<model::Topic, int64_t> topics_;
  std::string topic_text_;
  int64_t next_topic_ = 1;
  bool topics_known_ = false;  // the two above are what the file holds
  WalLength wal_;              // set by SQLite's hook after every commit
};

}  // namespace millstream::log
