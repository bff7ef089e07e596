// registry/database.h: the one connection of registry.db, and what is known of changes by others.
//
// Thread   reached through Guarded; whoever holds it blocks for the disk
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/guarded.h"
#include "registry/sqlite.h"

namespace millstream::registry {

struct Database {
  Connection connection;
  int64_t version_read = -1;  // PRAGMA data_version at the last reading; moves when another process commits
  std::vector<uint64_t> ended =
      {};  // numbers of credentials that were good and are not, since they were last asked for
};
using SharedDatabase = Guarded<Database>;
// What is true only once the transaction is on disk.
using AfterCommit = std::vector<std::function<void()>>;

}  // namespace millstream::registry
