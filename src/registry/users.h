// registry/users.h: the table of users, and a copy of it in memory.
//
// Errors   Code::corrupt for rows that do not say what a user may do: nothing is guessed.
// Thread   find: any, without waiting for the disk. The rest blocks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "model/user.h"
#include "registry/database.h"

namespace millstream::registry {

class Users {
 public:
  explicit Users(SharedDatabase& database) : database_(database) {}

  std::optional<model::UserRecord> find(std::string_view name) const;
  size_t count(const model::AccountId& account) const;
  // Whether there is such a user, enabled, of this generation.
  bool is_current(const std::string& name, int64_t generation) const;

  Status add(const model::UserRecord& record);  // Code::conflict
  // Both end the sessions until now. Code::not_found; Code::conflict where the account would have no admin left who may
  // do everything in it, and that one stays.
  enum class LastAdmin { stays, may_go };
  Status set_password(std::string_view name, std::string_view password_hash);
  Status set_disabled(std::string_view name, bool disabled, LastAdmin last_admin = LastAdmin::may_go);
  Result<std::vector<model::UserRecord>> list() const;  // by name

  Status reload(Database& db);  // for Registry, which holds the lock

 private:
  using ByName = std::unordered_map<std::string, model::UserRecord>;
  Status change(const std::function<Status(Connection&)>& f);

  SharedDatabase& database_;
  Guarded<std::shared_ptr<const ByName>> by_name_;
};

}  // namespace millstream::registry
