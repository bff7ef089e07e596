// registry/schema.h: the tables of registry.db, made or brought up to date when it is opened.
//
// Shapes   STRICT tables; texts that list names are joined by commas, or "*" (registry/columns.h). Statements number
//          their values $1, $2 …, which SQLite and PostgreSQL both take.
// Errors   Code::invalid: written by a newer version. Else as registry/sqlite.h.
// Thread   one thread at a time
#pragma once

#include "registry/sqlite.h"

namespace millstream::registry {

Status make_schema(Connection& db);

}  // namespace millstream::registry
