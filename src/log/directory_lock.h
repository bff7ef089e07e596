// log/directory_lock.h: one process a data directory.
//
// Errors   Code::conflict: another process holds it.
// Thread   startup
// Source   flock(2): the system releases it when the process ends, however it ends
#pragma once

#include <string>

#include "base/result.h"

namespace millstream::log {

class DirectoryLock {
 public:
  DirectoryLock() = default;
  ~DirectoryLock() { release(); }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

  Status take(const std::string& directory);
  void release();

 private:
  int fd_ = -1;
};

}  // namespace millstream::log
