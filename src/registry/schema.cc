#include "registry/schema.h"

#include <array>

namespace millstream::registry {
namespace {

// Step i brings a file of version i to version i + 1.
constexpr std::array<const char*, 3> kSteps = {
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
  PRAGMA user_version = 1;
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
  PRAGMA user_version = 2;
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
  PRAGMA user_version = 3;
)"};

}  // namespace

Status make_schema(Connection& db) {
  if (Status s = db.run("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF"); !s) {
    return s;
  }
  return db.in_transaction([&]() -> Status {
    const Result<int64_t> version = db.read_number("PRAGMA user_version");
    if (!version) return version.error();
    if (*version < 0 || *version > static_cast<int64_t>(kSteps.size())) {
      return Error{Code::invalid, "registry.db was written by a newer millstream"};
    }
    for (size_t step = static_cast<size_t>(*version); step < kSteps.size(); ++step) {
      if (Status s = db.run(kSteps[step]); !s) return s;
    }
    return {};
  });
}

}  // namespace millstream::registry
