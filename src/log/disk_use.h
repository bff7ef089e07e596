// log/disk_use.h: how much of the disk the log takes, and how much is left.
//
// Shapes   millstream_log_disk_bytes: its files; millstream_log_disk_free_bytes: what its file system has left for it;
//          millstream_log_retention_seconds: how long events are kept.
// Thread   one at a time; a stat() for each file
#pragma once

#include <cstdint>
#include <string>

#include "metrics/registry.h"

namespace millstream::log {

class DiskUse {
 public:
  DiskUse(const std::string& directory, int64_t retention_ms, metrics::Registry& registry);
  void measure();  // what cannot be read keeps its figure

 private:
  const std::string directory_;
  metrics::Gauge& bytes_;
  metrics::Gauge& free_bytes_;
};

}  // namespace millstream::log
