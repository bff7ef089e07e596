// registry/sqlite.h: the little of SQLite that the registry needs, with destructors.
//
// Errors   Code::internal (Code::storage_full, Code::corrupt where SQLite says so) with SQLite's own words.
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace millstream::registry {

class Statement;

class Connection {
 public:
  // Opens an existing file for reading and writing.
  static Result<Connection> open(const std::string& path);

  Status run(const char* sql);
  Result<Statement> prepare(const char* sql);
  Result<int64_t> read_number(const char* sql);
  int changes() const;  // rows changed by the last statement
  // BEGIN IMMEDIATE, f, COMMIT; rolled back when f fails.
  Status in_transaction(const std::function<Status()>& f);
  Error error(int code) const;

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  explicit Connection(sqlite3* db) : db_(db) {}
  std::unique_ptr<sqlite3, Close> db_;
};

// Binds in order ($1 first), then steps.
class Statement {
 public:
  Statement& bind(int64_t number);
  Statement& bind(std::string_view text);
  Statement& bind_bytes(std::string_view bytes);
  Statement& bind(std::optional<int64_t> number);  // none: NULL
  Result<bool> step();                             // true: a row is there
  Status finish();                                 // steps once, for statements without rows

  int64_t number(int column) const;
  std::string bytes(int column) const;                    // text or blob
  std::optional<int64_t> maybe_number(int column) const;  // none: NULL

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(const Connection& connection, sqlite3_stmt* statement) : connection_(connection), statement_(statement) {}
  void note(int code);

  const Connection& connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int next_ = 1;
  int bind_error_ = 0;
};

// All rows of a query without values, each made by `read`.
template <class Row, class Read>
Result<std::vector<Row>> read_rows(Connection& db, const char* sql, Read&& read) {
  Result<Statement> rows = db.prepare(sql);
  if (!rows) return rows.error();
  std::vector<Row> all;
  while (true) {
    const Result<bool> there = rows->step();
    if (!there) return there.error();
    if (!*there) return all;
    Result<Row> row = read(*rows);
    if (!row) return row.error();
    all.push_back(std::move(*row));
  }
}

}  // namespace millstream::registry
