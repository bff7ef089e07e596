#include "registry/registry_copy.h"

#include <unistd.h>

#include "registry/private_file.h"
#include "registry/registry.h"
#include "registry/sqlite_connection.h"

namespace millstream::registry {
namespace {

Result<ConnectionPtr> open_existing(const std::string& directory) {
  if (!Registry::exists(directory)) return Error{Code::not_found, directory + " has no registry.db"};
  return open_sqlite(directory + "/registry.db");
}

Status drop_login_sessions(Connection& copy) {
  const Result<int64_t> there = copy.read_number("SELECT count(*) FROM sqlite_schema WHERE name = 'login_sessions'");
  if (!there) return there.error();
  if (*there == 0) return {};
  return copy.run("PRAGMA journal_mode = OFF; PRAGMA secure_delete = ON; DELETE FROM login_sessions; VACUUM");
}

}  // namespace

Status copy_registry(const std::string& directory, const std::string& to) {
  Result<ConnectionPtr> connection = open_existing(directory);
  if (!connection) return connection.error();
  if (Status s = make_private_file(to); !s) return s;  // empty, as VACUUM INTO wants it
  {
    Result<Statement> vacuum = (*connection)->prepare("VACUUM INTO ?");
    if (!vacuum) return vacuum.error();
    if (Status s = vacuum->bind(to).finish(); !s) return s;
  }
  Result<ConnectionPtr> copy = open_sqlite(to);
  if (!copy) return copy.error();
  return drop_login_sessions(**copy);
}

Result<std::vector<std::string>> check_registry(const std::string& directory) {
  Result<ConnectionPtr> connection = open_existing(directory);
  if (!connection) return connection.error();
  Result<std::vector<std::string>> lines = read_rows<std::string>(
      **connection, "PRAGMA quick_check", [](const Statement& row) -> Result<std::string> { return row.bytes(0); });
  if (!lines && lines.error().code == Code::corrupt) return std::vector<std::string>{lines.error().detail};
  if (lines && lines->size() == 1 && lines->front() == "ok") lines->clear();
  return lines;
}

}  // namespace millstream::registry
