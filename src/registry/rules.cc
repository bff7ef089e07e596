#include "registry/rules.h"

#include <set>
#include <utility>

#include "codec/rule_json.h"
#include "registry/columns.h"

namespace millstream::registry {
namespace {

using model::RuleRecord;
using model::RuleRecordPtr;

constexpr const char* kSelect =
    "SELECT account, rule_id, version, rule, created_at_ms, created_by, updated_at_ms, updated_by FROM rules";
constexpr const char* kInsert =
    "INSERT INTO rules (account, rule_id, version, rule, created_at_ms, created_by, updated_at_ms, updated_by) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

Result<RuleRecord> read_row(const Statement& row) {
  const Result<model::AccountId> account = model::AccountId::parse(row.bytes(0));
  const std::string id = row.bytes(1);
  Result<model::Rule> rule = account ? codec::parse_rule(row.bytes(3), *account) : Result<model::Rule>(account.error());
  if (!rule || rule->id != id || rule->version != static_cast<uint64_t>(row.number(2))) {
    return Error{Code::corrupt, "registry: rule \"" + id + "\" is not one" + (rule ? "" : ": " + rule.error().detail)};
  }
  return RuleRecord{.rule = std::move(*rule),
                    .source = model::RuleSource::api,
                    .created_at_ms = row.number(4),
                    .updated_at_ms = row.number(6),
                    .created_by = row.bytes(5),
                    .updated_by = row.bytes(7)};
}

Error another_version(std::string_view id, uint64_t version) {
  return {Code::conflict, "rule \"" + std::string(id) + "\" is no longer at version " + std::to_string(version)};
}

}  // namespace

Rules::ById Rules::Tables::of(const model::AccountId& account) const {
  const auto from_files = given.find(account), from_table = stored.find(account);
  ById all = from_files == given.end() ? ById() : *from_files->second;
  if (from_table != stored.end()) all.insert(from_table->second->begin(), from_table->second->end());
  return all;
}

Rules::ByAccount Rules::by_account(const model::RuleRecords& records) {
  std::map<model::AccountId, ById> sorted;
  for (const RuleRecordPtr& record : records) {
    sorted[record->rule.scope.account].insert_or_assign(record->rule.id, record);
  }
  ByAccount table;
  for (auto& [account, rules] : sorted) table.emplace(account, std::make_shared<const ById>(std::move(rules)));
  return table;
}

std::shared_ptr<const Rules::Tables> Rules::current() const {
  return tables_.with([](const std::shared_ptr<const Tables>& tables) { return tables; });
}

void Rules::publish(Tables tables) {
  auto fresh = std::make_shared<const Tables>(std::move(tables));
  tables_.with([&](std::shared_ptr<const Tables>& all) { all = std::move(fresh); });
}

RuleRecordPtr Rules::find(const model::AccountId& account, std::string_view id) const {
  const auto tables = current();
  for (const ByAccount* table : {&tables->given, &tables->stored}) {
    const auto rules = table->find(account);
    if (rules == table->end()) continue;
    if (const auto rule = rules->second->find(id); rule != rules->second->end()) return rule->second;
  }
  return nullptr;
}

model::RuleRecords Rules::list(const model::AccountId& account) const {
  model::RuleRecords records;
  for (const auto& [id, record] : current()->of(account)) records.push_back(record);
  return records;
}

std::vector<model::Rule> Rules::in_force() const {
  const auto tables = current();
  std::set<model::AccountId> accounts;
  for (const ByAccount* table : {&tables->given, &tables->stored}) {
    for (const auto& [account, rules] : *table) accounts.insert(account);
  }
  std::vector<model::Rule> all;
  for (const model::AccountId& account : accounts) {
    for (const auto& [id, record] : tables->of(account)) all.push_back(record->rule);
  }
  return all;
}

void Rules::note(const model::AccountId& account, const std::string& id, RuleRecordPtr record) {
  Tables tables = *current();
  auto& rules = tables.stored[account];
  auto fresh = rules ? std::make_shared<ById>(*rules) : std::make_shared<ById>();
  if (record) {
    fresh->insert_or_assign(id, std::move(record));
  } else {
    fresh->erase(id);
  }
  rules = std::move(fresh);
  publish(std::move(tables));
}

Status Rules::add(const RuleRecord& record) {
  const model::AccountId& account = record.rule.scope.account;
  return database_.with([&](Database& db) -> Status {
    if (find(account, record.rule.id)) {
      return Error{Code::conflict, "there is a rule \"" + record.rule.id + "\" already"};
    }
    const auto tables = current();
    const auto own = tables->stored.find(account);
    if (own != tables->stored.end() && own->second->size() >= options_.rules_per_account_max) {
      return Error{Code::unprocessable, "the account has " + std::to_string(own->second->size()) +
                                            " rules, which is its limit (alerts.rules_per_account_max)"};
    }
    Result<Statement> insert = db.connection->prepare(kInsert);
    if (!insert) return insert.error();
    insert->bind(account.text()).bind(record.rule.id).bind(static_cast<int64_t>(record.rule.version));
    insert->bind(codec::encode_rule(record.rule)).bind(record.created_at_ms).bind(record.created_by);
    if (Status s = insert->bind(record.updated_at_ms).bind(record.updated_by).finish(); !s) return s;
    note(account, record.rule.id, std::make_shared<const RuleRecord>(record));
    return {};
  });
}

Status Rules::replace(const RuleRecord& record, uint64_t version) {
  const model::Rule& rule = record.rule;
  return database_.with([&](Database& db) -> Status {
    Result<Statement> update = db.connection->prepare(
        "UPDATE rules SET version = $1, rule = $2, updated_at_ms = $3, updated_by = $4 "
        "WHERE account = $5 AND rule_id = $6 AND version = $7");
    if (!update) return update.error();
    update->bind(static_cast<int64_t>(rule.version)).bind(codec::encode_rule(rule)).bind(record.updated_at_ms);
    update->bind(record.updated_by).bind(rule.scope.account.text()).bind(rule.id);
    if (Status s = update->bind(static_cast<int64_t>(version)).finish(); !s) return s;
    if (db.connection->changes() == 0) return another_version(rule.id, version);
    note(rule.scope.account, rule.id, std::make_shared<const RuleRecord>(record));
    return {};
  });
}

Status Rules::remove(const model::AccountId& account, std::string_view id, uint64_t version) {
  return database_.with([&](Database& db) -> Status {
    Result<Statement> remove =
        db.connection->prepare("DELETE FROM rules WHERE account = $1 AND rule_id = $2 AND version = $3");
    if (!remove) return remove.error();
    if (Status s = remove->bind(account.text()).bind(id).bind(static_cast<int64_t>(version)).finish(); !s) return s;
    if (db.connection->changes() == 0) return another_version(id, version);
    note(account, std::string(id), nullptr);
    return {};
  });
}

void Rules::give(const model::RuleRecords& records) {
  database_.with([&](Database&) {  // so that no change of the table is lost between
    Tables tables = *current();
    tables.given = by_account(records);
    publish(std::move(tables));
  });
}

model::RuleRecords Rules::given() const {
  model::RuleRecords records;
  const auto tables = current();
  for (const auto& [account, rules] : tables->given) {
    for (const auto& [id, record] : *rules) records.push_back(record);
  }
  return records;
}

Status Rules::reload(Database& db) {
  Result<std::vector<RuleRecord>> records = read_rows<RuleRecord>(*db.connection, kSelect, read_row);
  if (!records) return records.error();
  model::RuleRecords stored;
  for (RuleRecord& record : *records) stored.push_back(std::make_shared<const RuleRecord>(std::move(record)));
  Tables tables = *current();
  tables.stored = by_account(stored);
  publish(std::move(tables));
  return {};
}

}  // namespace millstream::registry
