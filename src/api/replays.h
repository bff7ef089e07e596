// api/replays.h: the replays of one I/O thread: spans of the past, told again with their pauses.
//
// Flow     open() -> hello -> a page of the log (hub/replay_source.h) -> its events when they are due, by the loop's
// timers
//          -> the next page, when the socket has taken this one -> replay_end, and the end of the body.
// Shapes   the frames are those of /api/stream. A replay is no session: it follows nothing, and is in no group.
// Limits   one page of the log for each replay, kPagesAtOnce read at a time for all; a pause is at most
//          ReplayPace::kPauseMsMax. slow_timeout_ms without the socket taking a byte: cut, to resume by id.
// Errors   a page that cannot be read cuts the replay; its viewer resumes by id.
// Thread   loop, except size(): any
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <unordered_map>
#include <vector>

#include "base/byte_sink.h"
#include "base/clock.h"
#include "hub/replay_source.h"
#include "hub/run_writer.h"
#include "hub/shard.h"
#include "hub/stream_places.h"
#include "metrics/registry.h"
#include "net/loop.h"

namespace millstream::api {

// What is to be told again, and to whom.
struct ReplaySpan {
  std::vector<model::TopicPattern> patterns;  // as authorize_read() gave them
  model::EventTypes types = model::EventTypes::all();
  model::Severity min_severity = model::Severity::info;  // of alerts
  hub::View view;
  model::EventId since;  // exclusive
  model::EventId until;  // inclusive
  model::EventId after;  // told up to here; `since` for a new one
  bool resumed = false;
  std::optional<double> speed;           // none: as fast as the socket takes it
  std::optional<int64_t> expires_at_ms;  // wall time at which the credential ends, and the replay with it
  uint64_t credential = 0;               // number of the API key or login session; 0: neither
};

class Replay;

class Replays {
 public:
  // Of `options` those that are not about being live.
  Replays(const hub::ShardOptions& options, net::Loop& loop, hub::ReplaySource& source, metrics::Registry& metrics);
  ~Replays();

  // `place`: kept for as long as the replay is open.
  void open(ReplaySpan span, std::unique_ptr<ByteSink> sink, hub::StreamPlaces::Place place);
  // As hub::Shard has them.
  void end_credentials(const std::vector<uint64_t>& credentials);
  std::vector<uint64_t> in_use(const std::vector<uint64_t>& credentials) const;
  void drain(int64_t spread_ms);
  void tick();  // every hub::Shard::kTickMs

  size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  friend class Replay;
  static constexpr size_t kPagesAtOnce = 2;  // sessions that catch up have the others

  void remove(uint64_t id);
  void want_page(Replay& replay);
  void read_page(Replay& replay);
  void on_page(uint64_t id, Result<hub::ReplayPage> page);
  int jittered_retry_ms();

  // constant after construction
  const hub::ShardOptions options_;
  net::Loop& loop_;
  hub::ReplaySource& source_;
  metrics::Counter& events_out_;
  metrics::Gauge& gauge_;

  // loop-confined
  std::unordered_map<uint64_t, std::unique_ptr<Replay>> replays_;
  uint64_t next_id_ = 1;
  std::deque<uint64_t> page_queue_;  // ids of those whose next page is not being read yet; some may have left
  size_t pages_reading_ = 0;
  std::mt19937_64 random_;

  std::atomic<size_t> size_{0};
};

}  // namespace millstream::api
