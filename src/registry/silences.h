// registry/silences.h: which alerts notify nobody, and when.
//
// Flow     api/silences writes them and shows them; notifications hear of them by events in the log, and at the start
//          from here.
// Shapes   one row each, the silence as JSON (codec/silence_json.h); a copy in memory, by account, never changed after
//          it was handed out.
// Limits   silences_per_account_max, ended ones included; those give way first. Ended ones are removed after
//          kEndedSilencesKeptMs.
// Errors   add(): Code::unprocessable naming the limit, Code::conflict for an id that is taken.
//          remove(): Code::not_found.
// Thread   of(), all(): any, without waiting for the disk. The rest blocks.
#pragma once

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "base/guarded.h"
#include "base/limits.h"
#include "model/silence.h"
#include "registry/database.h"

namespace millstream::registry {

inline constexpr int64_t kEndedSilencesKeptMs = kDayMs;

struct SilenceOptions {
  size_t silences_per_account_max = 1000;
};

class Silences {
 public:
  using List = std::vector<model::Silence>;  // by id

  Silences(SilenceOptions options, SharedDatabase& database) : options_(options), database_(database) {}

  std::shared_ptr<const List> of(const model::AccountId& account) const;  // never null
  List all() const;                                                       // of every account

  Status add(const model::Silence& silence, int64_t now_ms);
  Status remove(const model::AccountId& account, std::string_view id);

  // For Registry, which holds the lock.
  Status reload(Database& db);
  Status remove_ended(Database& db, int64_t before_ms);  // those that ended before then

 private:
  using ByAccount = std::map<model::AccountId, std::shared_ptr<const List>>;

  Status make_room(Connection& db, const model::AccountId& account, int64_t now_ms);

  const SilenceOptions options_;
  SharedDatabase& database_;
  Guarded<ByAccount> by_account_;
};

}  // namespace millstream::registry
