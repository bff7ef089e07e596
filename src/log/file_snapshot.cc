#include "log/file_snapshot.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"
#include "log/sqlite.h"

namespace millstream::log {
namespace {

constexpr size_t kWalHeaderBytes = 32;
constexpr size_t kCopyBytes = 8 << 20;  // at once

Error system_error(const std::string& path) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  const Code code = error == ENOENT ? Code::not_found : full ? Code::storage_full : Code::internal;
  return Error{code, path + ": " + std::strerror(error)};
}

std::string read_wal_header(const std::string& wal) {
  const UniqueFd file(::open(wal.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, kWalHeaderBytes> header;
  const ssize_t got = file.get() < 0 ? 0 : ::pread(file.get(), header.data(), header.size(), 0);
  return {header.data(), static_cast<size_t>(got > 0 ? got : 0)};
}

Status copy_bytes(const std::string& path, const std::string& to) {
  const UniqueFd in(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (in.get() < 0) return system_error(path);
  const UniqueFd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (out.get() < 0) return system_error(to);
  while (true) {
    const ssize_t sent = ::sendfile(out.get(), in.get(), nullptr, kCopyBytes);
    if (sent == 0) return {};
    if (sent < 0 && errno != EINTR) return system_error(path + " to " + to);
  }
}

void remove_copy(const std::string& to) {
  ::unlink((to + "-wal").c_str());
  ::unlink(to.c_str());
}

// What may differ between before and after without harm: a WAL that was only appended to, and what was checkpointed
// from it.
bool still_one_state(const FileState& before, const FileState& after) {
  if (before.wal_header.size() < kWalHeaderBytes) return before == after;
  return before.inode == after.inode && before.wal_header == after.wal_header;
}

}  // namespace

FileState file_state(const std::string& path) {
  FileState state;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return state;
  state.inode = info.st_ino;
  state.bytes = info.st_size;
  state.changed_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
  const std::string wal = path + "-wal";
  if (::stat(wal.c_str(), &info) == 0) state.wal_bytes = info.st_size;
  if (state.wal_bytes > 0) state.wal_header = read_wal_header(wal);
  return state;
}

Status snapshot_file(const std::string& path, const std::string& to, int tries) {
  for (int i = 0; i < tries; ++i) {
    const FileState before = file_state(path);
    Status copied = copy_bytes(path, to);
    if (copied && before.wal_bytes > 0) copied = copy_bytes(path + "-wal", to + "-wal");
    const FileState after = file_state(path);
    if (copied && still_one_state(before, after)) return {};
    remove_copy(to);
    // A WAL that went away meanwhile is a state that changed; a file that is not there is an error.
    const bool again = copied || (copied.error().code == Code::not_found && after.inode != 0);
    if (!again) return copied;
  }
  return Error{Code::unavailable, path + ": it was written to all the time"};
}

Status fold_wal(const std::string& copy) {
  if (file_state(copy).wal_bytes == 0) return {};
  Result<Database> database = Database::open(copy, OpenMode::read_write);
  if (!database) return database.error();
  // Alone with the file: no shared memory beside it.
  return database->execute(
      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE");
}

}  // namespace millstream::log
