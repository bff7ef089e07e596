#include "registry/schema.h"

#include <array>

namespace millstream::registry {
namespace {

// Step i brings a registry of version i to version i + 1. In SQLite's words; as_postgres() says them in the other's.
constexpr std::array<const char*, 4> kSteps = {
    R"(
  CREATE TABLE api_keys (
    key_id        TEXT PRIMARY KEY,
    secret_sha256 BLOB NOT NULL,
    account       TEXT NOT NULL,
    sites         TEXT NOT NULL,
    devices       TEXT NOT NULL,
    roles         TEXT NOT NULL,
    name          TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    revoked       INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
)",
    R"(
  ALTER TABLE api_keys ADD COLUMN used_at_ms INTEGER;
  ALTER TABLE api_keys ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
  CREATE TABLE users (
    name          TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    account       TEXT NOT NULL,
    sites         TEXT NOT NULL,
    devices       TEXT NOT NULL,
    roles         TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    disabled      INTEGER NOT NULL,
    generation    INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE login_sessions (
    sha256        BLOB PRIMARY KEY,
    user_name     TEXT NOT NULL,
    generation    INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    used_at_ms    INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE accounts (
    account       TEXT PRIMARY KEY,
    created_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE sites (
    account       TEXT NOT NULL,
    site          TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (account, site)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE devices (
    account       TEXT NOT NULL,
    site          TEXT NOT NULL,
    device        TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (account, site, device)
  ) STRICT, WITHOUT ROWID;
)",
    R"(
  CREATE TABLE silences (
    account       TEXT NOT NULL,
    silence_id    TEXT NOT NULL,
    ends_at_ms    INTEGER NOT NULL,
    silence       TEXT NOT NULL,
    PRIMARY KEY (account, silence_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE rules (
    account       TEXT NOT NULL,
    rule_id       TEXT NOT NULL,
    version       INTEGER NOT NULL,
    rule          TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    created_by    TEXT NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    updated_by    TEXT NOT NULL,
    PRIMARY KEY (account, rule_id)
  ) STRICT, WITHOUT ROWID;
  ALTER TABLE devices ADD COLUMN settings TEXT;
)",
    R"(
  CREATE TABLE checkpoints (
    name   TEXT PRIMARY KEY,
    fence  INTEGER NOT NULL,  -- of whoever wrote it
    at_ms  INTEGER NOT NULL,  -- the event it is complete up to
    at_seq INTEGER NOT NULL,
    state  BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
)"};

// Of this version alone: see make_ticket_schema().
constexpr int64_t kTicketVersion = 3;
constexpr const char* kDropTickets = "DROP TABLE IF EXISTS tickets";
constexpr const char* kTickets = R"(
  CREATE TABLE tickets (
    sha256          BLOB PRIMARY KEY,
    subject         TEXT NOT NULL,
    account         TEXT NOT NULL,
    sites           TEXT NOT NULL,  -- names joined by commas, or *
    devices         TEXT NOT NULL,  -- the same
    roles           TEXT NOT NULL,  -- joined by commas
    expires_at_ms   INTEGER,        -- of the credential
    credential      INTEGER NOT NULL,  -- Grants::credential
    topics          TEXT NOT NULL,  -- patterns joined by commas
    types           INTEGER NOT NULL,
    origin          TEXT NOT NULL,
    first_use_by_ms INTEGER NOT NULL,
    ends_at_ms      INTEGER NOT NULL,
    used            INTEGER NOT NULL,
    number          INTEGER NOT NULL,  -- model::ticket_number()
    touched_at_ms   INTEGER NOT NULL   -- made, or used
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tickets_by_end ON tickets (ends_at_ms);
  CREATE INDEX tickets_by_number ON tickets (number);
  CREATE INDEX tickets_by_account ON tickets (account, touched_at_ms);
)";

Error newer(const std::string& what) { return {Code::invalid, what + " was written by a newer millstream"}; }

Status set_user_version(Connection& db, int64_t version) {
  return db.run(("PRAGMA user_version = " + std::to_string(version)).c_str());
}

// ---- PostgreSQL ----

constexpr const char* kOwnTables = R"(
  CREATE TABLE IF NOT EXISTS schema_versions (part TEXT PRIMARY KEY, version BIGINT NOT NULL);
  CREATE TABLE IF NOT EXISTS changes (name TEXT PRIMARY KEY, number BIGINT NOT NULL);
  CREATE OR REPLACE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
  BEGIN
    INSERT INTO changes (name, number) VALUES (TG_ARGV[0], 1)
      ON CONFLICT (name) DO UPDATE SET number = changes.number + 1;
    RETURN NULL;
  END $$;
)";

// What others want to know of. A use of a key or session is nothing they would read the table again for, and a device
// that has only been seen is nothing they would read it again for at once.
struct Noted {
  const char* table;
  const char* of;  // changes
  const char* as;
};
constexpr Noted kNoted[] = {
    {"api_keys",
     "INSERT OR DELETE OR UPDATE OF key_id, secret_sha256, account, sites, devices, roles, name, expires_at_ms, "
     "revoked",
     "api_keys"},
    {"users", "INSERT OR DELETE OR UPDATE", "users"},
    {"login_sessions", "INSERT OR DELETE OR UPDATE OF sha256, user_name, generation, expires_at_ms", "login_sessions"},
    {"devices", "DELETE OR UPDATE", "devices"},
    {"devices", "INSERT", "new_devices"},
    {"silences", "INSERT OR DELETE OR UPDATE", "silences"},
    {"rules", "INSERT OR DELETE OR UPDATE", "rules"}};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// Ordered and compared as bytes, as SQLite does it.
std::string as_postgres(const char* sqlite) {
  std::string text = sqlite;
  replace_all(text, " TEXT", " TEXT COLLATE \"C\"");
  replace_all(text, " INTEGER", " BIGINT");
  replace_all(text, " BLOB", " BYTEA");
  replace_all(text, " STRICT, WITHOUT ROWID", "");
  return text;
}

Status note_changes(Connection& db) {
  for (const Noted& noted : kNoted) {
    const std::string name = std::string("note_") + noted.as, table = noted.table;
    const std::string sql = "DROP TRIGGER IF EXISTS " + name + " ON " + table + "; CREATE TRIGGER " + name + " AFTER " +
                            noted.of + " ON " + table + " FOR EACH ROW EXECUTE FUNCTION note_change('" + noted.as +
                            "')";
    if (Status s = db.run(sql.c_str()); !s) return s;
  }
  return {};
}

Result<int64_t> version_of(Connection& db, const char* part) {
  const Result<int64_t> there =
      db.read_number("SELECT CASE WHEN to_regclass('schema_versions') IS NULL THEN 0 ELSE 1 END");
  if (!there || *there == 0) return there;
  Result<Statement> row = db.prepare("SELECT coalesce(max(version), 0) FROM schema_versions WHERE part = $1");
  if (!row) return row.error();
  const Result<bool> step = row->bind(part).step();
  return step ? Result<int64_t>(row->number(0)) : Result<int64_t>(step.error());
}

Status set_version(Connection& db, const char* part, int64_t version) {
  Result<Statement> row = db.prepare(
      "INSERT INTO schema_versions (part, version) VALUES ($1, $2) ON CONFLICT (part) DO UPDATE SET version = "
      "excluded.version");
  return row ? row->bind(part).bind(version).finish() : Status(row.error());
}

Status make_namespace(Connection& db, const std::string& schema) {
  // Asked first: who may not make one may use what there is.
  Result<Statement> row = db.prepare("SELECT count(*) FROM pg_namespace WHERE nspname = $1");
  if (!row) return row.error();
  const Result<bool> step = row->bind(schema).step();
  if (!step) return step.error();
  return row->number(0) > 0 ? Status() : db.run(("CREATE SCHEMA " + schema).c_str());
}

constexpr const char* kRegistryPart = "registry";
constexpr const char* kTicketPart = "tickets";

struct PostgresVersions {
  int64_t registry = 0;
  int64_t tickets = 0;
};

Result<PostgresVersions> read_versions(Connection& db, const std::string& schema) {
  const Result<int64_t> version = version_of(db, kRegistryPart), tickets = version_of(db, kTicketPart);
  if (!version || !tickets) return version ? tickets.error() : version.error();
  if (*version > static_cast<int64_t>(kSteps.size()) || *tickets > kTicketVersion) {
    return newer("schema \"" + schema + "\" of PostgreSQL");
  }
  return PostgresVersions{*version, *tickets};
}

Status bring_up(Connection& db, const std::string& schema) {
  if (Status s = make_namespace(db, schema); !s) return s;
  if (Status s = db.run(kOwnTables); !s) return s;
  const Result<PostgresVersions> versions = read_versions(db, schema);  // again: another may just have made it
  if (!versions) return versions.error();
  for (size_t step = static_cast<size_t>(versions->registry); step < kSteps.size(); ++step) {
    if (Status s = db.run(as_postgres(kSteps[step]).c_str()); !s) return s;
  }
  if (Status s = note_changes(db); !s) return s;
  if (versions->tickets != kTicketVersion) {
    if (Status s = db.run((kDropTickets + (";" + as_postgres(kTickets))).c_str()); !s) return s;
  }
  if (Status s = set_version(db, kRegistryPart, static_cast<int64_t>(kSteps.size())); !s) return s;
  return set_version(db, kTicketPart, kTicketVersion);
}

}  // namespace

Status make_registry_schema(Connection& db) {
  if (Status s = db.run("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF"); !s) {
    return s;
  }
  return db.in_transaction([&]() -> Status {
    const Result<int64_t> version = db.read_number("PRAGMA user_version");
    if (!version) return version.error();
    if (*version < 0 || *version > static_cast<int64_t>(kSteps.size())) return newer("registry.db");
    for (size_t step = static_cast<size_t>(*version); step < kSteps.size(); ++step) {
      if (Status s = db.run(kSteps[step]); !s) return s;
      if (Status s = set_user_version(db, static_cast<int64_t>(step) + 1); !s) return s;
    }
    return {};
  });
}

Status make_ticket_schema(Connection& db) {
  if (Status s = db.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF"); !s) {
    return s;
  }
  const Result<int64_t> version = db.read_number("PRAGMA user_version");
  if (!version) return version.error();
  // Nothing is written to a file that is as it should be: a full disk must not keep the server from starting.
  if (*version == kTicketVersion) return {};
  if (Status s = db.run(kDropTickets); !s) return s;
  if (Status s = db.run(kTickets); !s) return s;
  return set_user_version(db, kTicketVersion);
}

Result<bool> has_postgres_schema(Connection& db, const std::string& schema) {
  const Result<PostgresVersions> versions = read_versions(db, schema);
  return versions ? Result<bool>(versions->registry > 0) : Result<bool>(versions.error());
}

Status make_postgres_schema(Connection& db, const std::string& schema) {
  const Result<PostgresVersions> versions = read_versions(db, schema);
  if (!versions) return versions.error();
  if (versions->registry == static_cast<int64_t>(kSteps.size()) && versions->tickets == kTicketVersion) return {};
  return db.in_transaction([&] { return bring_up(db, schema); });
}

}  // namespace millstream::registry
