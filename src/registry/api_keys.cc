#include "registry/api_keys.h"

#include <algorithm>

#include "registry/columns.h"

namespace millstream::registry {
namespace {

using model::ApiKeyRecord;

constexpr size_t kSha256Bytes = 32;
constexpr const char* kSelect =
    "SELECT key_id, secret_sha256, account, sites, devices, roles, name, created_at_ms, expires_at_ms, revoked, "
    "used_at_ms, created_by FROM api_keys ORDER BY created_at_ms, key_id";
constexpr const char* kInsert =
    "INSERT INTO api_keys (key_id, secret_sha256, account, sites, devices, roles, name, created_at_ms, expires_at_ms, "
    "revoked, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

Result<ApiKeyRecord> read_row(const Statement& row) {
  ApiKeyRecord record;
  record.key_id = row.bytes(0);
  record.secret_sha256 = row.bytes(1);
  if (record.secret_sha256.size() != kSha256Bytes || !read_grants(row, 2, record.grants)) {
    return Error{Code::corrupt, "registry: key " + record.key_id + " does not say clearly what it allows"};
  }
  record.grants.subject = model::key_subject(record.key_id);
  record.name = row.bytes(6);
  record.created_at_ms = row.number(7);
  record.grants.expires_at_ms = row.maybe_number(8);
  record.revoked = row.number(9) != 0;
  record.used_at_ms = row.maybe_number(10);
  record.created_by = row.bytes(11);
  return record;
}

bool is_good(const ApiKeyRecord& record, int64_t now_ms) {
  return !record.revoked && now_ms < record.grants.expires_at_ms.value_or(INT64_MAX);
}

Error no_key(std::string_view id) { return {Code::not_found, "no key has the id \"" + std::string(id) + "\""}; }

}  // namespace

std::shared_ptr<const ApiKeys::ById> ApiKeys::current() const {
  return by_id_.with([](const std::shared_ptr<const ById>& keys) { return keys; });
}

std::shared_ptr<const ApiKeyRecord> ApiKeys::find_api_key(std::string_view key_id) const {
  auto keys = current();
  const auto found = keys->find(std::string(key_id));
  if (found == keys->end()) return nullptr;
  const ApiKeyRecord* const record = &found->second.record;
  return {std::move(keys), record};  // lives as long as the table it stands in
}

void ApiKeys::note_use(std::string_view key_id, int64_t now_ms) const {
  const auto keys = current();
  const auto found = keys->find(std::string(key_id));
  if (found != keys->end()) found->second.use->at_ms.store(now_ms, std::memory_order_relaxed);
}

Status ApiKeys::change(const std::function<Status(Connection&)>& f) {
  return database_.with([&](Database& db) -> Status {
    if (Status s = f(*db.connection); !s) return s;
    return reload(db);
  });
}

Status ApiKeys::add(const ApiKeyRecord& record) {
  const model::Grants& grants = record.grants;
  if (record.secret_sha256.size() != kSha256Bytes || grants.account.empty() || grants.roles.empty()) {
    return Error{Code::invalid, "a key needs a hashed secret, an account and a role"};
  }
  return change([&](Connection& db) -> Status {
    const auto keys = current();
    const auto of_account = std::count_if(keys->begin(), keys->end(), [&](const auto& key) {
      return key.second.record.grants.account == grants.account;
    });
    if (static_cast<size_t>(of_account) >= kKeysPerAccountMax) {
      return Error{Code::unprocessable, "the account has " + std::to_string(of_account) + " keys, which is its limit"};
    }
    Result<Statement> insert = db.prepare(kInsert);
    if (!insert) return insert.error();
    insert->bind(record.key_id).bind_bytes(record.secret_sha256);
    bind_grants(*insert, grants);
    insert->bind(record.name).bind(record.created_at_ms).bind(grants.expires_at_ms).bind(int64_t{record.revoked});
    return insert->bind(record.created_by).finish();
  });
}

Status ApiKeys::revoke(std::string_view key_id) {
  return change([&](Connection& db) -> Status {
    Result<Statement> update = db.prepare("UPDATE api_keys SET revoked = 1 WHERE key_id = $1");
    if (!update) return update.error();
    if (Status s = update->bind(key_id).finish(); !s) return s;
    return db.changes() == 0 ? Status(no_key(key_id)) : Status();
  });
}

Status ApiKeys::end_at(std::string_view key_id, int64_t end_ms) {
  return change([&](Connection& db) -> Status {
    Result<Statement> update = db.prepare(
        "UPDATE api_keys SET expires_at_ms = CASE WHEN expires_at_ms < $1 THEN expires_at_ms ELSE $1 END "
        "WHERE key_id = $2");
    if (!update) return update.error();
    if (Status s = update->bind(end_ms).bind(key_id).finish(); !s) return s;
    return db.changes() == 0 ? Status(no_key(key_id)) : Status();
  });
}

Result<std::vector<ApiKeyRecord>> ApiKeys::list() const {
  Result<std::vector<ApiKeyRecord>> records =
      database_.with([](Database& db) { return read_rows<ApiKeyRecord>(*db.connection, kSelect, read_row); });
  if (!records) return records;
  const auto keys = current();
  for (ApiKeyRecord& record : *records) {
    const auto found = keys->find(record.key_id);
    const int64_t used_ms = found == keys->end() ? 0 : found->second.use->at_ms.load(std::memory_order_relaxed);
    if (used_ms > record.used_at_ms.value_or(0)) record.used_at_ms = used_ms;
  }
  return records;
}

Status ApiKeys::reload(Database& db) {
  Result<std::vector<ApiKeyRecord>> records = read_rows<ApiKeyRecord>(*db.connection, kSelect, read_row);
  if (!records) return records.error();
  const std::shared_ptr<const ById> before = current();
  auto fresh = std::make_shared<ById>();
  for (ApiKeyRecord& record : *records) {
    std::string id = record.key_id;
    Entry entry{std::move(record), nullptr};
    if (before) {
      if (const auto known = before->find(id); known != before->end()) entry.use = known->second.use;
    }
    if (!entry.use) {
      entry.use = std::make_shared<Use>();
      entry.use->at_ms = entry.use->written_ms = entry.record.used_at_ms.value_or(0);
    }
    fresh->emplace(std::move(id), std::move(entry));
  }
  by_id_.with([&](std::shared_ptr<const ById>& keys) { keys = fresh; });
  if (!before) return {};  // the first time
  for (const auto& [id, entry] : *before) {
    if (!fresh->contains(id) && !entry.use->end_noted) db.ended.push_back(model::api_key_number(id));
  }
  return {};
}

void ApiKeys::note_ended(Database& db, int64_t now_ms) {
  for (const auto& [id, entry] : *current()) {
    if (entry.use->end_noted || is_good(entry.record, now_ms)) continue;
    entry.use->end_noted = true;
    db.ended.push_back(model::api_key_number(id));
  }
}

Status ApiKeys::write_uses(Connection& db, AfterCommit& after) {
  for (const auto& [id, entry] : *current()) {
    const int64_t used_ms = entry.use->at_ms.load(std::memory_order_relaxed);
    if (used_ms <= entry.use->written_ms) continue;
    Result<Statement> update =
        db.prepare("UPDATE api_keys SET used_at_ms = $1 WHERE key_id = $2 AND coalesce(used_at_ms, 0) < $1");
    if (!update) return update.error();
    if (Status s = update->bind(used_ms).bind(id).finish(); !s) return s;
    after.push_back([use = entry.use, used_ms] { use->written_ms = used_ms; });
  }
  return {};
}

}  // namespace millstream::registry
