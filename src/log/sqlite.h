// log/sqlite.h: SQLite's C interface as values that clean up after themselves.
//
// Errors   Code::storage_full (disk or quota), Code::corrupt (the stored bytes are not what SQLite wrote, or cannot be
//          read back), Code::unavailable (locked), else Code::internal. `detail` names the file and SQLite's own words.
// Thread   one thread at a time
// Source   sqlite.org/c3ref; extended result codes are on
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace millstream::log {

// Statements that were compiled and are not in use: a connection that answers the same questions again compiles none.
class IdleStatements {
 public:
  static constexpr size_t kKeptMax = 64;

  IdleStatements() = default;
  IdleStatements(const IdleStatements&) = delete;
  IdleStatements& operator=(const IdleStatements&) = delete;
  ~IdleStatements();
  sqlite3_stmt* take(std::string_view sql);  // null: there is none
  void put(sqlite3_stmt* statement);

 private:
  std::vector<sqlite3_stmt*> kept_;  // latest last
};

// Bind positions count from 1, columns from 0, as in SQLite. Goes before its database does.
class Statement {
 public:
  // What is bound must live until the next reset().
  void bind(int position, int64_t value);
  void bind_bytes(int position, std::string_view value);
  void bind_text(int position, std::string_view value);

  Result<bool> step();  // true: a row is there; false: done
  Status run();         // one step to the end of a statement without rows, then reset
  void reset();

  int64_t number(int column) const;
  std::string_view bytes(int column) const;  // valid until the next step() or reset()

 private:
  friend class Database;
  struct PutBack {
    IdleStatements* idle;
    void operator()(sqlite3_stmt* statement) const { idle->put(statement); }
  };
  Statement(sqlite3_stmt* statement, IdleStatements& idle) : statement_(statement, PutBack{&idle}) {}

  std::unique_ptr<sqlite3_stmt, PutBack> statement_;
};

enum class OpenMode {
  read_write,      // created with mode 0600 if absent
  read_only,       // sees commits of the writing connection
  read_immutable,  // no locks, no WAL: only for files nobody writes to any more
};

class Database {
 public:
  static Result<Database> open(const std::string& path, OpenMode mode);

  Status execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  Result<int64_t> number(std::string_view sql);    // first column of the first row; 0 when NULL or no row
  Result<std::string> text(std::string_view sql);  // the same as text
  // Every row of a query without values.
  Status each_row(std::string_view sql, const std::function<Status(const Statement&)>& take);
  Status check_pages();  // Code::corrupt: PRAGMA quick_check says what is wrong
  void set_busy_timeout_ms(int ms);
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  explicit Database(sqlite3* handle) : handle_(handle), idle_(std::make_unique<IdleStatements>()) {}

  std::unique_ptr<sqlite3, Close> handle_;
  std::unique_ptr<IdleStatements> idle_;
};

// What went wrong last on this connection.
Error sqlite_error(sqlite3* handle);

}  // namespace millstream::log
