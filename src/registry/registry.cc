#include "registry/registry.h"

#include <unistd.h>

#include <utility>

#include "registry/private_file.h"
#include "registry/schema.h"

namespace millstream::registry {
namespace {

constexpr int64_t kUsesEveryMs = 60'000;

std::string path_in(const std::string& directory) { return directory + "/registry.db"; }

}  // namespace

bool Registry::exists(const std::string& directory) { return ::access(path_in(directory).c_str(), F_OK) == 0; }

Result<std::unique_ptr<Registry>> Registry::open(const std::string& directory, RegistryOptions options) {
  const std::string path = path_in(directory);
  if (Status s = make_private_directory(directory); !s) return s.error();
  if (Status s = make_private_file(path); !s) return s.error();
  Result<Connection> connection = Connection::open(path);
  if (!connection) return connection.error();
  if (Status s = make_schema(*connection); !s) return Error{s.error().code, path + ": " + s.error().detail};
  std::unique_ptr<Registry> registry(new Registry(std::move(*connection), options));
  const Status read = registry->database_.with([&](Database& db) -> Status {
    if (Status s = registry->reload(db); !s) return s;
    return registry->login_sessions_.load(db);
  });
  if (!read) return read.error();
  return registry;
}

Status Registry::reload(Database& db) {
  // The version first: a change between the two is then read twice, never missed.
  const Result<int64_t> version = db.connection.read_number("PRAGMA data_version");
  if (!version) return version.error();
  if (*version == db.version_read) return {};
  if (Status s = api_keys_.reload(db); !s) return s;
  if (Status s = users_.reload(db); !s) return s;
  if (Status s = devices_.reload(db); !s) return s;
  if (Status s = silences_.reload(db); !s) return s;
  if (Status s = rules_.reload(db); !s) return s;
  db.version_read = *version;
  return {};
}

Status Registry::write_notes(Database& db) {
  AfterCommit after;
  const Status written = db.connection.in_transaction([&]() -> Status {
    if (Status s = api_keys_.write_uses(db.connection, after); !s) return s;
    if (Status s = login_sessions_.write_uses(db.connection, after); !s) return s;
    return devices_.write_new(db.connection, after);
  });
  if (!written) return written;
  for (const auto& f : after) f();
  return {};
}

Registry::Refreshed Registry::refresh(int64_t now_ms) {
  return database_.with([&](Database& db) {
    Status status = reload(db);
    api_keys_.note_ended(db, now_ms);
    login_sessions_.note_ended(db, now_ms);
    if (status) status = login_sessions_.remove_ended(db.connection);
    if (status) status = silences_.remove_ended(db, now_ms - kEndedSilencesKeptMs);
    if (status && (now_ms - uses_written_ms_ >= kUsesEveryMs || devices_.has_unwritten())) {
      status = write_notes(db);
      if (status) uses_written_ms_ = now_ms;
    }
    return Refreshed{std::exchange(db.ended, {}), std::move(status)};
  });
}

Status Registry::flush() {
  return database_.with([&](Database& db) { return write_notes(db); });
}

}  // namespace millstream::registry
