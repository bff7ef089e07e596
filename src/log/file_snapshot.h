// log/file_snapshot.h: an SQLite file and its WAL, copied as they are while another process may be writing to them.
//
// Flow     the file is read first, its WAL after it. A WAL whose header is the same before and after was not begun
//          again: it still holds every page that a checkpoint may have been writing into the file meanwhile. So the two
//          copies together are one state, and frames that were being appended fail their checksum and count for
//          nothing.
// Errors   Code::not_found: there is no such file (any more). Code::unavailable: the WAL was begun again at every try.
//          Code::storage_full. Else Code::internal.
// Thread   any; blocking. It takes no lock and opens no connection: nobody waits for it, and nothing is checkpointed.
// Source   sqlite.org/fileformat2.html#the_write_ahead_log, sqlite.org/wal.html
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"

namespace millstream::log {

// What tells that somebody wrote to an SQLite file: compare two of them.
struct FileState {
  ino_t inode = 0;  // zero: there is no file
  int64_t bytes = 0;
  int64_t changed_ns = 0;
  int64_t wal_bytes = 0;
  std::string wal_header;

  bool operator==(const FileState&) const = default;
};
FileState file_state(const std::string& path);

// To `to` and, where the WAL holds something, <to>-wal; mode 0600; neither may be there yet.
Status snapshot_file(const std::string& path, const std::string& to, int tries);

// Brings the WAL of a copy that nobody else uses into the copy.
Status fold_wal(const std::string& copy);

}  // namespace millstream::log
