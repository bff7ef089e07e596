// registry/schema.h: the tables of the registry, made or brought up to date when it is opened.
//
// Shapes   STRICT tables in registry.db, and the same in a schema of PostgreSQL: its statements are made of the same
//          text. Texts that list names are joined by commas, or "*" (registry/columns.h).
//          PostgreSQL alone has `changes`: a number for each table, which triggers raise with the change itself, so
//          that a server that looks sees what others did; and `schema_versions`.
// Errors   Code::invalid: written by a newer version. Else as registry/connection.h.
// Thread   one thread at a time; of several servers that start at once one makes the tables, the others wait for it
#pragma once

#include <string>
#include <vector>

#include "registry/connection.h"

namespace millstream::registry {

Status make_registry_schema(Connection& sqlite);
// Forgets the tickets of another version: they are not worth a conversion, whoever has one asks for another.
Status make_ticket_schema(Connection& sqlite);
// Whether there are any of ours. Makes none.
Result<bool> has_postgres_schema(Connection& postgres, const std::string& schema);
// Both, in this schema (is_schema_name()), which is made where there is none.
Status make_postgres_schema(Connection& postgres, const std::string& schema);

}  // namespace millstream::registry
