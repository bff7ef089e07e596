// app/log_replay.h: the hub's replay source over the log and the reader threads; one per I/O loop.
//
// Thread   loop; the reading itself on reader threads
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "base/shared_results.h"
#include "base/work_queue.h"
#include "hub/replay_source.h"
#include "log/event_log.h"
#include "net/loop.h"

namespace millstream::app {

struct LogReplayOptions {
  int64_t retention_ms = 0;
  size_t replay_events_max = 100'000;
  size_t events_per_page = 500;
};

class LogReplay final : public hub::ReplaySource {
 public:
  LogReplay(LogReplayOptions options, log::EventLog& log, WorkQueue& readers, net::Loop& loop, const Clock& clock)
      : options_(options), log_(log), readers_(readers), loop_(loop), clock_(clock) {}
  static constexpr int64_t kPageKeptMs = 250;  // viewers who ask for the same within this get the same
  static constexpr size_t kPagesKept = 64;

  void read(hub::ReplayRequest request, std::function<void(Result<hub::ReplayPage>)> done) override;
  model::EventId last_id() const override { return log_.last_id(); }

  // Blocking: what read() does on a reader thread.
  Result<hub::ReplayPage> read_page(hub::ReplayRequest request);
  uint64_t pages_made() const { return pages_made_.load(std::memory_order_relaxed); }

 private:
  Result<hub::ReplayPage> make_page(hub::ReplayRequest request);
  Result<bool> too_many(const log::ReadRequest& request) const;

  const LogReplayOptions options_;
  log::EventLog& log_;
  WorkQueue& readers_;
  net::Loop& loop_;
  const Clock& clock_;
  SharedResults<Result<hub::ReplayPage>> pages_{clock_, kPageKeptMs, kPagesKept};
  std::atomic<uint64_t> pages_made_{0};
};

}  // namespace millstream::app
