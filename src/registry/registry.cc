#include "registry/registry.h"

#include <unistd.h>

#include <unordered_map>
#include <utility>

#include "base/guarded.h"
#include "registry/columns.h"
#include "registry/private_file.h"
#include "registry/sqlite.h"

namespace millstream::registry {
namespace {

using model::ApiKeyRecord;
using KeysById = std::unordered_map<std::string, ApiKeyRecord>;

bool holds_good(const KeysById& keys, const std::string& id) {
  const auto found = keys.find(id);
  return found != keys.end() && !found->second.revoked;
}

constexpr int64_t kSchemaVersion = 1;
constexpr size_t kSha256Bytes = 32;

constexpr const char* kSchema = R"(
  CREATE TABLE IF NOT EXISTS api_keys (
    key_id        TEXT PRIMARY KEY,
    secret_sha256 BLOB NOT NULL,
    account       TEXT NOT NULL,
    sites         TEXT NOT NULL,  -- names joined by commas, or *
    devices       TEXT NOT NULL,  -- the same
    roles         TEXT NOT NULL,  -- joined by commas
    name          TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    revoked       INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = 1;
)";

std::string path_in(const std::string& directory) { return directory + "/registry.db"; }

Status make_schema(Connection& db) {
  if (Status s = db.run("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF"); !s) {
    return s;
  }
  return db.in_transaction([&]() -> Status {
    const Result<int64_t> version = db.read_number("PRAGMA user_version");
    if (!version) return version.error();
    if (*version > kSchemaVersion) return Error{Code::invalid, "registry.db was written by a newer millstream"};
    return *version == kSchemaVersion ? Status() : db.run(kSchema);
  });
}

constexpr const char* kSelect =
    "SELECT key_id, secret_sha256, account, sites, devices, roles, name, created_at_ms, expires_at_ms, revoked "
    "FROM api_keys ORDER BY created_at_ms, key_id";

Result<ApiKeyRecord> read_row(const Statement& row) {
  ApiKeyRecord record;
  record.key_id = row.bytes(0);
  record.secret_sha256 = row.bytes(1);
  Result<model::AccountId> account = model::AccountId::parse(row.bytes(2));
  const bool good = record.secret_sha256.size() == kSha256Bytes && account.ok() &&
                    split_names(row.bytes(3), record.grants.sites) &&
                    split_names(row.bytes(4), record.grants.devices) && split_roles(row.bytes(5), record.grants.roles);
  if (!good) return Error{Code::corrupt, "registry: key " + record.key_id + " does not say clearly what it allows"};
  record.grants.account = std::move(*account);
  record.grants.subject = model::key_subject(record.key_id);
  record.name = row.bytes(6);
  record.created_at_ms = row.number(7);
  if (!row.is_null(8)) record.grants.expires_at_ms = row.number(8);
  record.revoked = row.number(9) != 0;
  return record;
}

Result<std::vector<ApiKeyRecord>> read_all(Connection& db) {
  Result<Statement> rows = db.prepare(kSelect);
  if (!rows) return rows.error();
  std::vector<ApiKeyRecord> records;
  while (true) {
    const Result<bool> row = rows->step();
    if (!row) return row.error();
    if (!*row) return records;
    Result<ApiKeyRecord> record = read_row(*rows);
    if (!record) return record.error();
    records.push_back(std::move(*record));
  }
}

Status insert(Connection& db, const ApiKeyRecord& record) {
  Result<Statement> statement = db.prepare("INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!statement) return statement.error();
  statement->bind(record.key_id).bind_bytes(record.secret_sha256).bind(record.grants.account.text());
  statement->bind(join(record.grants.sites)).bind(join(record.grants.devices)).bind(join(record.grants.roles));
  statement->bind(record.name).bind(record.created_at_ms);
  if (record.grants.expires_at_ms) {
    statement->bind(*record.grants.expires_at_ms);
  } else {
    statement->bind_null();
  }
  statement->bind(int64_t{record.revoked});
  return statement->finish();
}

}  // namespace

struct Registry::Impl {
  explicit Impl(Connection connection) : database(Database{std::move(connection), -1, {}}) {}

  struct Database {
    Connection connection;
    int64_t version_read;            // PRAGMA data_version when the keys were read; moves when another process commits
    std::vector<std::string> ended;  // since refresh() last gave them back
  };

  Status reload(Database& open) {
    // The version first: a change between the two is then read twice, never missed.
    const Result<int64_t> version = open.connection.read_number("PRAGMA data_version");
    if (!version) return version.error();
    Result<std::vector<ApiKeyRecord>> records = read_all(open.connection);
    if (!records) return records.error();
    auto fresh = std::make_shared<KeysById>();
    for (ApiKeyRecord& record : *records) {
      std::string id = record.key_id;
      fresh->emplace(std::move(id), std::move(record));
    }
    open.version_read = *version;
    std::shared_ptr<const KeysById> before = fresh;
    keys.with([&](std::shared_ptr<const KeysById>& current) { current.swap(before); });
    if (!before) return {};  // the first time
    for (const auto& [id, record] : *before) {
      if (!record.revoked && !holds_good(*fresh, id)) open.ended.push_back(id);
    }
    return {};
  }

  mutable Guarded<Database> database;
  Guarded<std::shared_ptr<const KeysById>> keys;  // replaced as a whole, so that find_api_key never waits for the disk
};

Registry::Registry(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Registry::~Registry() = default;

bool Registry::exists(const std::string& directory) { return ::access(path_in(directory).c_str(), F_OK) == 0; }

Result<std::unique_ptr<Registry>> Registry::open(const std::string& directory) {
  const std::string path = path_in(directory);
  if (Status s = make_private_directory(directory); !s) return s.error();
  if (Status s = make_private_file(path); !s) return s.error();
  Result<Connection> connection = Connection::open(path);
  if (!connection) return connection.error();
  if (Status s = make_schema(*connection); !s) return Error{s.error().code, path + ": " + s.error().detail};
  std::unique_ptr<Registry> registry(new Registry(std::make_unique<Impl>(std::move(*connection))));
  Impl& impl = *registry->impl_;
  if (Status s = impl.database.with([&](Impl::Database& open) { return impl.reload(open); }); !s) return s.error();
  return registry;
}

std::optional<ApiKeyRecord> Registry::find_api_key(std::string_view key_id) const {
  const auto keys = impl_->keys.with([](const std::shared_ptr<const KeysById>& current) { return current; });
  const auto found = keys->find(std::string(key_id));
  if (found == keys->end()) return std::nullopt;
  return found->second;
}

Status Registry::add_api_key(const ApiKeyRecord& record) {
  if (record.secret_sha256.size() != kSha256Bytes || record.grants.account.empty() || record.grants.roles.empty()) {
    return Error{Code::invalid, "a key needs a hashed secret, an account and a role"};
  }
  return impl_->database.with([&](Impl::Database& open) {
    Status done = insert(open.connection, record);
    return done ? impl_->reload(open) : done;
  });
}

Status Registry::revoke_api_key(std::string_view key_id) {
  return impl_->database.with([&](Impl::Database& open) -> Status {
    Result<Statement> statement = open.connection.prepare("UPDATE api_keys SET revoked = 1 WHERE key_id = ?");
    if (!statement) return statement.error();
    if (Status s = statement->bind(key_id).finish(); !s) return s;
    if (open.connection.changes() == 0) return Error{Code::not_found, "no key " + std::string(key_id)};
    return impl_->reload(open);
  });
}

Result<std::vector<ApiKeyRecord>> Registry::list_api_keys() const {
  return impl_->database.with([](Impl::Database& open) { return read_all(open.connection); });
}

Result<std::vector<std::string>> Registry::refresh() {
  return impl_->database.with([&](Impl::Database& open) -> Result<std::vector<std::string>> {
    const Result<int64_t> version = open.connection.read_number("PRAGMA data_version");
    if (!version) return version.error();
    if (*version != open.version_read) {
      if (Status s = impl_->reload(open); !s) return s.error();
    }
    return std::exchange(open.ended, {});
  });
}

}  // namespace millstream::registry
