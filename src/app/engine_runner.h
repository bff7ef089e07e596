// app/engine_runner.h: the engine thread: steps the engines over the log and appends what they conclude.
//
// Flow     log -> on_commit() -> inbox -> engine thread: for every event advance(id.ms) then step(), for a tick
//          advance(through.ms) -> conclusions, numbered -> log.append() -> they come round like every event.
//          Start-up: load the checkpoint, step again what the log holds beyond it, resume(), store a checkpoint, live.
//          Where several instances share the log, all of them step over it, and what they know is the same; only the
//          holder of the lease appends what the engines conclude. Whoever takes the lease starts up again as above,
//          from the checkpoint of the one before; all others then take up the first checkpoint of the new one.
// Shapes   A conclusion's number counts over the life of the log. The same log gives the same conclusions in the same
//          order, whenever the runner was told of time: those of one advance() are ordered by ts, then by engine.
// Limits   inbox_events_max waiting events; beyond, the inbox is dropped and the events are read from the log by id
//          until caught up: nothing is lost and the log's thread never waits. unsent_max conclusions waiting for the
//          log; beyond, or while the log refuses them (disk full), stepping pauses.
// Errors   start(): when the log cannot be read. Later ones are logged, counted and retried with back-off.
// Rules    A crash between any two steps neither loses nor doubles a conclusion; engine_runner.cc says why.
// Thread   start(), stop(): startup. on_commit(): the log's thread. The rest: any
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "log/event_log.h"
#include "log/lease.h"
#include "metrics/registry.h"
#include "model/engine.h"

namespace millstream::app {

// For engines that run on several instances over one log.
struct SharedLog {
  const log::Lease* lease = nullptr;
  // What is appended and stored from now on is so under this number; none: nothing is.
  std::function<void(std::optional<uint64_t>)> hold;
  // Before resume(): the engines are to know the configuration as it is now.
  std::function<void()> reconfigure;
  // A second place for checkpoints, for when the log's keeper has lost its own; none: there is none. save: does not
  // wait.
  std::function<void(uint64_t fence, const log::Checkpoint&)> save_copy = {};
  std::function<Result<std::optional<log::Checkpoint>>()> load_copy = {};
  // A time without a holder that is shorter is no absence: devices were heard, and their deadlines stand.
  int64_t absence_ms = 10'000;
};

struct EngineRunnerOptions {
  size_t inbox_events_max = 100'000;
  size_t unsent_max = 10'000;
  size_t events_per_append = 1'000;
  size_t events_per_page = 2'000;
  int64_t checkpoint_interval_ms = 5'000;         // of log time
  int64_t checkpoint_bytes_per_second = 1 << 20;  // large states are stored less often
  int64_t retry_min_ms = 10;
  int64_t retry_max_ms = 2'000;
  std::optional<SharedLog> shared = {};
};

class EngineRunner final : public log::CommitReader {
 public:
  // Give it to log.add_reader(). Everything named here outlives it, and it outlives the log's thread.
  EngineRunner(log::EventLog& log, std::vector<model::Engine*> engines, const Clock& clock, metrics::Registry& metrics,
               EngineRunnerOptions options = {});
  ~EngineRunner();
  EngineRunner(const EngineRunner&) = delete;
  EngineRunner& operator=(const EngineRunner&) = delete;

  // After log.start() and before anything from outside is appended. When it returns, the engines have stepped
  // everything the log held at that moment; live stepping begins with the log's next tick.
  Status start();
  // Before log.stop(): steps what is committed by now, stores a checkpoint and ends the thread.
  void stop();

  void on_commit(const log::CommittedBatchPtr& batch) override;

  // Every event up to this id has been stepped.
  model::EventId stepped_to() const { return model::EventId::from_packed(stepped_to_.load()); }
  // Start-up is over: conclusions are being drawn from live events.
  bool is_live() const { return live_.load(); }

  // The engines' conclusions are appended by this instance.
  bool draws() const { return draws_.load(); }

  // The two halves of start(), for callers that bring their own thread (tests): restore() once, then turn() again and
  // again. turn() does a piece of work without waiting, and says whether there was any.
  Status restore();
  bool turn();

 private:
  // following: another instance appends the conclusions.
  enum class Phase { starting, restored, confirming, live, following };
  // What other threads hand in.
  struct Mailbox {
    std::deque<log::CommittedBatchPtr> inbox;
    size_t inbox_events = 0;
    std::optional<int64_t> first_ms;        // log time of the first commit or tick since this process listens
    model::EventId history_end;             // every event before that is at most this
    std::optional<model::EventId> dropped;  // the inbox was dropped: events up to here must be read from the log
    model::EventId through;                 // newest heard of
    std::optional<Status> answer;           // to the append in flight
    bool stopping = false;
  };

  void run();
  void finish();
  bool wait_for_mail(int64_t ms);

  Result<std::optional<log::Checkpoint>> newest_checkpoint() const;
  Status load_engines();
  void forget();
  Status adopt(const log::Checkpoint& checkpoint);
  Status read_state(std::string_view state);
  Status replay(model::EventId end);
  std::string state_text() const;
  void save_checkpoint();

  bool begin_live();
  void resume_engines(int64_t from_ms, int64_t now_ms);
  bool confirm_checkpoint();
  bool heed_lease();
  void take_over(const log::Term& term);
  void heed_absence(int64_t next_ms);
  bool take_up(const log::Term& term);
  Status start_again(model::EventId end);
  void begin_following();
  bool take_live();
  bool catch_up();
  Result<bool> step_page(model::EventId until);

  void step_batch(const log::CommittedBatch& batch);
  void step_event(const model::Event& event);
  void advance_engines(int64_t now_ms);
  void keep_conclusions();
  void seen_in_log(const model::Event& event);

  bool take_answer();
  bool send();
  void wait_longer();
  void back_off(const Error& error, const char* what);
  bool backing_off() const { return clock_.steady_us() < retry_at_us_; }

  log::EventLog& log_;
  const std::vector<model::Engine*> engines_;
  const Clock& clock_;
  const EngineRunnerOptions options_;
  metrics::Counter& events_total_;
  metrics::Counter& conclusions_total_;
  metrics::Counter& overflows_total_;
  metrics::Counter& differences_total_;
  metrics::Counter& retries_total_;
  metrics::Gauge& inbox_gauge_;
  metrics::Histogram& step_seconds_;

  // engine thread (before it runs: the thread that calls restore())
  Phase phase_ = Phase::starting;
  model::EventId position_;          // every event up to here has been stepped
  int64_t now_ms_ = 0;               // what the engines were last told; never goes back
  uint64_t count_ = 0;               // conclusions drawn so far, over the life of the log
  std::deque<model::Event> unsent_;  // the newest conclusions, not known to be in the log
  uint64_t seen_ = 0;                // newest conclusion known to be in the log
  uint64_t in_flight_ = 0;           // the log is being asked to take those up to this one; 0: nothing
  bool blank_start_ = false;         // there was no checkpoint to take up
  bool state_only_ = false;  // replay without a checkpoint: the log has the conclusions, only the state is missing
  bool refused_ = false;     // the log did not take the last append: stepping pauses until it does
  std::optional<model::EventId> catch_up_to_;
  std::vector<std::string> blank_;            // the engines' states before any event
  uint64_t state_fence_ = 0;                  // shared: of the term whose checkpoint the state goes back to
  std::optional<int64_t> attended_until_ms_;  // while the lease is taken over: until then the one before had it
  uint64_t held_fence_ = 0;                   // shared: the lease is ours under this number; 0: it is not
  model::Conclusions concluded_;              // scratch
  log::Checkpoint checkpoint_;                // newest handed to the log
  size_t state_bytes_ = 0;                    // of the last checkpoint
  int64_t checkpoint_due_ms_ = 0;
  int64_t resave_at_us_ = 0;
  int64_t retry_ms_ = 0;  // 0: no trouble
  int64_t retry_at_us_ = 0;

  std::atomic<int64_t> stepped_to_{0};
  std::atomic<bool> live_{false};
  std::atomic<bool> draws_{false};

  std::mutex mu_;
  std::condition_variable mail_;
  Mailbox mailbox_;        // guarded by mu_
  bool new_mail_ = false;  // guarded by mu_

  std::thread thread_;
};

}  // namespace millstream::app
