// app/log_replay.h: the hub's replay source over the log and the reader threads; one per I/O loop.
//
// Thread   loop; the reading itself on reader threads
#pragma once

#include <cstdint>

#include "base/clock.h"
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

  void read(hub::ReplayRequest request, std::function<void(Result<hub::ReplayPage>)> done) override;
  model::EventId last_id() const override { return log_.last_id(); }

  // Blocking: what read() does on a reader thread.
  Result<hub::ReplayPage> read_page(hub::ReplayRequest request) const;

 private:
  Result<bool> too_many(const log::ReadRequest& request) const;

  const LogReplayOptions options_;
  log::EventLog& log_;
  WorkQueue& readers_;
  net::Loop& loop_;
  const Clock& clock_;
};

}  // namespace millstream::app
