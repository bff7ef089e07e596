// log/once_rows.h: the rows of an hour file that say which batches are in it under a key.
//
// Flow     hour_writer.h stores one in the transaction of its batch; the log reads all keys when it starts, and one row
//          when a batch comes again.
// Errors   Code::corrupt: the row fails its check; what was answered then is not known any more.
// Thread   within a read transaction, or the writer's
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "log/event_log.h"
#include "log/sqlite.h"

namespace millstream::log {

struct OnceRow {
  const Once* once = nullptr;
  model::EventId first;
  model::EventId last;
};

std::string once_key_bytes(const Once::Key& key);
uint32_t once_crc(const OnceRow& row);

struct StoredOnce {
  Once once;
  AppendReceipt receipt;  // as the first time
};
Result<std::optional<StoredOnce>> read_once(Database& database, const Once::Key& key);
// A file of version 1 has none.
Result<std::vector<Once::Key>> read_once_keys(Database& database);

}  // namespace millstream::log
