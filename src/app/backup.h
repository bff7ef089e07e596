// app/backup.h: a data directory's files, copied as of one moment while a server may be writing to them; and put back.
//
// Flow     copy_data(): checkpoints first, then the hour files from the oldest to the newest that was there at the
//          beginning, the registry last. So no engine's checkpoint lies ahead of the log, the log is there without a
//          hole up to some event after the beginning, and a key that was revoked meanwhile is revoked in the copy.
//          Each file is one state of itself (log/hour_copy.h, log/file_snapshot.h, registry/registry_copy.h).
// Shapes   Not kept: login sessions and tickets (secrets that end by themselves: one that was ended after the backup
//          must not be good again), the lock, what was set aside of checkpoints.
// Errors   what retention removes meanwhile is not in it. A file whose pages are damaged is an error naming it.
// Thread   one at a time; blocking
#pragma once

#include <string>

#include "app/backup_archive.h"
#include "app/backup_manifest.h"
#include "base/clock.h"
#include "base/result.h"

namespace millstream::app {

// Bytes that a backup of it begins with; Code::not_found: there is no log in it.
Result<uint64_t> data_bytes(const std::string& data_directory);

// To `directory`, which is empty. The manifest lists what is there; its version and node are left to the caller.
Result<BackupManifest> copy_data(const std::string& data_directory, const std::string& directory, const Clock& clock,
                                 const Progress& progress);

struct RestoreOptions {
  std::string data_directory;
  bool force = false;        // move what is there to before-restore-<time> in it
  int64_t retention_ms = 0;  // how far back a viewer may come to ask for events
};
struct Restored {
  BackupManifest manifest;
  std::string moved_aside;  // where to; empty: nothing was there
};

// Checks everything before anything is put in place. What happened between the backup and now is marked as missing, so
// that viewers who come back are told. Code::conflict: the directory is not empty, or a server uses it.
// `begin` is given the manifest before the work begins.
Result<Restored> restore_data(int fd, const RestoreOptions& options, const Clock& clock,
                              const std::function<void(const BackupManifest&)>& begin, const Progress& progress);

}  // namespace millstream::app
