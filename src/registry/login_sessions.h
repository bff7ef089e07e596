// registry/login_sessions.h: who is signed in, in memory and in a table, so that a restart signs nobody out.
//
// Shapes   A session ends at its time, when it was not used for LoginSessionOptions::idle_ms, or when its user was
//          disabled or got another password. The last use is written once a minute: a crash may forget that much.
// Limits   sessions_max; beyond, add() refuses. sessions_per_user_max; beyond, the one that was longest not used ends.
// Thread   use_*, holds_*, touch, idle: any, without waiting for the disk. The rest blocks.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/guarded.h"
#include "model/login_session.h"
#include "registry/database.h"
#include "registry/users.h"

namespace millstream::registry {

struct LoginSessionOptions {
  int64_t idle_ms = 30 * 60'000;
  size_t sessions_max = 100'000;
  size_t sessions_per_user_max = 50;
};

class LoginSessions final : public model::LoginSessionLookup {
 public:
  LoginSessions(LoginSessionOptions options, SharedDatabase& database, const Users& users)
      : options_(options), database_(database), users_(users) {}

  std::optional<model::Grants> use_login_session(std::string_view sha256, int64_t now_ms) const override;
  bool holds_login_session(uint64_t number, int64_t now_ms) const override;

  Status add(const model::LoginSessionRecord& record);  // Code::unavailable: too many
  Status end(std::string_view sha256);                  // no error where there is none

  // Those that will soon have been idle for too long. A session with an open stream is in use: touch() it.
  std::vector<uint64_t> nearly_idle(int64_t now_ms) const;
  void touch(const std::vector<uint64_t>& numbers, int64_t now_ms) const;

  // For Registry, which holds the lock.
  Status reload(Database& db, int64_t now_ms);
  // Those that are idle by what is known here may have been used at another server: it has written that.
  Status read_uses_of_idle(Connection& db, int64_t now_ms);
  void note_ended(Database& db, int64_t now_ms, bool uses_known);
  // A use that must be written soon, as it makes a session last that others may take for idle.
  bool has_late_use() const;
  Status remove_ended(Connection& db);  // their rows
  // Rows of those that nobody has used for long enough, wherever they were used: another server's last uses may be on
  // their way.
  Status remove_idle(Connection& db, int64_t now_ms) const;
  Status write_uses(Connection& db, AfterCommit& after);

 private:
  struct Entry {
    model::LoginSessionRecord record;
    int64_t written_ms = 0;  // used_at_ms in the table
  };
  struct Table {
    std::unordered_map<std::string, Entry> by_sha256;
    std::unordered_map<uint64_t, std::string> sha256_of;
    std::vector<std::string> ended;  // whose rows are still to be removed
  };
  bool is_good(const model::LoginSessionRecord& record, int64_t now_ms) const;
  bool is_only_idle(const model::LoginSessionRecord& record, int64_t now_ms) const;
  static void note_written_use(Entry& entry, int64_t used_at_ms);
  // That another of this user's finds a place; gives back its number.
  std::optional<uint64_t> end_longest_idle(const std::string& user);
  static void put(Table& table, Entry entry);
  static void erase(Table& table, const std::string& sha256);

  const LoginSessionOptions options_;
  SharedDatabase& database_;
  const Users& users_;
  mutable Guarded<Table> table_;
};

}  // namespace millstream::registry
