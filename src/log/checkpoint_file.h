// log/checkpoint_file.h: named checkpoints in one small SQLite file.
//
// Shapes   checkpoints.db: checkpoint(name, at, crc, state); one row a name, replaced as a whole.
// Errors   a damaged file is set aside and a damaged row counts as absent, both with an error line: the engines then
//          begin at the oldest event, which costs time and nothing else.
// Thread   any (locks inside)
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "log/event_log.h"
#include "log/sqlite.h"

namespace millstream::log {

class CheckpointFile {
 public:
  explicit CheckpointFile(std::string directory) : path_(std::move(directory) + "/checkpoints.db") {}

  Status open(int64_t now_ms);
  void close();

  Status save(std::string_view name, const Checkpoint& checkpoint);  // on disk when it returns
  Result<std::optional<Checkpoint>> load(std::string_view name);
  Status remove(std::string_view name);
  // Where each is at, by name. Damaged rows are left out.
  Result<std::map<std::string, model::EventId>> positions();

 private:
  Result<Database> open_database() const;

  const std::string path_;
  std::mutex mu_;
  std::optional<Database> database_;  // guarded by mu_
};

}  // namespace millstream::log
