// registry/postgres_connection.h: PostgreSQL, as a Connection.
//
// Flow     Connects with the first call, and again with the next one after the connection was lost. Statements are
//          prepared once per connection.
// Limits   PostgresOptions::timeout_ms for each call, connecting included; whatever the server does, the caller goes
//          on then. After a call that ended so the next ones fail at once for kRestMs, so that those who wait in line
//          do not each wait as long. Looking up the host's name is the C library's, with the deadlines of resolv.conf.
// Errors   as registry/connection.h. Code::unavailable: it is away, too slow, stopping, or does not take writes now.
//          Of a COMMIT that was not answered nobody knows whether it took place: it counts as failed. No error holds a
//          password.
// Thread   one thread at a time
// Source   libpq 15: asynchronous commands, SQLSTATE of the manual's appendix A
#pragma once

#include "registry/connection.h"

namespace millstream::registry {

struct PostgresOptions {
  std::string url;       // postgresql://user@host:port/database?sslmode=…; of several hosts the first that will do
  std::string password;  // empty: that of the URL, or of ~/.pgpass
  int64_t timeout_ms = 2'000;
  std::string schema = "millstream";  // that the tables are in; is_schema_name()
};

// Of lowercase letters, digits and "_", as a name that needs no quotes.
bool is_schema_name(std::string_view name);
// Code::invalid when it is no URL of PostgreSQL's. Does not quote it: there may be a password in it.
Status check_postgres_url(const std::string& url);
bool has_password(const std::string& url);
std::string host_of(const std::string& url);  // for people: "db1:5432,db2:5432/name"

ConnectionPtr make_postgres_connection(PostgresOptions options);

}  // namespace millstream::registry
