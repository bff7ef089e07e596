// registry/registry.h: what is configured and known, as opposed to what happened: API keys, users, who is signed in,
// devices, silences, alert rules.
//
// Flow     the command line writes, and so do the servers; each keeps a copy in memory, and refresh() looks for changes
//          by others: every few seconds in a file, several times a second in PostgreSQL.
// Shapes   PostgreSQL, or <directory>/registry.db (SQLite, synchronous=FULL), mode 0600 in a directory made with mode
// 0700.
//          A rollback journal, not a WAL: several processes write here, and SQLite 3.7.0 to 3.51.2 can corrupt a WAL
//          when one of them checkpoints while another commits (sqlite.org/wal.html#walresetbug). Writes are rare and
//          small.
// Errors   a failed refresh keeps what was known, and ends what has ended all the same.
// Thread   as the parts say; refresh() blocks
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "registry/api_keys.h"
#include "registry/devices.h"
#include "registry/login_sessions.h"
#include "registry/postgres_connection.h"
#include "registry/rules.h"
#include "registry/silences.h"
#include "registry/users.h"

namespace millstream::registry {

struct RegistryOptions {
  LoginSessionOptions login_sessions;
  DeviceOptions devices;
  SilenceOptions silences;
  RuleOptions rules;
};

class Registry {
 public:
  // Made where there is none.
  static Result<std::unique_ptr<Registry>> open(const std::string& directory, RegistryOptions options = {});
  static Result<std::unique_ptr<Registry>> open(const PostgresOptions& postgres, RegistryOptions options = {});
  static bool exists(const std::string& directory);
  static Result<bool> exists(const PostgresOptions& postgres);

  ApiKeys& api_keys() { return api_keys_; }
  Users& users() { return users_; }
  LoginSessions& login_sessions() { return login_sessions_; }
  Devices& devices() { return devices_; }
  Silences& silences() { return silences_; }
  Rules& rules() { return rules_; }

  struct Refreshed {
    std::vector<uint64_t> ended;  // Grants::credential of API keys and login sessions, each once
    Status status;                // what went wrong, in reading or in writing; it is tried again
  };
  // Reads again what another process changed, notes what has ended, writes what was only noted. What has ended is told
  // whatever the disk says.
  Refreshed refresh(int64_t now_ms);
  // Reads again what others changed, and no more: for a credential that is not known here.
  Status read_changes(int64_t now_ms);
  // Whether other servers work with the same one.
  bool is_shared() const { return shared_; }
  // Whether its database answered when it was last asked what others changed. Any thread; does not block.
  bool is_reachable() const { return reachable_; }
  // What was only noted, at the end.
  Status flush();

 private:
  Registry(ConnectionPtr connection, RegistryOptions options)
      : shared_(connection->is_shared()),
        database_(Database{std::move(connection)}),
        api_keys_(database_),
        users_(database_),
        login_sessions_(options.login_sessions, database_, users_),
        devices_(options.devices, database_),
        silences_(options.silences, database_),
        rules_(options.rules, database_) {}
  static Result<std::unique_ptr<Registry>> open_on(ConnectionPtr connection, RegistryOptions options);
  Status reload(Database& db, int64_t now_ms);
  Status reload_devices(Database& db, Versions& now, int64_t now_ms);
  Status write_notes(Database& db);

  const bool shared_;
  std::atomic<bool> reachable_{true};
  SharedDatabase database_;
  ApiKeys api_keys_;
  Users users_;
  LoginSessions login_sessions_;
  Devices devices_;
  Silences silences_;
  Rules rules_;
  int64_t uses_written_ms_ = 0;  // with the database
  int64_t devices_read_ms_ = 0;  // the same
};

}  // namespace millstream::registry
