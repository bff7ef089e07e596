#include "log/checkpoint_file.h"

#include <algorithm>
#include <utility>

#include "base/log_line.h"
#include "log/hour_file.h"

namespace millstream::log {
namespace {

constexpr int64_t kVersion = 1;

uint32_t checkpoint_crc(std::string_view name, int64_t at, std::string_view state) {
  return row_crc({.id = at, .topic = name, .type = 0, .ts_ms = 0, .conclusion = 0, .data = state});
}

Error closed_error() { return Error{Code::unavailable, "checkpoints: not open"}; }

}  // namespace

Result<Database> CheckpointFile::open_database() const {
  Result<Database> database = Database::open(path_, OpenMode::read_write);
  if (!database) return database.error();
  // One connection only: exclusive locking needs no shared memory file.
  if (Status s = database->execute("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                   "PRAGMA wal_autocheckpoint=256; PRAGMA journal_size_limit=16777216");
      !s) {
    return s.error();
  }
  if (Status s = database->check_pages(); !s) return Error{s.error().code, path_ + ": " + s.error().detail};
  const Result<int64_t> version = database->number("PRAGMA user_version");
  if (!version) return version.error();
  if (*version > kVersion) return Error{Code::conflict, path_ + ": written by a later version"};
  // Nothing is written to a file that is as it should be: a full disk must not keep the log from starting.
  if (*version == kVersion) return database;
  Status made = database->execute(
      "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS checkpoint(name TEXT PRIMARY KEY, at INTEGER NOT NULL,"
      " crc INTEGER NOT NULL, state BLOB NOT NULL); PRAGMA user_version=1; COMMIT");
  if (!made) return made.error();
  return database;
}

Status CheckpointFile::open(int64_t now_ms) {
  std::lock_guard lock(mu_);
  Result<Database> database = open_database();
  if (!database && database.error().code == Code::corrupt) {
    const std::string aside = set_aside(path_, now_ms);
    log_error("checkpoints are damaged and were set aside",
              {{"file", path_}, {"aside", aside}, {"reason", database.error().detail}});
    database = open_database();
  }
  if (!database) return database.error();
  database_ = std::move(*database);
  return {};
}

void CheckpointFile::close() {
  std::lock_guard lock(mu_);
  database_.reset();
}

Status CheckpointFile::save(std::string_view name, const Checkpoint& checkpoint) {
  std::lock_guard lock(mu_);
  if (!database_) return closed_error();
  Result<Statement> put =
      database_->prepare("INSERT OR REPLACE INTO checkpoint(name, at, crc, state) VALUES(?1, ?2, ?3, ?4)");
  if (!put) return put.error();
  put->bind_text(1, name);
  put->bind(2, checkpoint.at.packed());
  put->bind(3, checkpoint_crc(name, checkpoint.at.packed(), checkpoint.state));
  put->bind_bytes(4, checkpoint.state);
  return put->run();
}

Result<std::optional<Checkpoint>> CheckpointFile::load(std::string_view name) {
  std::lock_guard lock(mu_);
  if (!database_) return closed_error();
  Result<Statement> get = database_->prepare("SELECT at, crc, state FROM checkpoint WHERE name = ?1");
  if (!get) return get.error();
  get->bind_text(1, name);
  const Result<bool> row = get->step();
  if (!row) return row.error();
  if (!*row) return std::optional<Checkpoint>();
  const int64_t at = get->number(0);
  std::string state(get->bytes(2));
  if (get->number(1) != checkpoint_crc(name, at, state)) {
    log_error("a checkpoint is damaged and was passed over", {{"name", name}, {"file", path_}});
    return std::optional<Checkpoint>();
  }
  return std::optional(Checkpoint{model::EventId::from_packed(at), std::move(state)});
}

Status CheckpointFile::remove(std::string_view name) {
  std::lock_guard lock(mu_);
  if (!database_) return closed_error();
  Result<Statement> one = database_->prepare("DELETE FROM checkpoint WHERE name = ?1");
  if (!one) return one.error();
  one->bind_text(1, name);
  return one->run();
}

Result<std::map<std::string, model::EventId>> CheckpointFile::positions() {
  std::lock_guard lock(mu_);
  if (!database_) return closed_error();
  std::map<std::string, model::EventId> found;
  const Status read =
      database_->each_row("SELECT at, crc, state, name FROM checkpoint", [&](const Statement& row) -> Status {
        const int64_t at = row.number(0);
        // A damaged row could push ids into the far future.
        if (row.number(1) == checkpoint_crc(row.bytes(3), at, row.bytes(2))) {
          found.emplace(row.bytes(3), model::EventId::from_packed(at));
        }
        return {};
      });
  if (!read) return read.error();
  return found;
}

}  // namespace millstream::log
