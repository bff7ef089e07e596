#include "log/disk_use.h"

#include <filesystem>

namespace millstream::log {

DiskUse::DiskUse(const std::string& directory, int64_t retention_ms, metrics::Registry& registry)
    : directory_(directory),
      bytes_(registry.gauge("millstream_log_disk_bytes", "Size of the log's files")),
      free_bytes_(registry.gauge("millstream_log_disk_free_bytes", "Room that the log's file system has left")) {
  registry.gauge("millstream_log_retention_seconds", "How long events are kept").set(retention_ms / 1000);
}

void DiskUse::measure() {
  std::error_code failed;
  std::filesystem::directory_iterator files(directory_, failed);
  if (failed) return;
  uintmax_t bytes = 0;
  for (; files != std::filesystem::directory_iterator(); files.increment(failed)) {
    const uintmax_t size = files->file_size(failed);  // it may have gone
    if (!failed) bytes += size;
  }
  bytes_.set(static_cast<int64_t>(bytes));
  const std::filesystem::space_info space = std::filesystem::space(directory_, failed);
  if (!failed) free_bytes_.set(static_cast<int64_t>(space.available));
}

}  // namespace millstream::log
