// log/redis/redis_event_log.h: the log of several instances: one Redis stream that all of them append to and follow.
//
// Flow     event_log.h. One thread appends what waits, one commit at a time; another follows the stream, hands on what
//          every instance appended, and answers the appenders once their own events have come round.
// Shapes   Ids are the entries' own, given by Redis. stream_entry.h says what an entry looks like, scripts.h which keys
//          there are.
// Limits   append_queue_* as in the embedded log. Redis keeps what is younger than the retention, at most events_max
//          events and about bytes_max bytes; what was removed for room is declared missing.
// Errors   While Redis is away appends fail with Code::unavailable after append_patience_ms, out of memory with
//          Code::storage_full; reading fails with Code::unavailable. Everything goes on by itself when Redis is back.
// Rules    A commit that was not answered is sent again under the same number, and Redis stores it once. Redis does
//          nothing of a commit after its deadline. If Redis comes back with less than somebody knows it had, the part
//          is declared lost to everyone: CommittedBatch::lost, and `missing` of what is read.
// Source   redis.io/docs/latest/develop/data-types/streams
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/limits.h"
#include "log/event_log.h"
#include "log/once_keys.h"
#include "metrics/registry.h"
#include "redis/client.h"

namespace millstream::log {

struct RedisEventLogOptions {
  redis::Options server;
  std::string prefix = "millstream";  // of the keys
  int64_t retention_ms = kDayMs;
  uint64_t events_max = 0;  // 0: no limit
  uint64_t bytes_max = 0;   // 0: no limit
  size_t append_queue_events_max = 100'000;
  size_t append_queue_bytes_max = 256 << 20;
  int64_t tick_interval_ms = 200;
  size_t once_keys_max = kOnceKeysMax;
  int64_t timeout_ms = 1'000;          // of one answer
  int64_t append_patience_ms = 3'000;  // for Redis to come back, before appenders are told
  int64_t start_patience_ms = 10'000;  // the same at the start
  int replicas_min = 0;                // that must have a commit before it is acknowledged
  bool ids_by_clock = false;           // ids by the clock given instead of Redis' own: for tests
};

class RedisEventLog : public EventLog {
 public:
  // From now on conclusions and checkpoints are stored under this number, and refused with Code::conflict when Redis
  // knows another one: someone else holds the lease. None: no number is asked for. Thread: any.
  virtual void hold(std::optional<uint64_t> fence) = 0;
};

std::unique_ptr<RedisEventLog> make_redis_event_log(RedisEventLogOptions options, const Clock& clock,
                                                    metrics::Registry& metrics);

}  // namespace millstream::log
