// registry/database.h: the one connection of the registry, and what is known of changes by others.
//
// Thread   reached through Guarded; whoever holds it blocks for the disk or the network
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/guarded.h"
#include "registry/connection.h"

namespace millstream::registry {

struct Database {
  ConnectionPtr connection;
  std::optional<Versions> versions_read = {};  // at the last reading
  std::vector<uint64_t> ended =
      {};  // numbers of credentials that were good and are not, since they were last asked for
};
// Whether this table may be another than when it was last read.
inline bool is_changed(const Database& db, const Versions& now, std::string_view table) {
  if (!db.versions_read) return true;
  const auto number_in = [table](const Versions& versions) {
    auto found = versions.find(table);
    if (found == versions.end()) found = versions.find("");
    return found == versions.end() ? std::optional<int64_t>() : found->second;
  };
  return number_in(now) != number_in(*db.versions_read);
}
using SharedDatabase = Guarded<Database>;
// What is true only once the transaction is on disk.
using AfterCommit = std::vector<std::function<void()>>;

}  // namespace millstream::registry
