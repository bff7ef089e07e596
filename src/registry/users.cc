#include "registry/users.h"

#include <algorithm>

#include "registry/columns.h"

namespace millstream::registry {
namespace {

using model::UserRecord;

constexpr const char* kSelect =
    "SELECT name, account, sites, devices, roles, password_hash, created_at_ms, disabled, generation FROM users "
    "ORDER BY name";

Result<UserRecord> read_row(const Statement& row) {
  UserRecord record;
  record.name = row.bytes(0);
  if (!model::is_user_name(record.name) || !read_grants(row, 1, record.grants)) {
    return Error{Code::corrupt, "registry: user \"" + record.name + "\" is not one, or may do nothing clear"};
  }
  record.grants.subject = std::string(model::kUserSubjectPrefix) + record.name;
  record.password_hash = row.bytes(5);
  record.created_at_ms = row.number(6);
  record.disabled = row.number(7) != 0;
  record.generation = row.number(8);
  return record;
}

bool manages_account(const UserRecord& user) {
  const model::Grants& grants = user.grants;
  return !user.disabled && grants.roles.has(model::Role::admin) && grants.sites.empty() && grants.devices.empty();
}

Error no_user(std::string_view name) { return {Code::not_found, "no user is called \"" + std::string(name) + "\""}; }

}  // namespace

std::optional<UserRecord> Users::find(std::string_view name) const {
  const auto users = by_name_.with([](const std::shared_ptr<const ByName>& all) { return all; });
  const auto found = users->find(std::string(name));
  if (found == users->end()) return std::nullopt;
  return found->second;
}

size_t Users::count(const model::AccountId& account) const {
  const auto users = by_name_.with([](const std::shared_ptr<const ByName>& all) { return all; });
  return static_cast<size_t>(std::count_if(users->begin(), users->end(),
                                           [&](const auto& user) { return user.second.grants.account == account; }));
}

bool Users::is_current(const std::string& name, int64_t generation) const {
  const auto users = by_name_.with([](const std::shared_ptr<const ByName>& all) { return all; });
  const auto found = users->find(name);
  return found != users->end() && !found->second.disabled && found->second.generation == generation;
}

Status Users::change(const std::function<Status(Connection&)>& f) {
  return database_.with([&](Database& db) -> Status {
    // What f looks at must not change before it writes, nor be another server's to change.
    if (Status s = db.connection->in_transaction([&] { return f(*db.connection); }); !s) return s;
    return reload(db);
  });
}

Status Users::add(const UserRecord& record) {
  if (!model::may_be_added(record.name)) {
    return Error{Code::invalid, model::kUserNameRule};
  }
  if (record.password_hash.empty() || record.grants.account.empty() || record.grants.roles.empty()) {
    return Error{Code::invalid, "a user needs a hashed password, an account and a role"};
  }
  const Status added = change([&](Connection& db) -> Status {
    Result<Statement> insert = db.prepare(
        "INSERT INTO users (name, account, sites, devices, roles, password_hash, created_at_ms, disabled, generation) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    if (!insert) return insert.error();
    insert->bind(record.name);
    bind_grants(*insert, record.grants);
    insert->bind(record.password_hash).bind(record.created_at_ms).bind(int64_t{record.disabled});
    return insert->bind(record.generation).finish();
  });
  if (added || added.error().code != Code::conflict) return added;
  return Error{Code::conflict, "there is a user \"" + record.name + "\" already"};
}

Status Users::set_password(std::string_view name, std::string_view password_hash) {
  return change([&](Connection& db) -> Status {
    Result<Statement> update =
        db.prepare("UPDATE users SET password_hash = $1, generation = generation + 1 WHERE name = $2");
    if (!update) return update.error();
    if (Status s = update->bind(password_hash).bind(name).finish(); !s) return s;
    return db.changes() == 0 ? Status(no_user(name)) : Status();
  });
}

Status Users::set_disabled(std::string_view name, bool disabled, LastAdmin last_admin) {
  return change([&](Connection& db) -> Status {
    const Result<std::vector<UserRecord>> users = read_rows<UserRecord>(db, kSelect, read_row);
    if (!users) return users.error();
    const auto user = std::find_if(users->begin(), users->end(), [&](const UserRecord& u) { return u.name == name; });
    if (user == users->end()) return no_user(name);
    if (user->disabled == disabled) return {};  // nothing changes, and no session ends
    const auto keeps_account = [&](const UserRecord& u) {
      return u.name != name && u.grants.account == user->grants.account && manages_account(u);
    };
    if (disabled && last_admin == LastAdmin::stays && manages_account(*user) &&
        std::none_of(users->begin(), users->end(), keeps_account)) {
      return Error{Code::conflict, "\"" + user->name + "\" is the last admin of the account"};
    }
    Result<Statement> update =
        db.prepare("UPDATE users SET disabled = $1, generation = generation + 1 WHERE name = $2");
    if (!update) return update.error();
    return update->bind(int64_t{disabled}).bind(name).finish();
  });
}

Result<std::vector<UserRecord>> Users::list() const {
  return database_.with([](Database& db) { return read_rows<UserRecord>(*db.connection, kSelect, read_row); });
}

Status Users::reload(Database& db) {
  Result<std::vector<UserRecord>> records = read_rows<UserRecord>(*db.connection, kSelect, read_row);
  if (!records) return records.error();
  auto fresh = std::make_shared<ByName>();
  for (UserRecord& record : *records) {
    std::string name = record.name;
    fresh->emplace(std::move(name), std::move(record));
  }
  by_name_.with([&](std::shared_ptr<const ByName>& users) { users = std::move(fresh); });
  return {};
}

}  // namespace millstream::registry
