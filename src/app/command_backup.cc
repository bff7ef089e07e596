// millstream backup and restore: everything the server keeps as one file, and back.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "app/backup.h"
#include "app/commands.h"
#include "app/node_name.h"
#include "app/open_registry.h"
#include "app/progress_line.h"
#include "app/scratch_directory.h"
#include "base/time_text.h"
#include "base/unique_fd.h"
#include "log/hour_file.h"

namespace millstream::app {
namespace {

namespace fs = std::filesystem;

Error system_error(const std::string& what) { return {Code::internal, what + ": " + std::strerror(errno)}; }

Status check_target(const BackupOptions& options) {
  if (options.file == "-") {
    if (::isatty(STDOUT_FILENO) == 0) return {};
    return Error{Code::invalid, "a backup is nothing for a terminal: send standard output to a file or a pipe"};
  }
  struct stat info {};
  if (::lstat(options.file.c_str(), &info) != 0) return {};
  if (!S_ISREG(info.st_mode)) return Error{Code::conflict, options.file + " is there and is not a regular file"};
  if (!options.force) return Error{Code::conflict, options.file + " is there already; --force writes over it"};
  return {};
}

// Beside the file, so that it can be renamed; for standard output where temporary files belong.
std::string scratch_prefix(const std::string& file) {
  std::error_code ignored;
  if (file == "-") return (fs::temp_directory_path(ignored) / "millstream-backup-").string();
  const fs::path path(file);
  return (path.parent_path() / ("." + path.filename().string() + ".")).string();
}

// Under its name only once it is whole and on the disk.
Status keep(int fd, const std::string& written, const BackupOptions& options) {
  if (::fsync(fd) != 0) return system_error(written);
  const char* to = options.file.c_str();
  int renamed = ::renameat2(AT_FDCWD, written.c_str(), AT_FDCWD, to, options.force ? 0 : RENAME_NOREPLACE);
  if (renamed != 0 && errno == EINVAL) renamed = ::rename(written.c_str(), to);  // not known to this file system
  if (renamed != 0) return system_error("cannot write " + options.file);
  const fs::path parent = fs::path(options.file).parent_path();
  log::sync_directory(parent.empty() ? "." : parent.string());
  return {};
}

std::string count_text(const BackupManifest& manifest) {
  return std::to_string(manifest.files.size()) + " files, " + size_text(manifest.bytes());
}

std::string last_text(const BackupManifest& manifest) {
  if (manifest.last_id.is_zero()) return "no events";
  return "events to " + rfc3339_ms(manifest.last_id.ms) + " (" + manifest.last_id.text() + ")";
}

}  // namespace

Result<int> run_backup(const Config& config, const BackupOptions& options, const std::string& version) {
  if (Status s = check_target(options); !s) return s.error();
  const Result<uint64_t> bytes = data_bytes(config.server.data_directory);
  if (!bytes) return bytes.error();
  const Result<ScratchDirectory> scratch = ScratchDirectory::make(scratch_prefix(options.file));
  if (!scratch) return scratch.error();
  const std::string copies = scratch->path() + "/data";
  if (::mkdir(copies.c_str(), 0700) != 0) return system_error(copies);

  uint64_t written_bytes = 0;
  const SystemClock clock;
  Result<BackupManifest> manifest = BackupManifest{};
  {
    ProgressLine line;
    const Progress progress = [&line](uint64_t done) { return line.advance(done); };
    line.begin("copying", *bytes);
    manifest = copy_data(config.server.data_directory, copies, clock, progress);
    if (!manifest) return manifest.error();
    manifest->version = version;
    manifest->node = node_name();

    line.begin("writing", manifest->bytes());
    if (options.file == "-") {
      if (Status s = write_backup(STDOUT_FILENO, *manifest, copies, progress); !s) return s.error();
    } else {
      const std::string archive = scratch->path() + "/archive";
      const UniqueFd file(::open(archive.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      if (!file) return system_error(archive);
      if (Status s = write_backup(file.get(), *manifest, copies, progress); !s) return s.error();
      written_bytes = static_cast<uint64_t>(::lseek(file.get(), 0, SEEK_CUR));
      if (Status s = keep(file.get(), archive, options); !s) return s.error();
    }
  }
  if (config.postgres.enabled()) {
    std::fprintf(stderr, "without the registry, which is in %s: pg_dump --schema=%s backs it up\n",
                 registry_place(config).c_str(), config.postgres.schema.c_str());
  }
  const std::string to = options.file == "-" ? "" : " to " + options.file + ", " + size_text(written_bytes);
  std::fprintf(options.file == "-" ? stderr : stdout, "backed up %s%s; %s\n", count_text(*manifest).c_str(), to.c_str(),
               last_text(*manifest).c_str());
  return 0;
}

Result<int> run_restore(const Config& config, const BackupOptions& options) {
  const UniqueFd file(options.file == "-" ? ::dup(STDIN_FILENO) : ::open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return Error{Code::not_found, "cannot read " + options.file + ": " + std::strerror(errno)};
  const SystemClock clock;
  Result<Restored> restored = Restored{};
  {
    ProgressLine line;
    restored = restore_data(
        file.get(),
        {.data_directory = config.server.data_directory,
         .force = options.force,
         .retention_ms = config.storage.retention_ms},
        clock, [&line](const BackupManifest& manifest) { line.begin("restoring", manifest.bytes()); },
        [&line](uint64_t done) { return line.advance(done); });
    if (!restored) return restored.error();
  }
  const BackupManifest& manifest = restored->manifest;
  std::printf("restored %s to %s; %s\n", count_text(manifest).c_str(), config.server.data_directory.c_str(),
              last_text(manifest).c_str());
  std::printf("made %s on %s by version %s\n", rfc3339_ms(manifest.created_at_ms).c_str(), manifest.node.c_str(),
              manifest.version.c_str());
  if (!restored->moved_aside.empty()) std::printf("what was there is now in %s\n", restored->moved_aside.c_str());
  return 0;
}

}  // namespace millstream::app
