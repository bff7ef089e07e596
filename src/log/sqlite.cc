#include "log/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

namespace millstream::log {
namespace {

bool is_space_errno(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

Code code_of(int extended, int system_errno) {
  switch (extended & 0xff) {
    case SQLITE_FULL: return Code::storage_full;
    case SQLITE_ERROR:       // a table or column that a sound file has
    case SQLITE_CONSTRAINT:  // we never break one in a sound file
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Code::corrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Code::unavailable;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: break;
    default: return Code::internal;
  }
  if (is_space_errno(system_errno)) return Code::storage_full;
  const bool unreadable =
      extended == SQLITE_IOERR_READ || extended == SQLITE_IOERR_SHORT_READ || extended == SQLITE_IOERR_CORRUPTFS;
  return unreadable ? Code::corrupt : Code::internal;
}

// SQLite gives the WAL and shared memory files the mode of the database, so it is enough to make that one private.
void create_private(const std::string& path) {
  const int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
}

std::string immutable_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      constexpr char kHex[] = "0123456789ABCDEF";
      uri += '%';
      uri += kHex[(c >> 4) & 15];
      uri += kHex[c & 15];
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

Error sqlite_error(sqlite3* handle) {
  const char* name = sqlite3_db_filename(handle, "main");
  const int system_errno = sqlite3_system_errno(handle);
  std::string detail = name ? name : "";
  detail += ": ";
  detail += sqlite3_errmsg(handle);
  if (system_errno != 0) {
    detail += ": ";
    detail += std::strerror(system_errno);
  }
  return Error{code_of(sqlite3_extended_errcode(handle), system_errno), std::move(detail)};
}

IdleStatements::~IdleStatements() {
  for (sqlite3_stmt* statement : kept_) sqlite3_finalize(statement);
}

sqlite3_stmt* IdleStatements::take(std::string_view sql) {
  const auto found = std::find_if(kept_.rbegin(), kept_.rend(), [&](sqlite3_stmt* s) { return sqlite3_sql(s) == sql; });
  if (found == kept_.rend()) return nullptr;
  sqlite3_stmt* statement = *found;
  kept_.erase(std::next(found).base());
  return statement;
}

void IdleStatements::put(sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);  // what they point to may go
  kept_.push_back(statement);
  if (kept_.size() <= kKeptMax) return;
  sqlite3_finalize(kept_.front());
  kept_.erase(kept_.begin());
}

void Statement::bind(int position, int64_t value) { sqlite3_bind_int64(statement_.get(), position, value); }

void Statement::bind_bytes(int position, std::string_view value) {
  sqlite3_bind_blob64(statement_.get(), position, value.empty() ? "" : value.data(), value.size(), SQLITE_STATIC);
}

void Statement::bind_text(int position, std::string_view value) {
  sqlite3_bind_text64(statement_.get(), position, value.empty() ? "" : value.data(), value.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
}

Result<bool> Statement::step() {
  const int rc = sqlite3_step(statement_.get());
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  return sqlite_error(sqlite3_db_handle(statement_.get()));
}

Status Statement::run() {
  const Result<bool> stepped = step();
  reset();
  if (!stepped) return stepped.error();
  return {};
}

void Statement::reset() { sqlite3_reset(statement_.get()); }

int64_t Statement::number(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string_view Statement::bytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (!bytes || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<size_t>(size)};
}

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Result<Database> Database::open(const std::string& path, OpenMode mode) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  std::string name = path;
  if (mode == OpenMode::read_write) {
    create_private(path);
    flags |= SQLITE_OPEN_READWRITE;
  } else {
    flags |= SQLITE_OPEN_READONLY;
    if (mode == OpenMode::read_immutable) {
      flags |= SQLITE_OPEN_URI;
      name = immutable_uri(path);
    }
  }
  sqlite3* handle = nullptr;
  const int rc = sqlite3_open_v2(name.c_str(), &handle, flags, nullptr);
  Database database(handle);
  if (rc != SQLITE_OK) {
    if (!handle) return Error{Code::internal, path + ": out of memory"};
    Error error = sqlite_error(handle);
    return Error{error.code, path + error.detail};
  }
  database.set_busy_timeout_ms(2000);
  // Bytes from disk are not trusted: a page whose cells do not fit is found when it is loaded.
  sqlite3_exec(handle, "PRAGMA cell_size_check=ON; PRAGMA trusted_schema=OFF", nullptr, nullptr, nullptr);
  return database;
}

Status Database::execute(const char* sql) {
  if (sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return sqlite_error(handle());
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  if (sqlite3_stmt* idle = idle_->take(sql)) return Statement(idle, *idle_);
  sqlite3_stmt* statement = nullptr;
  const int rc = sqlite3_prepare_v3(handle(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                    &statement, nullptr);
  if (rc != SQLITE_OK) return sqlite_error(handle());
  return Statement(statement, *idle_);
}

Result<int64_t> Database::number(std::string_view sql) {
  Result<Statement> statement = prepare(sql);
  if (!statement) return statement.error();
  const Result<bool> row = statement->step();
  if (!row) return row.error();
  return *row ? statement->number(0) : 0;
}

Result<std::string> Database::text(std::string_view sql) {
  Result<Statement> statement = prepare(sql);
  if (!statement) return statement.error();
  const Result<bool> row = statement->step();
  if (!row) return row.error();
  return *row ? std::string(statement->bytes(0)) : std::string();
}

Status Database::each_row(std::string_view sql, const std::function<Status(const Statement&)>& take) {
  Result<Statement> rows = prepare(sql);
  if (!rows) return rows.error();
  while (true) {
    const Result<bool> row = rows->step();
    if (!row) return row.error();
    if (!*row) return {};
    if (Status s = take(*rows); !s) return s;
  }
}

Status Database::check_pages() {
  const Result<std::string> verdict = text("PRAGMA quick_check(1)");
  if (!verdict) return verdict.error();
  return *verdict == "ok" ? Status() : Status(Error{Code::corrupt, *verdict});
}

void Database::set_busy_timeout_ms(int ms) { sqlite3_busy_timeout(handle(), ms); }

}  // namespace millstream::log
