// log/redis/redis_store.h: the log's keys in Redis, as typed calls over one connection.
//
// Flow     redis_event_log.h has one for writing, one for following the stream, and a few for reading the past.
// Errors   Code::unavailable: Redis is away, does not answer in time, or refuses for now. Code::storage_full: it is out
//          of memory. Code::conflict: another instance holds the lease. Code::corrupt: an answer of another shape.
// Thread   one at a time
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "log/event_log.h"
#include "log/redis/scripts.h"
#include "redis/client.h"

namespace millstream::log {

// No two processes have the same.
std::string random_name();

// What every script is told of the one who calls it.
struct RedisCaller {
  std::optional<int64_t> now_ms;  // none: Redis' own clock; tests have theirs
  model::EventId newest;          // the newest id it knows of
  std::string identity;           // for a log that has to be made
};

struct RedisAppend {
  const std::vector<model::Event>* events = nullptr;
  const Once* once = nullptr;  // null: without a key
  bool concludes = false;      // stored only under the commit's fence
};

struct RedisCommit {
  std::string writer;
  uint64_t number = 0;
  std::optional<int64_t> deadline_ms;  // by Redis' clock: nothing is stored later than that
  std::optional<uint64_t> fence;       // for conclusions
  size_t once_keys_max = 0;
  int replicas_min = 0;  // that must have it before it counts
};

struct RedisTick {
  model::EventId newest;
  std::string identity;
  model::EventId trimmed;               // nothing up to this one is known any more
  std::optional<model::EventId> first;  // oldest entry; none: there is no entry
  uint64_t entries = 0;
  int64_t now_ms = 0;  // Redis' clock
  uint64_t fence = 0;
  std::vector<IdRange> lost;
};

struct RedisPage {
  std::vector<model::Event> events;
  size_t entries = 0;   // looked at, those that were no events among them
  model::EventId last;  // of them
};

struct RedisLeaseAnswer {
  bool held = false;  // by who asked
  uint64_t fence = 0;
  std::string holder;
  int64_t attended_until_ms = 0;
  int64_t since_ms = 0;
};

class RedisStore {
 public:
  RedisStore(redis::Options server, const std::string& prefix, int64_t timeout_ms);

  // One outcome for each append, in their order. An error: what became of them is not known.
  Result<std::vector<Result<AppendReceipt>>> append(const RedisCaller& caller, const RedisCommit& commit,
                                                    const std::vector<RedisAppend>& appends);
  Result<RedisTick> tick(const RedisCaller& caller);
  // Entries after an id; waits up to `wait_ms` for the first.
  Result<RedisPage> follow(model::EventId after, size_t entries_max, int64_t wait_ms);
  // `low` and `high` inclusive.
  Result<RedisPage> range(model::EventId low, model::EventId high, Order order, size_t entries_max);
  Result<bool> has(model::EventId id);
  Status trim(model::EventId oldest, std::optional<uint64_t> entries_max);
  Result<uint64_t> bytes();  // about what the stream takes of Redis' memory
  Status declare_lost(const IdRange& ids);
  Status save_checkpoint(const std::string& name, const Checkpoint& checkpoint, std::optional<uint64_t> fence);
  Result<std::optional<Checkpoint>> load_checkpoint(std::string_view name);

  Result<RedisLeaseAnswer> take_or_renew_lease(const std::string& who, int64_t for_ms, uint64_t above);
  Status release_lease(const std::string& who);

  uint64_t connections() const { return client_.connections(); }
  void interrupt() { client_.interrupt(); }

 private:
  Result<std::vector<redis::Reply>> run_scripts(const RedisScript& script,
                                                const std::vector<std::vector<std::string>>& calls, int replicas_min);
  Result<redis::Reply> run_script(const RedisScript& script, std::vector<std::string> arguments);
  std::string key(std::string_view name) const { return prefix_ + std::string(name); }

  redis::Client client_;
  const std::string prefix_;
  const std::string events_key_;
  const int64_t timeout_ms_;
};

}  // namespace millstream::log
