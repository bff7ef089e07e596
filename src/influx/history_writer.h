// influx/history_writer.h: writes all telemetry of the log to InfluxDB, by a thread of its own.
//
// Flow     the log -> on_commit() -> inbox -> batch -> InfluxDB; when that cannot take it, -> spool, and from there
//          oldest first when it can again. What the inbox could not hold, and what happened before this process, is
//          read from the log.
// Rules    position(): everything up to there is in InfluxDB, in the spool, or given up and counted; a process that is
//          killed goes on behind it, and sends some of it twice, which InfluxDB does not notice.
//          What the log still has is not hurried into the spool: reading the past pauses while that is half full.
//          may_write is asked before anything is taken; the spool is emptied whether it may or not, for what is in it
//          is counted as written.
// Limits   lines_max and bytes_max a batch, linger_ms until an incomplete one is sent; inbox_events_max waiting events,
//          beyond which the inbox is dropped and the events are read from the log; the spool's own.
// Errors   none returned: state(), metrics, a log line when the trouble changes. Lines that are refused for good go to
//          the dead letters. A spool that takes nothing (disk full) stops the reading of the log until it does.
// Thread   on_commit(): the log's. start(), stop(): startup. The rest: any
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "influx/bad_lines.h"
#include "influx/batch.h"
#include "influx/dead_letters.h"
#include "influx/history_source.h"
#include "influx/influx_client.h"
#include "influx/spool.h"
#include "metrics/registry.h"
#include "model/event.h"

namespace millstream::influx {

struct WriterOptions {
  size_t lines_max = 5'000;
  size_t bytes_max = 1 << 20;
  int64_t linger_ms = 1'000;
  size_t drain_bytes_max = 4 << 20;  // of batches of the spool that are sent together
  size_t inbox_events_max = 100'000;
  size_t events_per_page = 5'000;
  int64_t retry_min_ms = 500;
  int64_t retry_max_ms = 30'000;
  int64_t refused_retry_min_ms = 5'000;  // an operator has to act
  int64_t save_interval_ms = 5'000;
  SpoolOptions spool;
  std::string dead_letters_path;
  int64_t dead_letters_bytes_max = 16 << 20;
};

struct WriterState {
  enum class Health { ok, retrying, refused };
  Health health = Health::ok;
  int64_t spooled_bytes = 0;
  int64_t spooled_batches = 0;
  uint64_t written = 0;       // lines
  uint64_t retries = 0;       // requests that have to be made again
  uint64_t dropped = 0;       // lines given up: the spool was full, or they were too old for it
  uint64_t poisoned = 0;      // lines in the dead letters
  uint64_t expired = 0;       // lines older than InfluxDB keeps
  int64_t error_age_ms = -1;  // since the last failure; -1: none yet
  model::EventId position;
  std::vector<Spool::Dropped> missing;  // the newest ranges that were given up, oldest first
};
inline constexpr size_t kMissingToldMax = 16;
constexpr std::string_view health_name(WriterState::Health health) {
  constexpr std::string_view kNames[] = {"ok", "retrying", "refused"};
  return kNames[static_cast<size_t>(health)];
}

class HistoryWriter {
 public:
  // Everything named here outlives it.
  HistoryWriter(
      WriterOptions options, InfluxClient& client, HistorySource& source, const Clock& clock,
      metrics::Registry& metrics, std::function<bool()> may_write = [] { return true; });
  ~HistoryWriter();  // stop()
  HistoryWriter(const HistoryWriter&) = delete;
  HistoryWriter& operator=(const HistoryWriter&) = delete;

  Status start();  // opens the spool, reads the position
  void stop();     // sends what it has if that goes at once; the rest is in the log

  // Every event of one commit; `through`: nothing at or below will come later. Does not wait.
  void on_commit(std::shared_ptr<const std::vector<model::Event>> events, model::EventId through);

  WriterState state() const;

  // The two halves of start(), for callers that bring their own thread (tests): open() once, then turn() again and
  // again. It does a piece of work, and says for how long there is none.
  Status open();
  int64_t turn();

 private:
  struct Mail {
    std::shared_ptr<const std::vector<model::Event>> events;
    model::EventId through;
  };
  struct Mailbox {
    std::deque<Mail> inbox;
    size_t inbox_events = 0;
    bool dropped = false;  // the inbox was: read from the log until `through`
    model::EventId through;
    bool stopping = false;
  };

  void run();
  void finish();
  bool keep_going();

  bool ask_permission();  // true: may take
  bool begin_taking();
  void drop_inbox();
  bool take();  // from the inbox or the log into the batch; false: nothing was taken
  bool take_page();
  bool take_mail();
  bool take_event(const model::Event& event);  // false: no room, it has to come again
  void add(const model::Event& event);
  bool is_full() const;
  bool is_due() const;
  bool hand_over();  // the batch, to InfluxDB or the spool; false: neither takes it now
  bool drain();
  bool prepare();
  bool send(const Batch& batch);
  void settle(const BatchOutcome& outcome, size_t lines);
  void failed(const WriteOutcome& outcome);
  void complain(std::string_view what, const std::string& reason);
  void save_position();
  void lost(const Spool::Dropped& dropped);
  int64_t idle_ms() const;
  int64_t now_ms() const { return clock_.steady_ms(); }
  int64_t spool_now_ms() const;
  bool backing_off() const { return now_ms() < retry_at_ms_; }

  const WriterOptions options_;
  InfluxClient& client_;
  HistorySource& source_;
  const Clock& clock_;
  const std::function<bool()> may_write_;
  metrics::Counter& written_;
  metrics::Counter& retries_;
  metrics::Counter& dropped_;
  metrics::Counter& poisoned_;
  metrics::Counter& expired_;
  metrics::Counter& unnamed_;
  metrics::Histogram& write_seconds_;

  // of the writer's thread
  Spool spool_;
  DeadLetters dead_letters_;
  Backoff backoff_;
  Batch batch_;                               // being filled
  int64_t batch_since_ms_ = 0;                // when its first line came
  model::EventId taken_to_;                   // everything up to here is in the batch or handed over
  std::optional<model::EventId> read_until_;  // up to here the log is read; nothing: the inbox has what comes next
  bool allowed_ = false;                      // what may_write said last
  bool prepared_ = false;                     // the database is there
  int64_t retry_at_ms_ = 0;
  int64_t opened_wall_ms_ = 0;  // at opened_ms_
  int64_t opened_ms_ = 0;
  int64_t take_again_ms_ = 0;  // the log or the spool failed
  int64_t saved_at_ms_ = 0;
  model::EventId saved_;
  std::string complaint_;  // the reason that was logged last

  std::atomic<int64_t> position_{0};
  std::atomic<int> health_{0};
  std::atomic<int64_t> failed_at_ms_{-1};
  std::atomic<int64_t> stop_by_ms_{0};  // > 0: stopping
  Guarded<std::deque<Spool::Dropped>> missing_;

  mutable std::mutex mu_;
  std::condition_variable wake_;
  Mailbox mailbox_;        // guarded by mu_
  bool new_mail_ = false;  // guarded by mu_
  std::thread thread_;
};

}  // namespace millstream::influx
