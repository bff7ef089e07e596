#include "log/hour_copy.h"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "log/file_snapshot.h"
#include "log/hour_file.h"
#include "log/sqlite.h"

namespace millstream::log {
namespace {

constexpr size_t kSliceBytes = 4 << 20;
constexpr int64_t kSlicesMin = 16;
constexpr int kSnapshotTries = 20;

struct Table {
  const char* name;
  const char* columns;  // the key first
  const char* kinds;    // of each column: n number, t text, b bytes
  const char* only = "";
};
constexpr std::array<Table, 7> kTables = {
    {{"topic", "id, text, crc", "ntn"},
     {"shape", "id, text, crc", "nbn"},
     {"event", "id, topic, type, ts, conclusion, crc, data", "nnnnnnb"},
     {"once", "id, key, content, first, last, crc, answer", "nbnnnnb"},
     {"sealed", "through, first, chunk_first, chunk_last", "nnnn"},
     // Those above are of a window that is being closed.
     {"chunk", "id, topic, first, last, ts_low, ts_high, count, crc, sums, data", "nnnnnnnnbb",
      " AND id <= (SELECT max(chunk_last) FROM sealed)"},
     {"block", "first, span, crc, data", "nnnb", " AND first > (SELECT ifnull(max(through), 0) FROM sealed)"}}};

constexpr const char* kDropSealedBlocks = "DELETE FROM block WHERE first <= (SELECT max(through) FROM sealed)";

std::string_view key_of(const Table& table) {
  const std::string_view columns(table.columns);
  return columns.substr(0, columns.find(','));
}

std::string select_sql(const Table& table) {
  const std::string key(key_of(table));
  return "SELECT " + std::string(table.columns) + " FROM " + table.name + " WHERE " + key + " > ?1" + table.only +
         " ORDER BY " + key;
}

std::string insert_sql(const Table& table) {
  std::string values = "?1";
  for (size_t i = 2; i <= std::string_view(table.kinds).size(); ++i) values += ", ?" + std::to_string(i);
  return "INSERT OR REPLACE INTO " + std::string(table.name) + "(" + table.columns + ") VALUES(" + values + ")";
}

// One table on its way from file to file.
class TableCopy {
 public:
  static Result<TableCopy> open(const Table& table, Database& from, Database& to) {
    Result<Statement> select = from.prepare(select_sql(table));
    if (!select) return select.error();
    Result<Statement> insert = to.prepare(insert_sql(table));
    if (!insert) return insert.error();
    return TableCopy(table, std::move(*select), std::move(*insert));
  }

  // Takes what it copies off `bytes_left`. True: nothing is left to copy.
  Result<bool> copy_slice(size_t& bytes_left) {
    select_.bind(1, copied_to_);
    Result<bool> row = true;
    while (bytes_left > 0) {
      row = select_.step();
      if (!row || !*row) break;
      if (Status s = copy_row(bytes_left); !s) return s.error();
    }
    select_.reset();
    if (!row) return row.error();
    return !*row;
  }

 private:
  TableCopy(const Table& table, Statement select, Statement insert)
      : table_(table), select_(std::move(select)), insert_(std::move(insert)) {}

  Status copy_row(size_t& bytes_left) {
    constexpr size_t kRowBytes = 64;  // about, without its texts
    size_t bytes = kRowBytes;
    for (int i = 0; table_.kinds[i] != '\0'; ++i) {
      if (table_.kinds[i] == 'n') insert_.bind(i + 1, select_.number(i));
      if (table_.kinds[i] == 't') insert_.bind_text(i + 1, select_.bytes(i));
      if (table_.kinds[i] == 'b') insert_.bind_bytes(i + 1, select_.bytes(i));
      if (table_.kinds[i] != 'n') bytes += select_.bytes(i).size();
    }
    copied_to_ = select_.number(0);
    bytes_left -= std::min(bytes, bytes_left);
    return insert_.run();
  }

  const Table& table_;
  Statement select_;
  Statement insert_;
  int64_t copied_to_ = -1;
};

class HourCopy {
 public:
  HourCopy(Database from, Database to, int64_t bytes)
      : from_(std::move(from)), to_(std::move(to)), slices_max_(kSlicesMin + 2 * bytes / int64_t{kSliceBytes}) {}

  Status run() {
    if (Status s = to_.execute("PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF"); !s) return s;
    if (Status s = ensure_hour_schema(to_); !s) return s;
    std::vector<TableCopy> tables;
    for (const Table& table : kTables) {
      Result<TableCopy> copy = TableCopy::open(table, from_, to_);
      if (!copy) return copy.error();
      tables.push_back(std::move(*copy));
    }
    // The writer may be faster than this: what came while the rest was copied is taken at once.
    for (int64_t slices_left = slices_max_; true; --slices_left) {
      const Result<bool> all = copy_slice(tables, slices_left > 0 ? kSliceBytes : std::numeric_limits<size_t>::max());
      if (!all) return all.error();
      if (*all) return to_.execute(kDropSealedBlocks);
    }
  }

 private:
  // In one transaction of each file.
  Result<bool> copy_slice(std::vector<TableCopy>& tables, size_t bytes_left) {
    for (Database* database : {&from_, &to_}) {
      if (Status s = database->execute("BEGIN"); !s) return s.error();
    }
    bool all = true;
    for (TableCopy& table : tables) {
      const Result<bool> whole = table.copy_slice(bytes_left);
      if (!whole) return whole.error();
      all = all && *whole;
    }
    for (Database* database : {&from_, &to_}) {
      if (Status s = database->execute("COMMIT"); !s) return s.error();
    }
    return all;
  }

  Database from_;
  Database to_;
  const int64_t slices_max_;
};

Status copy_as_it_is(const std::string& path, const std::string& to, int tries) {
  if (Status s = snapshot_file(path, to, tries); !s) return s;
  return fold_wal(to);
}

Status copy_rows(const std::string& path, const std::string& to) {
  Result<Database> from = Database::open(path, OpenMode::read_only);
  if (!from) return from.error();
  // A second process must never checkpoint: SQLite 3.7.0 to 3.51.2 may lose pages then.
  sqlite3_db_config(from->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (Status s = from->execute("PRAGMA wal_autocheckpoint=0"); !s) return s;
  const Result<int64_t> version = from->number("PRAGMA user_version");
  if (!version) return version.error();
  // Only files of this version are written to; the WAL of another was left by a process that is no more.
  if (*version != kHourFileVersion) return copy_as_it_is(path, to, kSnapshotTries);
  Result<Database> copy = Database::open(to, OpenMode::read_write);
  if (!copy) return copy.error();
  const FileState state = file_state(path);
  return HourCopy(std::move(*from), std::move(*copy), state.bytes + state.wal_bytes).run();
}

}  // namespace

Status copy_hour_file(const std::string& path, const std::string& to) {
  Status copied = Error{Code::unavailable, ""};
  if (file_state(path).wal_bytes == 0) copied = copy_as_it_is(path, to, 1);
  if (!copied && copied.error().code == Code::unavailable) copied = copy_rows(path, to);
  // Retention removes the WAL first: what was read since then was not whole.
  if (file_state(path).inode != 0) return copied;
  ::unlink(to.c_str());
  return Error{Code::not_found, path + ": it is not there any more"};
}

}  // namespace millstream::log
