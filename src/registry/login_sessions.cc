#include "registry/login_sessions.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace millstream::registry {
namespace {

using model::LoginSessionRecord;

constexpr size_t kSha256Bytes = 32;
constexpr int64_t kSoonMs = 10'000;                // several times as long as from one refresh to the next
constexpr int64_t kUsesWrittenWithinMs = 120'000;  // twice as long as from one writing to the next

Result<LoginSessionRecord> read_row(const Statement& row) {
  return LoginSessionRecord{.sha256 = row.bytes(0),
                            .user = row.bytes(1),
                            .generation = row.number(2),
                            .created_at_ms = row.number(3),
                            .used_at_ms = row.number(4),
                            .expires_at_ms = row.number(5)};
}

Status remove_row(Connection& db, std::string_view sha256) {
  Result<Statement> remove = db.prepare("DELETE FROM login_sessions WHERE sha256 = $1");
  return remove ? remove->bind_bytes(sha256).finish() : Status(remove.error());
}

}  // namespace

bool LoginSessions::is_good(const LoginSessionRecord& record, int64_t now_ms) const {
  return now_ms < record.expires_at_ms && now_ms - record.used_at_ms < options_.idle_ms &&
         users_.is_current(record.user, record.generation);
}

std::optional<model::Grants> LoginSessions::use_login_session(std::string_view sha256, int64_t now_ms) const {
  const auto record = table_.with([&](Table& table) -> std::optional<LoginSessionRecord> {
    const auto found = table.by_sha256.find(std::string(sha256));
    if (found == table.by_sha256.end() || !is_good(found->second.record, now_ms)) return std::nullopt;
    found->second.record.used_at_ms = std::max(found->second.record.used_at_ms, now_ms);
    return found->second.record;
  });
  std::optional<model::UserRecord> user = record ? users_.find(record->user) : std::nullopt;
  if (!user || user->generation != record->generation) return std::nullopt;
  user->grants.expires_at_ms = record->expires_at_ms;
  user->grants.credential = model::login_session_number(sha256);
  return std::move(user->grants);
}

bool LoginSessions::holds_login_session(uint64_t number, int64_t now_ms) const {
  return table_.with([&](const Table& table) {
    const auto found = table.sha256_of.find(number);
    return found != table.sha256_of.end() && is_good(table.by_sha256.at(found->second).record, now_ms);
  });
}

void LoginSessions::put(Table& table, Entry entry) {
  const std::string sha256 = entry.record.sha256;
  table.sha256_of[model::login_session_number(sha256)] = sha256;
  table.by_sha256[sha256] = std::move(entry);
}

void LoginSessions::erase(Table& table, const std::string& sha256) {
  table.sha256_of.erase(model::login_session_number(sha256));
  table.by_sha256.erase(sha256);
}

Status LoginSessions::add(const LoginSessionRecord& record) {
  if (record.sha256.size() != kSha256Bytes || record.user.empty()) {
    return Error{Code::invalid, "a session needs a hash and a user"};
  }
  return database_.with([&](Database& db) -> Status {
    if (table_.with([](const Table& table) { return table.by_sha256.size(); }) >= options_.sessions_max) {
      return Error{Code::unavailable, std::to_string(options_.sessions_max) + " are signed in; try again later"};
    }
    if (const auto ended = end_longest_idle(record.user)) db.ended.push_back(*ended);
    Result<Statement> insert = db.connection->prepare(
        "INSERT INTO login_sessions (sha256, user_name, generation, created_at_ms, used_at_ms, expires_at_ms) "
        "VALUES ($1, $2, $3, $4, $5, $6)");
    if (!insert) return insert.error();
    insert->bind_bytes(record.sha256).bind(record.user).bind(record.generation).bind(record.created_at_ms);
    if (Status s = insert->bind(record.used_at_ms).bind(record.expires_at_ms).finish(); !s) return s;
    table_.with([&](Table& table) { put(table, {record, record.used_at_ms}); });
    return {};
  });
}

std::optional<uint64_t> LoginSessions::end_longest_idle(const std::string& user) {
  return table_.with([&](Table& table) -> std::optional<uint64_t> {
    size_t count = 0;
    const LoginSessionRecord* oldest = nullptr;
    for (const auto& [sha256, entry] : table.by_sha256) {
      if (entry.record.user != user) continue;
      ++count;
      if (!oldest || entry.record.used_at_ms < oldest->used_at_ms) oldest = &entry.record;
    }
    if (count < options_.sessions_per_user_max) return std::nullopt;
    const std::string sha256 = oldest->sha256;
    table.ended.push_back(sha256);
    erase(table, sha256);
    return model::login_session_number(sha256);
  });
}

Status LoginSessions::end(std::string_view sha256) {
  // Out of memory first: whatever the disk says, the cookie is good no more, and its row is removed as soon as it can
  // be.
  table_.with([&](Table& table) {
    table.ended.emplace_back(sha256);
    erase(table, std::string(sha256));
  });
  return database_.with([&](Database& db) { return remove_ended(*db.connection); });
}

std::vector<uint64_t> LoginSessions::nearly_idle(int64_t now_ms) const {
  const int64_t soon_ms = std::min(kSoonMs, options_.idle_ms * 3 / 4);
  return table_.with([&](const Table& table) {
    std::vector<uint64_t> numbers;
    for (const auto& [sha256, entry] : table.by_sha256) {
      if (now_ms - entry.record.used_at_ms < options_.idle_ms - soon_ms) continue;
      numbers.push_back(model::login_session_number(sha256));
    }
    return numbers;
  });
}

void LoginSessions::touch(const std::vector<uint64_t>& numbers, int64_t now_ms) const {
  table_.with([&](Table& table) {
    for (const uint64_t number : numbers) {
      const auto found = table.sha256_of.find(number);
      if (found == table.sha256_of.end()) continue;
      LoginSessionRecord& record = table.by_sha256.at(found->second).record;
      if (is_good(record, now_ms)) record.used_at_ms = std::max(record.used_at_ms, now_ms);
    }
  });
}

// What others have added is added here, what they have ended is told as ended.
Status LoginSessions::reload(Database& db, int64_t now_ms) {
  Result<std::vector<LoginSessionRecord>> records = read_rows<LoginSessionRecord>(
      *db.connection,
      "SELECT sha256, user_name, generation, created_at_ms, used_at_ms, expires_at_ms FROM login_sessions", read_row);
  if (!records) return records.error();
  table_.with([&](Table& table) {
    std::unordered_set<std::string> gone(table.ended.begin(), table.ended.end());
    std::unordered_set<std::string_view> there;
    for (const LoginSessionRecord& record : *records) {
      there.insert(record.sha256);
      const auto known = table.by_sha256.find(record.sha256);
      if (known != table.by_sha256.end()) {
        note_written_use(known->second, record.used_at_ms);
      } else if (!gone.contains(record.sha256) && is_good(record, now_ms)) {
        put(table, {record, record.used_at_ms});
      }
    }
    std::vector<std::string> ended;
    for (const auto& [sha256, entry] : table.by_sha256) {
      if (!there.contains(sha256)) ended.push_back(sha256);
    }
    for (const std::string& sha256 : ended) {
      db.ended.push_back(model::login_session_number(sha256));
      erase(table, sha256);
    }
  });
  return {};
}

void LoginSessions::note_written_use(Entry& entry, int64_t used_at_ms) {
  entry.record.used_at_ms = std::max(entry.record.used_at_ms, used_at_ms);
  entry.written_ms = std::max(entry.written_ms, used_at_ms);
}

bool LoginSessions::is_only_idle(const LoginSessionRecord& record, int64_t now_ms) const {
  return !is_good(record, now_ms) && now_ms < record.expires_at_ms && users_.is_current(record.user, record.generation);
}

Status LoginSessions::read_uses_of_idle(Connection& db, int64_t now_ms) {
  const bool any = table_.with([&](const Table& table) {
    return std::any_of(table.by_sha256.begin(), table.by_sha256.end(),
                       [&](const auto& each) { return is_only_idle(each.second.record, now_ms); });
  });
  if (!any) return {};
  Result<Statement> rows = db.prepare("SELECT sha256, used_at_ms FROM login_sessions WHERE used_at_ms > $1");
  if (!rows) return rows.error();
  rows->bind(now_ms - options_.idle_ms);
  while (true) {
    const Result<bool> there = rows->step();
    if (!there) return there.error();
    if (!*there) return {};
    table_.with([&](Table& table) {
      const auto known = table.by_sha256.find(rows->bytes(0));
      if (known != table.by_sha256.end()) note_written_use(known->second, rows->number(1));
    });
  }
}

void LoginSessions::note_ended(Database& db, int64_t now_ms, bool uses_known) {
  table_.with([&](Table& table) {
    std::vector<std::pair<std::string, bool>> hashes;
    for (const auto& [sha256, entry] : table.by_sha256) {
      const bool idle = is_only_idle(entry.record, now_ms);
      if (idle ? uses_known : !is_good(entry.record, now_ms)) hashes.emplace_back(sha256, idle);
    }
    for (auto& [sha256, idle] : hashes) {
      db.ended.push_back(model::login_session_number(sha256));
      erase(table, sha256);
      if (!idle) table.ended.push_back(std::move(sha256));  // else remove_idle() does it
    }
  });
}

bool LoginSessions::has_late_use() const {
  return table_.with([&](const Table& table) {
    return std::any_of(table.by_sha256.begin(), table.by_sha256.end(), [&](const auto& each) {
      return each.second.record.used_at_ms - each.second.written_ms > options_.idle_ms / 2;
    });
  });
}

Status LoginSessions::remove_idle(Connection& db, int64_t now_ms) const {
  Result<Statement> remove = db.prepare("DELETE FROM login_sessions WHERE used_at_ms <= $1");
  return remove ? remove->bind(now_ms - options_.idle_ms - kUsesWrittenWithinMs).finish() : Status(remove.error());
}

Status LoginSessions::remove_ended(Connection& db) {
  std::vector<std::string> ended = table_.with([](Table& table) { return std::exchange(table.ended, {}); });
  while (!ended.empty()) {
    if (Status s = remove_row(db, ended.back()); !s) {
      table_.with([&](Table& table) { table.ended.insert(table.ended.end(), ended.begin(), ended.end()); });
      return s;
    }
    ended.pop_back();
  }
  return {};
}

Status LoginSessions::write_uses(Connection& db, AfterCommit& after) {
  std::vector<std::pair<std::string, int64_t>> uses;
  table_.with([&](const Table& table) {
    for (const auto& [sha256, entry] : table.by_sha256) {
      if (entry.record.used_at_ms > entry.written_ms) uses.emplace_back(sha256, entry.record.used_at_ms);
    }
  });
  for (const auto& [sha256, used_ms] : uses) {
    Result<Statement> update =
        db.prepare("UPDATE login_sessions SET used_at_ms = $1 WHERE sha256 = $2 AND used_at_ms < $1");
    if (!update) return update.error();
    if (Status s = update->bind(used_ms).bind_bytes(sha256).finish(); !s) return s;
  }
  after.push_back([this, uses = std::move(uses)] {
    table_.with([&](Table& table) {
      for (const auto& [sha256, used_ms] : uses) {
        if (const auto found = table.by_sha256.find(sha256); found != table.by_sha256.end()) {
          found->second.written_ms = used_ms;
        }
      }
    });
  });
  return {};
}

}  // namespace millstream::registry
