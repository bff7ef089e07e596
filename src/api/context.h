// api/context.h: what the handlers work with. Built once by app/wiring, then const or thread-safe.
//
// Thread   startup; the parts say their own
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/shared_results.h"
#include "base/work_queue.h"
#include "history/latest_values.h"
#include "http/server.h"
#include "hub/shard.h"
#include "ingest/validator.h"
#include "log/event_log.h"
#include "metrics/registry.h"
#include "model/ticket.h"

namespace millstream::api {

constexpr int64_t kSnapshotKeptMs = 250;  // viewers who ask for the same within this get the same
constexpr size_t kSnapshotsKept = 8;      // each may be megabytes

struct Context {
  const Clock& clock;
  metrics::Registry& metrics;
  log::EventLog& log;
  const history::LatestValues& latest;
  const auth::Authenticator& authenticator;
  model::TicketStore& tickets;
  const ingest::Validator& validator;
  WorkQueue& readers;  // blocking reads of the log
  WorkQueue& series;   // reads of up to the whole log, apart, so that no replay waits for charts
  WorkQueue& workers;  // large bodies

  std::string version;
  int64_t retention_ms = 0;
  int64_t started_at_ms = 0;
  bool gzip_streams = false;  // for viewers that take it
  hub::StreamPlaces& stream_places;
  SharedResults<hub::SessionRequest::Snapshot> snapshots{clock, kSnapshotKeptMs, kSnapshotsKept};
  // Per I/O thread; at either, a stream is told "overloaded" and comes back later. The last connections are kept for
  // requests, so that this can be said at all.
  size_t sessions_max = 0;
  size_t connections_for_streams = std::numeric_limits<size_t>::max();

  std::atomic<bool> ready{false};
  std::atomic<bool> draining{false};

  // One per I/O thread; filled before the loops run.
  struct Shard {
    net::Loop* loop = nullptr;
    hub::Shard* shard = nullptr;
    std::function<size_t()> connections = [] { return size_t{0}; };  // of its server
  };
  std::vector<Shard> shards;
  const Shard& at(const net::Loop& loop) const;
  hub::Shard& shard_on(const net::Loop& loop) const { return *at(loop).shard; }
};

}  // namespace millstream::api
