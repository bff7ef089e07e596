// registry/sqlite_connection.h: a file of SQLite, as a Connection.
//
// Errors   as registry/connection.h, with SQLite's own words.
// Thread   one thread at a time
#pragma once

#include "registry/connection.h"

namespace millstream::registry {

// Opens an existing file for reading and writing.
Result<ConnectionPtr> open_sqlite(const std::string& path);

}  // namespace millstream::registry
