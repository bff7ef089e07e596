#include "registry/sqlite.h"

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

}  // namespace

void Connection::Close::operator()(sqlite3* db) const { sqlite3_close(db); }
void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Result<Connection> Connection::open(const std::string& path) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection connection(db);
  if (code != SQLITE_OK) return Error{code_of(code), path + ": " + sqlite3_errstr(code)};
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, kBusyMs);
  return connection;
}

Status Connection::run(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code);
  return {};
}

Result<Statement> Connection::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(db_.get(), sql, -1, &statement, nullptr);
  if (code != SQLITE_OK) return error(code);
  return Statement(*this, statement);
}

Result<int64_t> Connection::read_number(const char* sql) {
  Result<Statement> statement = prepare(sql);
  if (!statement) return statement.error();
  const Result<bool> row = statement->step();
  if (!row) return row.error();
  if (!*row) return Error{Code::internal, std::string(sql) + " gave no row"};
  return statement->number(0);
}

int Connection::changes() const { return sqlite3_changes(db_.get()); }

Status Connection::in_transaction(const std::function<Status()>& f) {
  if (Status s = run("BEGIN IMMEDIATE"); !s) return s;
  Status done = f();
  if (done) done = run("COMMIT");
  // A second failure here says nothing new: the transaction is not committed either way.
  if (!done) static_cast<void>(run("ROLLBACK"));
  return done;
}

Error Connection::error(int code) const {
  return Error{code_of(code), std::string("registry: ") + sqlite3_errmsg(db_.get())};
}

void Statement::note(int code) {
  if (code != SQLITE_OK && bind_error_ == SQLITE_OK) bind_error_ = code;
}

Statement& Statement::bind(int64_t number) {
  note(sqlite3_bind_int64(statement_.get(), next_++, number));
  return *this;
}
Statement& Statement::bind(std::string_view text) {
  note(sqlite3_bind_text64(statement_.get(), next_++, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}
Statement& Statement::bind_bytes(std::string_view bytes) {
  note(sqlite3_bind_blob64(statement_.get(), next_++, bytes.data(), bytes.size(), SQLITE_TRANSIENT));
  return *this;
}
Statement& Statement::bind(std::optional<int64_t> number) {
  if (number) return bind(*number);
  note(sqlite3_bind_null(statement_.get(), next_++));
  return *this;
}

Result<bool> Statement::step() {
  if (bind_error_ != SQLITE_OK) return connection_.error(bind_error_);
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_.error(code);
}

Status Statement::finish() {
  const Result<bool> row = step();
  if (!row) return row.error();
  return {};
}

int64_t Statement::number(int column) const { return sqlite3_column_int64(statement_.get(), column); }
std::string Statement::bytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column));
  return bytes ? std::string(static_cast<const char*>(bytes), size) : std::string();
}
std::optional<int64_t> Statement::maybe_number(int column) const {
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return number(column);
}

}  // namespace millstream::registry
