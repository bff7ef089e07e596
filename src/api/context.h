// api/context.h: what the handlers work with. Built once by app/wiring, then const or thread-safe.
//
// Thread   startup; the parts say their own
#pragma once

#include <atomic>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "api/browser.h"
#include "auth/authenticator.h"
#include "auth/cookie.h"
#include "auth/login_throttle.h"
#include "auth/rate_limits.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/shared_results.h"
#include "base/work_queue.h"
#include "history/alert_book.h"
#include "history/latest_values.h"
#include "http/server.h"
#include "hub/shard.h"
#include "influx/history_writer.h"
#include "ingest/validator.h"
#include "log/event_log.h"
#include "metrics/registry.h"
#include "model/ticket.h"
#include "notify/channels.h"
#include "notify/delivery_book.h"
#include "registry/registry.h"
#include "rules/rule_tally.h"

namespace millstream::api {

class Replays;

constexpr size_t kBacktestsWaitingMax = 8;  // of all accounts; one of an account

constexpr int64_t kSnapshotKeptMs = 250;  // viewers who ask for the same within this get the same
constexpr size_t kSnapshotsKept = 8;      // each may be megabytes

struct Context {
  const Clock& clock;
  metrics::Registry& metrics;
  log::EventLog& log;
  const history::LatestValues& latest;
  history::AlertBook& alerts;
  const rules::RuleBoard& rule_board;
  const auth::Authenticator& authenticator;
  registry::Registry& registry;
  model::TicketStore& tickets;
  const ingest::Validator& validator;
  const notify::Channels& channels;
  const notify::DeliveryBook& deliveries;
  WorkQueue& readers;        // blocking reads of the log
  WorkQueue& series;         // reads of up to the whole log, apart, so that no replay waits for charts
  WorkQueue& workers;        // large bodies
  WorkQueue& registry_work;  // what is stored of credentials, devices and silences: its database may be slow, or away
  WorkQueue& changes;        // of rules: one thread, so that they reach the registry and the log in one order
  WorkQueue& hashers;        // passwords: few and slow, and apart, so that a flood of guesses stops nothing else

  std::string version;
  int64_t retention_ms = 0;
  int64_t started_at_ms = 0;
  bool gzip_streams = false;  // for viewers that take it
  hub::StreamPlaces& stream_places;
  int64_t alert_wait_ms = 2000;  // for the conclusion of a command
  // Rules tried over the past: reads of the whole log, one after the other.
  WorkQueue& backtests;
  hub::StreamPlaces backtest_places{{.per_account_max = 1}};
  size_t topics_max = kPatternsPerRequestMax;  // that one request may name
  auth::LoginThrottle& login_throttle;
  auth::RateLimits& ingest_rates;  // in points
  auth::SessionCookie session_cookie{false};
  int64_t session_max_ms = 12 * kHourMs;
  std::function<influx::WriterState()> influx_state = {};  // empty: telemetry goes to no InfluxDB
  std::vector<std::string> allowed_origins;                // of pages that may use a session cookie
  TrustedProxies trusted_proxies;
  SharedResults<hub::SessionRequest::Snapshot> snapshots{clock, kSnapshotKeptMs, kSnapshotsKept};
  // Per I/O thread; at either, a stream is told "overloaded" and comes back later. The last connections are kept for
  // requests, so that this can be said at all.
  size_t sessions_max = 0;
  size_t connections_for_streams = std::numeric_limits<size_t>::max();

  std::atomic<uint64_t> ticket_serial{0};  // of the latest stream opened with a ticket

  std::atomic<bool> ready{false};
  std::atomic<bool> draining{false};

  // One per I/O thread; filled before the loops run.
  struct Shard {
    net::Loop* loop = nullptr;
    hub::Shard* shard = nullptr;
    std::function<size_t()> connections = [] { return size_t{0}; };  // of its server
    Replays* replays = nullptr;                                      // null: none are served
  };
  std::vector<Shard> shards;
  const Shard& at(const net::Loop& loop) const;
  hub::Shard& shard_on(const net::Loop& loop) const { return *at(loop).shard; }
  // The streams and replays that came with one of these API keys or login sessions. Any thread.
  void end_streams(const std::vector<uint64_t>& credentials) const;
};

// Someone was refused because a quota is used up.
inline void count_refusal(const Context& context, std::string_view quota) {
  context.metrics
      .counter("millstream_quota_refusals_total", "Refused because a credential or account has used up its quota",
               "quota=\"" + std::string(quota) + "\"")
      .add();
}

}  // namespace millstream::api
