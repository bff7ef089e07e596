#include "app/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "app/scratch_directory.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/unique_fd.h"
#include "log/directory_lock.h"
#include "log/file_snapshot.h"
#include "log/hour_copy.h"
#include "log/hour_file.h"
#include "registry/private_file.h"
#include "registry/registry_copy.h"

namespace millstream::app {
namespace {

namespace fs = std::filesystem;

constexpr int kSnapshotTries = 100;
constexpr const char* kCertificate = "self-signed.pem";
constexpr std::string_view kAsidePrefix = "before-restore-";

Error system_error(const std::string& what) {
  return {errno == ENOSPC ? Code::storage_full : Code::internal, what + ": " + std::strerror(errno)};
}

// Names in the log's folder, sorted as they are to be copied.
struct LogNames {
  std::vector<int64_t> hours;
  std::vector<std::string> set_aside;
};

Result<LogNames> log_names(const std::string& data_directory) {
  LogNames names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(data_directory + "/log", error)) {
    const std::string name = entry.path().filename().string();
    if (const auto hour = log::parse_hour_file_name(name)) {
      names.hours.push_back(*hour);
    } else if (log::parse_set_aside_name(name)) {
      names.set_aside.push_back(name);
    }
  }
  if (error) return Error{Code::not_found, data_directory + " is no data directory: it has no log in it"};
  std::sort(names.hours.begin(), names.hours.end());
  std::sort(names.set_aside.begin(), names.set_aside.end());
  return names;
}

class DataCopy {
 public:
  DataCopy(std::string from, std::string to, const Progress& progress)
      : from_(std::move(from)), to_(std::move(to)), progress_(progress) {}

  Status run(const LogNames& names, BackupManifest& manifest) {
    if (::mkdir((to_ + "/log").c_str(), 0700) != 0) return system_error(to_ + "/log");
    const auto snapshot = [](const std::string& from, const std::string& to) {
      const Status copied = log::snapshot_file(from, to, kSnapshotTries);
      return copied ? log::fold_wal(to) : copied;
    };
    const auto as_it_is = [](const std::string& from, const std::string& to) {
      return log::snapshot_file(from, to, 1);
    };
    const auto registry = [this](const std::string&, const std::string& to) {
      return registry::copy_registry(from_, to);
    };
    if (Status s = add("log/checkpoints.db", snapshot, manifest); !s) return s;
    for (const std::string& name : names.set_aside) {
      if (Status s = add("log/" + name, as_it_is, manifest); !s) return s;
      if (Status s = describe("log/" + name + "-wal", manifest); !s) return s;
    }
    for (const int64_t hour : names.hours) {
      const std::string name = "log/" + log::hour_file_name(hour);
      if (Status s = add(name, log::copy_hour_file, manifest); !s) return s;
      if (Status s = note_last_id(to_ + "/" + name, manifest); !s) return s;
    }
    if (Status s = add(kCertificate, as_it_is, manifest); !s) return s;
    return add("registry.db", registry, manifest);
  }

 private:
  template <class Copy>
  Status add(const std::string& name, Copy copy, BackupManifest& manifest) {
    const std::string to = to_ + "/" + name;
    const Status copied = copy(from_ + "/" + name, to);
    if (!copied && copied.error().code == Code::not_found) return {};
    if (!copied) return explain(name, copied.error());
    return describe(name, manifest);
  }

  // A copy, if there is one.
  Status describe(const std::string& name, BackupManifest& manifest) {
    const std::string copy = to_ + "/" + name;
    if (::access(copy.c_str(), F_OK) != 0) return {};
    Result<BackupFile> file = describe_file(copy, progress_);
    if (!file) return file.error();
    file->name = name;
    manifest.files.push_back(std::move(*file));
    return {};
  }

  static Error explain(const std::string& name, const Error& error) {
    if (error.code != Code::corrupt) return error;
    return {error.code, name + " is damaged (" + error.detail +
                            "); millstream check-data says where, and the server sets it aside when it is restarted"};
  }

  static Status note_last_id(const std::string& copy, BackupManifest& manifest) {
    if (::access(copy.c_str(), F_OK) != 0) return {};
    const Result<log::HourFileSpan> span = log::check_hour_file(copy, false);
    // A damaged file is kept as it is: it is the server's to judge.
    if (span) manifest.last_id = std::max(manifest.last_id, span->last);
    return {};
  }

  const std::string from_;
  const std::string to_;
  const Progress& progress_;
};

// --- restoring -------------------------------------------------------------------------------------------------------

// What a directory may hold and still be called empty.
bool counts_as_nothing(const std::string& name) { return name == "lost+found"; }

Result<std::vector<std::string>> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (!counts_as_nothing(name)) names.push_back(name);
  }
  if (error) return Error{Code::internal, directory + ": " + error.message()};
  return names;
}

Status check_room(const std::string& directory, uint64_t bytes) {
  std::error_code error;
  const fs::space_info space = fs::space(directory, error);
  if (error || space.available >= bytes) return {};
  return Error{Code::storage_full, directory + ": " + std::to_string(bytes) + " bytes are needed, there is room for " +
                                       std::to_string(space.available)};
}

// Files as a damaged hour leaves behind, empty: the log declares what they stand for as missing. They stand for whole
// hours, up to now. The hour in which the backup ends is only among them when it is not over: else viewers can go on
// with what there is of it, and are told at its end.
Status mark_missing(const std::string& log_directory, const BackupManifest& manifest, int64_t now_ms,
                    int64_t retention_ms) {
  const int64_t now_hour = now_ms / kHourMs;
  const int64_t after_backup = std::min(manifest.created_at_ms / kHourMs + 1, now_hour);
  const int64_t first = std::max(after_backup, (now_ms - retention_ms) / kHourMs);
  for (int64_t hour = first; hour <= now_hour; ++hour) {
    const std::string name = log::hour_file_name(hour) + ".damaged-" + std::to_string(now_ms);
    MS_CHECK(log::parse_set_aside_name(name));
    const UniqueFd file(
        ::open((log_directory + "/" + name).c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return system_error(log_directory + "/" + name);
  }
  return {};
}

Status move(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str()) == 0 ? Status() : Status(system_error("cannot move " + from + " to " + to));
}

Status move_aside(const std::string& directory, const std::vector<std::string>& names, const std::string& aside) {
  if (::mkdir(aside.c_str(), 0700) != 0) return system_error(aside);
  for (const std::string& name : names) {
    if (name.starts_with(kAsidePrefix)) continue;
    if (Status s = move(directory + "/" + name, aside + "/" + name); !s) return s;
  }
  return {};
}

// The log last: without it, a data directory is none.
Status put_in_place(const std::string& scratch, const std::string& directory) {
  for (const char* name : {"registry.db", kCertificate, "log"}) {
    const std::string from = scratch + "/" + name;
    if (::access(from.c_str(), F_OK) != 0) continue;
    if (Status s = move(from, directory + "/" + name); !s) return s;
  }
  log::sync_directory(directory);
  return {};
}

}  // namespace

Result<uint64_t> data_bytes(const std::string& data_directory) {
  const Result<LogNames> names = log_names(data_directory);
  if (!names) return names.error();
  std::vector<std::string> paths = {"registry.db", kCertificate, "log/checkpoints.db"};
  for (const int64_t hour : names->hours) paths.push_back("log/" + log::hour_file_name(hour));
  for (const std::string& name : names->set_aside) paths.push_back("log/" + name);
  uint64_t bytes = 0;
  for (const std::string& path : paths) {
    const log::FileState state = log::file_state(data_directory + "/" + path);
    bytes += static_cast<uint64_t>(state.bytes + state.wal_bytes);
  }
  return bytes;
}

Result<BackupManifest> copy_data(const std::string& data_directory, const std::string& directory, const Clock& clock,
                                 const Progress& progress) {
  BackupManifest manifest;
  manifest.created_at_ms = clock.wall_ms();
  const Result<LogNames> names = log_names(data_directory);
  if (!names) return names.error();
  const Result<uint64_t> bytes = data_bytes(data_directory);
  if (!bytes) return bytes.error();
  if (Status s = check_room(directory, *bytes); !s) return s.error();
  if (Status s = DataCopy(data_directory, directory, progress).run(*names, manifest); !s) return s.error();
  return manifest;
}

Result<Restored> restore_data(int fd, const RestoreOptions& options, const Clock& clock,
                              const std::function<void(const BackupManifest&)>& begin, const Progress& progress) {
  const std::string& directory = options.data_directory;
  if (Status s = registry::make_private_directory(directory); !s) return s.error();
  const Result<std::vector<std::string>> there = names_in(directory);
  if (!there) return there.error();
  if (!there->empty() && !options.force) {
    return Error{Code::conflict, directory +
                                     " is not empty; name another directory, or move what is there aside with "
                                     "--force"};
  }
  log::DirectoryLock old_lock;  // both until the end: no server may start meanwhile
  log::DirectoryLock new_lock;
  if (fs::exists(directory + "/log")) {
    if (Status s = old_lock.take(directory + "/log"); !s) return s.error();
  }
  const Result<ScratchDirectory> scratch = ScratchDirectory::make(directory + "/.restore-");
  if (!scratch) return scratch.error();
  Result<BackupManifest> manifest = read_backup(
      fd, scratch->path(),
      [&](const BackupManifest& read) {
        begin(read);
        return check_room(scratch->path(), read.bytes());
      },
      progress);
  if (!manifest) return manifest.error();

  const int64_t now_ms = clock.wall_ms();
  const std::string log_directory = scratch->path() + "/log";
  if (Status s = mark_missing(log_directory, *manifest, now_ms, options.retention_ms); !s) return s.error();
  if (Status s = new_lock.take(log_directory); !s) return s.error();
  log::sync_directory(log_directory);
  log::sync_directory(scratch->path());

  Restored restored{.manifest = std::move(*manifest), .moved_aside = {}};
  if (!there->empty()) {
    restored.moved_aside = directory + "/" + std::string(kAsidePrefix) + std::to_string(now_ms);
    if (Status s = move_aside(directory, *there, restored.moved_aside); !s) return s.error();
  }
  if (Status s = put_in_place(scratch->path(), directory); !s) return s.error();
  return restored;
}

}  // namespace millstream::app
