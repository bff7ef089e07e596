// log/hour_writer.h: the one connection that writes and checkpoints an hour file.
//
// Limits   kShapesMax shapes a file: the data of what comes after is kept whole. The WAL is copied into the file
// whenever it passed kWalFramesMax since the last copy, by wal_is_long(). Errors   after a failed commit() nobody reads
// anything of it, and the next one writes over it, as long as this writer
//          lives: a new one would take what reached the WAL for committed.
// Thread   log
// Source   sqlite.org/wal.html: synchronous=FULL syncs the WAL at every commit; copying is wal_autocheckpoint=0 and
// ours
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "log/block.h"
#include "log/chunk.h"
#include "log/data_shape.h"
#include "log/hour_file.h"
#include "log/once_rows.h"
#include "model/event.h"

namespace millstream::log {

inline constexpr int64_t kShapesMax = 100'000;
inline constexpr int kWalFramesMax = (4 << 20) / 4096;

struct SealedWindow {
  model::EventId first;
  model::EventId through;
  size_t chunks = 0;  // the last ones stored
};

// no: a commit is in the kernel's hands; only the copying of the WAL waits for the disk.
enum class SyncCommits : bool { no, yes };

class HourWriter {
 public:
  static Result<std::unique_ptr<HourWriter>> open(const std::string& directory, int64_t hour, SyncCommits sync);
  HourWriter(const HourWriter&) = delete;
  HourWriter& operator=(const HourWriter&) = delete;

  int64_t hour() const { return hour_; }

  // All or nothing, on disk when it returns (SyncCommits::yes). Ids are given, increase, and lie in this hour.
  // `once`: of batches among the events; their keys are not in the file yet.
  Status commit(const std::vector<model::Event>& events, std::span<const OnceRow> once = {});

  // What is committed and in no chunk yet.
  struct Unsealed {
    model::EventId after;  // the last closed window's end
    model::EventId first;  // zero: nothing
    model::EventId last;
    size_t events = 0;
    size_t bytes = 0;
  };
  const Unsealed& unsealed() const { return unsealed_; }
  size_t topics() const { return topics_.size(); }
  // Blocks of closed windows may be left: when the file is opened, after close_window().
  bool has_sealed_blocks() const { return has_sealed_blocks_; }
  // Part of a window's chunks; nobody reads them before close_window(). Durable when it returns.
  Status store_chunks(std::span<const ChunkRow> chunks);
  // From here on the chunks are read and the blocks up to `window.through` are not.
  Status close_window(const SealedWindow& window);
  Status drop_sealed_blocks();  // a few at a time
  // The room that blocks have left in the file, for when nothing more is to come. A little at a time.
  Status give_back_pages();
  bool has_free_pages() const { return has_free_pages_; }

  model::EventId last_committed() const { return last_committed_; }  // by this writer; zero: nothing yet

  bool wal_is_long() const { return wal_.frames - wal_.copied >= kWalFramesMax; }
  Status checkpoint();              // copies what readers allow; never waits for them
  Result<bool> checkpoint_fully();  // true: everything is in the file and the WAL is empty; false: a reader is in it
  void leave_wal_as_it_is();        // the destructor will not copy what is left of it

 private:
  HourWriter(Database database, int64_t hour) : hour_(hour), database_(std::move(database)) {}
  Status prepare();
  Status recover_sealing();
  Status load_names();
  Status load_topics();
  Status load_shapes();
  Status count_unsealed();
  Status insert_all(const std::vector<model::Event>& events);
  Status insert_event(const model::Event& event, int64_t topic);
  Status pack(const model::Event& event, int64_t topic);
  Status insert_block();
  Status insert_once(const OnceRow& row);
  Result<int64_t> topic_number(const model::Topic& topic);
  Result<int64_t> shape_number();
  Status in_transaction(const std::function<Status()>& work);

  struct WalLength {
    int frames = 0;  // pages in the WAL after the last commit
    int copied = 0;  // of these, how many the last checkpoint() has dealt with
  };
  static int after_commit(void* wal, sqlite3*, const char*, int frames);

  const int64_t hour_;
  // log-thread-confined
  Database database_;
  std::unique_ptr<Statement> begin_, commit_, insert_event_, insert_topic_, insert_shape_, insert_block_, insert_once_,
      insert_chunk_, insert_sealed_, drop_blocks_;
  std::unordered_map<model::Topic, int64_t> topics_;
  std::unordered_map<std::string, int64_t> shapes_;
  int64_t next_topic_ = 1;
  int64_t next_shape_ = 1;
  bool names_known_ = false;  // the four above are what the file holds
  int64_t next_chunk_ = 1;
  model::EventId last_committed_;
  Unsealed unsealed_;
  bool has_sealed_blocks_ = true;
  bool has_free_pages_ = true;
  std::string topic_text_;
  SplitData split_;    // of the event at hand
  BlockWriter block_;  // of the commit at hand
  WalLength wal_;      // set by SQLite's hook after every commit
};

}  // namespace millstream::log
