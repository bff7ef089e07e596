// log/sqlite_event_log.h: the embedded log: SQLite files, one an hour, in the data directory.
//
// Flow     event_log.h; one thread owns the only connection that writes and checkpoints. Beside the commits it closes
//          windows of telemetry (window_sealer.h), so that a day of it stays small.
// Shapes   <directory>/events-<hours since 1970>.db and <directory>/checkpoints.db.
// Source   SQLite 3.7.0 to 3.51.2 can corrupt a WAL when a checkpoint on a second connection races a commit
//          (sqlite.org/wal.html#walresetbug): hence one writing and checkpointing connection, readers mode=ro.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/limits.h"
#include "log/event_log.h"
#include "log/once_keys.h"
#include "log/window_sealer.h"
#include "metrics/registry.h"

namespace millstream::log {

struct SqliteEventLogOptions {
  std::string directory;  // created with mode 0700 if absent
  int64_t retention_ms = kDayMs;
  size_t append_queue_events_max = 100'000;
  size_t append_queue_bytes_max = 256 << 20;
  int64_t tick_interval_ms = 200;
  size_t once_keys_max = kOnceKeysMax;
  SealingOptions sealing = {};
  bool sync_commits = true;  // false: acknowledged once the kernel has it; what a power cut takes is lost
};

std::unique_ptr<EventLog> make_sqlite_event_log(SqliteEventLogOptions options, const Clock& clock,
                                                metrics::Registry& metrics);

}  // namespace millstream::log
