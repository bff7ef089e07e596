#include "log/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace millstream::log {

Status DirectoryLock::take(const std::string& directory) {
  const std::string path = directory + "/lock";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0) return Error{Code::internal, path + ": " + std::strerror(errno)};
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return {};
  release();
  return Error{Code::conflict, directory + ": another millstream process is using this data directory"};
}

void DirectoryLock::release() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace millstream::log
