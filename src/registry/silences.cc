#include "registry/silences.h"

#include <algorithm>
#include <string>

#include "codec/silence_json.h"

namespace millstream::registry {
namespace {

using model::Silence;

Result<Silence> read_row(const Statement& row) {
  const Result<model::AccountId> account = model::AccountId::parse(row.bytes(0));
  if (!account) return Error{Code::corrupt, "registry: a silence without a proper account"};
  Result<Silence> silence = codec::parse_silence(row.bytes(1), *account);
  if (!silence) return Error{Code::corrupt, "registry: a silence cannot be read: " + silence.error().detail};
  return silence;
}

Status erase(Connection& db, const model::AccountId& account, std::string_view id) {
  Result<Statement> remove = db.prepare("DELETE FROM silences WHERE account = $1 AND silence_id = $2");
  if (!remove) return remove.error();
  if (Status s = remove->bind(account.text()).bind(id).finish(); !s) return s;
  if (db.changes() > 0) return {};
  return Error{Code::not_found, "no silence has the id \"" + std::string(id) + "\""};
}

Status insert(Connection& db, const Silence& silence) {
  Result<Statement> statement =
      db.prepare("INSERT INTO silences (account, silence_id, ends_at_ms, silence) VALUES ($1, $2, $3, $4)");
  if (!statement) return statement.error();
  statement->bind(silence.topic.account.text()).bind(silence.id).bind(silence.ends_at_ms);
  const Status added = statement->bind(codec::encode_silence(silence)).finish();
  if (added || added.error().code != Code::conflict) return added;
  return Error{Code::conflict, "there is a silence \"" + silence.id + "\" already"};
}

}  // namespace

std::shared_ptr<const Silences::List> Silences::of(const model::AccountId& account) const {
  static const auto none = std::make_shared<const List>();
  return by_account_.with([&](const ByAccount& all) {
    const auto found = all.find(account);
    return found == all.end() ? none : found->second;
  });
}

Silences::List Silences::all() const {
  List list;
  by_account_.with([&](const ByAccount& all) {
    for (const auto& [account, of] : all) list.insert(list.end(), of->begin(), of->end());
  });
  return list;
}

Status Silences::add(const Silence& silence, int64_t now_ms) {
  return database_.with([&](Database& db) -> Status {
    const Status added = db.connection->in_transaction([&]() -> Status {
      if (Status s = make_room(*db.connection, silence.topic.account, now_ms); !s) return s;
      return insert(*db.connection, silence);
    });
    return added ? reload(db) : added;
  });
}

// The one that ended first gives way.
Status Silences::make_room(Connection& db, const model::AccountId& account, int64_t now_ms) {
  const std::shared_ptr<const List> known = of(account);
  if (known->size() < options_.silences_per_account_max) return {};
  const auto oldest = std::min_element(known->begin(), known->end(),
                                       [](const Silence& a, const Silence& b) { return a.ends_at_ms < b.ends_at_ms; });
  if (oldest != known->end() && oldest->ends_at_ms <= now_ms) return erase(db, account, oldest->id);
  return Error{Code::unprocessable, "the account has " + std::to_string(known->size()) +
                                        " silences, which is its limit (alerts.silences_per_account_max): delete some"};
}

Status Silences::remove(const model::AccountId& account, std::string_view id) {
  return database_.with([&](Database& db) -> Status {
    if (Status s = erase(*db.connection, account, id); !s) return s;
    return reload(db);
  });
}

Status Silences::reload(Database& db) {
  const Result<List> rows = read_rows<Silence>(
      *db.connection, "SELECT account, silence FROM silences ORDER BY account, silence_id", read_row);
  if (!rows) return rows.error();
  std::map<model::AccountId, List> sorted;
  for (const Silence& silence : *rows) sorted[silence.topic.account].push_back(silence);
  ByAccount fresh;
  for (auto& [account, list] : sorted) fresh[account] = std::make_shared<const List>(std::move(list));
  by_account_.with([&](ByAccount& all) { all.swap(fresh); });
  return {};
}

Status Silences::remove_ended(Database& db, int64_t before_ms) {
  const bool any = by_account_.with([&](const ByAccount& all) {
    return std::any_of(all.begin(), all.end(), [&](const auto& of) {
      return std::any_of(of.second->begin(), of.second->end(),
                         [&](const Silence& silence) { return silence.ends_at_ms < before_ms; });
    });
  });
  if (!any) return {};
  Result<Statement> remove = db.connection->prepare("DELETE FROM silences WHERE ends_at_ms < $1");
  if (!remove) return remove.error();
  if (Status s = remove->bind(before_ms).finish(); !s) return s;
  return reload(db);
}

}  // namespace millstream::registry
