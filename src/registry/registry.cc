#include "registry/registry.h"

#include <unistd.h>

#include <utility>

#include "registry/private_file.h"
#include "registry/schema.h"
#include "registry/sqlite_connection.h"

namespace millstream::registry {
namespace {

constexpr int64_t kUsesEveryMs = 60'000;
constexpr int64_t kNewDevicesEveryMs = 60'000;
// As PostgreSQL's triggers name what they count (registry/schema.cc).
constexpr const char* kDevices = "devices";
constexpr const char* kNewDevices = "new_devices";

std::string path_in(const std::string& directory) { return directory + "/registry.db"; }

}  // namespace

bool Registry::exists(const std::string& directory) { return ::access(path_in(directory).c_str(), F_OK) == 0; }

Result<bool> Registry::exists(const PostgresOptions& postgres) {
  return has_postgres_schema(*make_postgres_connection(postgres), postgres.schema);
}

Result<std::unique_ptr<Registry>> Registry::open(const std::string& directory, RegistryOptions options) {
  const std::string path = path_in(directory);
  if (Status s = make_private_directory(directory); !s) return s.error();
  if (Status s = make_private_file(path); !s) return s.error();
  Result<ConnectionPtr> connection = open_sqlite(path);
  if (!connection) return connection.error();
  if (Status s = make_registry_schema(**connection); !s) return Error{s.error().code, path + ": " + s.error().detail};
  return open_on(std::move(*connection), options);
}

Result<std::unique_ptr<Registry>> Registry::open(const PostgresOptions& postgres, RegistryOptions options) {
  ConnectionPtr connection = make_postgres_connection(postgres);
  if (Status s = make_postgres_schema(*connection, postgres.schema); !s) return s.error();
  return open_on(std::move(connection), options);
}

Result<std::unique_ptr<Registry>> Registry::open_on(ConnectionPtr connection, RegistryOptions options) {
  std::unique_ptr<Registry> registry(new Registry(std::move(connection), options));
  if (Status s = registry->read_changes(0); !s) return s.error();
  return registry;
}

Status Registry::read_changes(int64_t now_ms) {
  return database_.with([&](Database& db) { return reload(db, now_ms); });
}

Status Registry::reload(Database& db, int64_t now_ms) {
  // The versions first: a change between the two is then read twice, never missed.
  Result<Versions> now = db.connection->versions();
  reachable_ = now || now.error().code != Code::unavailable;
  if (!now) return now.error();
  if (db.versions_read == *now) return login_sessions_.read_uses_of_idle(*db.connection, now_ms);
  const auto read = [&](const char* table, auto&& reload_it) {
    return is_changed(db, *now, table) ? reload_it() : Status();
  };
  if (Status s = read("api_keys", [&] { return api_keys_.reload(db); }); !s) return s;
  if (Status s = read("users", [&] { return users_.reload(db); }); !s) return s;
  if (Status s = read("login_sessions", [&] { return login_sessions_.reload(db, now_ms); }); !s) return s;
  if (Status s = reload_devices(db, *now, now_ms); !s) return s;
  if (Status s = read("silences", [&] { return silences_.reload(db); }); !s) return s;
  if (Status s = read("rules", [&] { return rules_.reload(db); }); !s) return s;
  db.versions_read = std::move(*now);
  return login_sessions_.read_uses_of_idle(*db.connection, now_ms);
}

// A large table, and each server knows the devices that send to it: those that others have only seen can wait.
Status Registry::reload_devices(Database& db, Versions& now, int64_t now_ms) {
  const bool due = now_ms - devices_read_ms_ >= kNewDevicesEveryMs;
  if (is_changed(db, now, kDevices) || (due && is_changed(db, now, kNewDevices))) {
    if (Status s = devices_.reload(db); !s) return s;
    devices_read_ms_ = now_ms;
    return {};
  }
  now.erase(kNewDevices);  // as it was when they were read
  const auto before = db.versions_read->find(kNewDevices);
  if (before != db.versions_read->end()) now.insert(*before);
  return {};
}

Status Registry::write_notes(Database& db) {
  AfterCommit after;
  const Status written = db.connection->in_transaction([&]() -> Status {
    after.clear();  // of an attempt before
    if (Status s = api_keys_.write_uses(*db.connection, after); !s) return s;
    if (Status s = login_sessions_.write_uses(*db.connection, after); !s) return s;
    return devices_.write_new(*db.connection, after);
  });
  if (!written) return written;
  for (const auto& f : after) f();
  return {};
}

Registry::Refreshed Registry::refresh(int64_t now_ms) {
  return database_.with([&](Database& db) {
    Status status = reload(db, now_ms);
    api_keys_.note_ended(db, now_ms);
    login_sessions_.note_ended(db, now_ms, status.ok() || !shared_);
    if (status) status = login_sessions_.remove_ended(*db.connection);
    if (status) status = silences_.remove_ended(db, now_ms - kEndedSilencesKeptMs);
    const bool due = now_ms - uses_written_ms_ >= kUsesEveryMs;
    if (status && (due || devices_.has_unwritten() || login_sessions_.has_late_use())) status = write_notes(db);
    // Other servers take their turn in between.
    while (status && !shared_ && devices_.has_unwritten()) status = write_notes(db);
    if (status && due) status = login_sessions_.remove_idle(*db.connection, now_ms);
    if (status && due) uses_written_ms_ = now_ms;
    return Refreshed{std::exchange(db.ended, {}), std::move(status)};
  });
}

Status Registry::flush() {
  return database_.with([&](Database& db) {
    Status written = write_notes(db);
    while (written && devices_.has_unwritten()) written = write_notes(db);
    return written;
  });
}

}  // namespace millstream::registry
