#include "registry/sqlite_connection.h"

#include <sqlite3.h>

namespace millstream::registry {
namespace {

constexpr int kBusyMs = 2'000;  // others hold it for milliseconds

Code code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL: return Code::storage_full;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Code::corrupt;
    case SQLITE_CONSTRAINT: return Code::conflict;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Code::unavailable;
    default: return Code::internal;
  }
}

struct Close {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

Error error_of(sqlite3* db, int code) { return Error{code_of(code), std::string("registry: ") + sqlite3_errmsg(db)}; }

// What is empty may point nowhere, which would be NULL.
const char* not_null(std::string_view bytes) { return bytes.data() ? bytes.data() : ""; }

class SqliteStatement final : public Statement::Adapter {
 public:
  SqliteStatement(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}

  void bind_number(std::optional<int64_t> number) override {
    note(number ? sqlite3_bind_int64(statement_.get(), next_, *number) : sqlite3_bind_null(statement_.get(), next_));
  }
  void bind_text(std::string_view text) override {
    note(sqlite3_bind_text64(statement_.get(), next_, not_null(text), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  }
  void bind_bytes(std::string_view bytes) override {
    note(sqlite3_bind_blob64(statement_.get(), next_, not_null(bytes), bytes.size(), SQLITE_TRANSIENT));
  }
  Result<bool> step() override {
    if (bind_error_ != SQLITE_OK) return error_of(db_, bind_error_);
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return error_of(db_, code);
  }
  std::optional<int64_t> number(int column) const override {
    if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
    return sqlite3_column_int64(statement_.get(), column);
  }
  std::string bytes(int column) const override {
    const void* bytes = sqlite3_column_blob(statement_.get(), column);
    const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column));
    return bytes ? std::string(static_cast<const char*>(bytes), size) : std::string();
  }

 private:
  void note(int code) {
    ++next_;
    if (code != SQLITE_OK && bind_error_ == SQLITE_OK) bind_error_ = code;
  }

  sqlite3* db_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int next_ = 1;
  int bind_error_ = SQLITE_OK;
};

class SqliteConnection final : public Connection {
 public:
  explicit SqliteConnection(sqlite3* db) : db_(db) {}

  Status run(const char* sql) override {
    const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error_of(db_.get(), code);
    return {};
  }

  Result<Statement> prepare(const char* sql) override {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(db_.get(), sql, -1, &statement, nullptr);
    if (code != SQLITE_OK) return error_of(db_.get(), code);
    return Statement(std::make_unique<SqliteStatement>(db_.get(), statement));
  }

  int64_t changes() const override { return sqlite3_changes(db_.get()); }

  Status in_transaction(const std::function<Status()>& f) override {
    if (Status s = run("BEGIN IMMEDIATE"); !s) return s;
    Status done = f();
    if (done) done = run("COMMIT");
    // A second failure here says nothing new: the transaction is not committed either way.
    if (!done) static_cast<void>(run("ROLLBACK"));
    return done;
  }

  Result<Versions> versions() override {
    const Result<int64_t> version = read_number("PRAGMA data_version");
    if (!version) return version.error();
    return Versions{{"", *version}};
  }

  bool is_shared() const override { return false; }

 private:
  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace

Result<ConnectionPtr> open_sqlite(const std::string& path) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  ConnectionPtr connection = std::make_unique<SqliteConnection>(db);
  if (code != SQLITE_OK) return Error{code_of(code), path + ": " + sqlite3_errstr(code)};
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, kBusyMs);
  return connection;
}

}  // namespace millstream::registry
