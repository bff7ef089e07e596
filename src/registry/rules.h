// registry/rules.h: the table of alert rules, those that files give beside it, and a copy of all in memory.
//
// Rules    Ids are distinct in an account. A rule of a file goes before one of the table with the same id, which counts
//          again when the file no longer names it.
// Limits   rules_per_account_max, of the table; what files give is the operator's own business.
// Errors   Code::corrupt for rows that are no rule: nothing is guessed.
// Thread   find, list, in_force: any, without waiting for the disk. The rest blocks.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/guarded.h"
#include "model/rule_record.h"
#include "registry/database.h"

namespace millstream::registry {

struct RuleOptions {
  size_t rules_per_account_max = 1000;
};

class Rules {
 public:
  Rules(RuleOptions options, SharedDatabase& database) : options_(options), database_(database) {}

  model::RuleRecordPtr find(const model::AccountId& account, std::string_view id) const;  // null: there is none
  model::RuleRecords list(const model::AccountId& account) const;                         // by id
  std::vector<model::Rule> in_force() const;                                              // of all accounts

  // Code::conflict: the id is taken. Code::unprocessable: the account has as many as it may.
  Status add(const model::RuleRecord& record);
  // In place of the one with this version. Code::conflict: it has another, or is gone.
  Status replace(const model::RuleRecord& record, uint64_t version);
  Status remove(const model::AccountId& account, std::string_view id, uint64_t version);  // as replace()

  // What files say, in place of what they said before.
  void give(const model::RuleRecords& records);
  model::RuleRecords given() const;

  Status reload(Database& db);  // for Registry, which holds the lock

 private:
  using ById = std::map<std::string, model::RuleRecordPtr, std::less<>>;
  using ByAccount = std::map<model::AccountId, std::shared_ptr<const ById>>;
  struct Tables {
    ByAccount stored;
    ByAccount given;
    // Those that count.
    ById of(const model::AccountId& account) const;
  };
  static ByAccount by_account(const model::RuleRecords& records);
  std::shared_ptr<const Tables> current() const;
  void publish(Tables tables);
  // Null: it is there no more.
  void note(const model::AccountId& account, const std::string& id, model::RuleRecordPtr record);

  const RuleOptions options_;
  SharedDatabase& database_;
  Guarded<std::shared_ptr<const Tables>> tables_{std::make_shared<const Tables>()};
};

}  // namespace millstream::registry
