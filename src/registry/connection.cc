#include "registry/connection.h"

namespace millstream::registry {

Status Statement::finish() {
  while (true) {
    const Result<bool> row = step();
    if (!row) return row.error();
    if (!*row) return {};
  }
}

Result<int64_t> Connection::read_number(const char* sql) {
  Result<Statement> statement = prepare(sql);
  if (!statement) return statement.error();
  const Result<bool> row = statement->step();
  if (!row) return row.error();
  if (!*row) return Error{Code::internal, std::string(sql) + " gave no row"};
  return statement->number(0);
}

}  // namespace millstream::registry
