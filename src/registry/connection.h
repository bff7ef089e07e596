// registry/connection.h: what the registry needs of a database, whichever it is.
//
// Flow     prepare() -> bind in order ($1 first) -> step(). One set of statements for all: they number their values $1,
//          $2 …, and use what SQLite and PostgreSQL both take (ON CONFLICT … DO UPDATE, RETURNING).
// Shapes   whole numbers of 64 bits, UTF-8 text, bytes; each may be NULL where the table says so.
// Errors   values, never thrown: Code::conflict (a key is taken), Code::storage_full, Code::corrupt,
//          Code::unavailable (held by others for too long, or the database is away: try again), Code::invalid (no value
//          for such a column), else Code::internal, with the database's own words.
// Thread   one thread at a time; every call may block
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millstream::registry {

// Binds in order ($1 first), then steps. Must not outlive its connection.
class Statement {
 public:
  // The part that each database has its own of.
  class Adapter {
   public:
    virtual ~Adapter() = default;
    virtual void bind_number(std::optional<int64_t> number) = 0;
    virtual void bind_text(std::string_view text) = 0;
    virtual void bind_bytes(std::string_view bytes) = 0;
    virtual Result<bool> step() = 0;
    virtual std::optional<int64_t> number(int column) const = 0;
    virtual std::string bytes(int column) const = 0;
  };
  explicit Statement(std::unique_ptr<Adapter> adapter) : adapter_(std::move(adapter)) {}

  Statement& bind(int64_t number) { return bind(std::optional(number)); }
  Statement& bind(std::optional<int64_t> number) {  // none: NULL
    adapter_->bind_number(number);
    return *this;
  }
  Statement& bind(std::string_view text) {
    adapter_->bind_text(text);
    return *this;
  }
  Statement& bind_bytes(std::string_view bytes) {
    adapter_->bind_bytes(bytes);
    return *this;
  }
  Result<bool> step() { return adapter_->step(); }  // true: a row is there
  Status finish();                                  // steps to the end, whatever rows there are

  int64_t number(int column) const { return maybe_number(column).value_or(0); }
  std::optional<int64_t> maybe_number(int column) const { return adapter_->number(column); }  // none: NULL
  std::string bytes(int column) const { return adapter_->bytes(column); }  // text or bytes; empty for NULL

 private:
  std::unique_ptr<Adapter> adapter_;
};

// Numbers that move when others change a table: by its name, or under "" for all of them.
using Versions = std::map<std::string, int64_t, std::less<>>;

class Connection {
 public:
  virtual ~Connection() = default;

  virtual Status run(const char* sql) = 0;  // several statements, without values
  // `sql` must live as long as the connection: statements are kept prepared by it.
  virtual Result<Statement> prepare(const char* sql) = 0;
  virtual int64_t changes() const = 0;  // rows changed by the last statement
  // One writer at a time, of all processes and machines: whoever is in here sees what those before have committed.
  // Rolled back when f fails. f may be run again, when the database asks for that.
  virtual Status in_transaction(const std::function<Status()>& f) = 0;
  virtual Result<Versions> versions() = 0;
  // Whether other servers work with the same tables.
  virtual bool is_shared() const = 0;

  Result<int64_t> read_number(const char* sql);  // the first column of the first row
};
using ConnectionPtr = std::unique_ptr<Connection>;

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
    Result<Row> row = read(std::as_const(*rows));
    if (!row) return row.error();
    all.push_back(std::move(*row));
  }
}

}  // namespace millstream::registry
