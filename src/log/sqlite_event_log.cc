#include "log/sqlite_event_log.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <span>
#include <thread>
#include <utility>

#include "base/guarded.h"
#include "base/log_line.h"
#include "base/work_queue.h"
#include "log/append_queue.h"
#include "log/checkpoint_file.h"
#include "log/damage_told.h"
#include "log/directory_lock.h"
#include "log/disk_use.h"
#include "log/hour_file.h"
#include "log/hour_files.h"
#include "log/hour_samples.h"
#include "log/hour_writer.h"
#include "log/missing_parts.h"
#include "log/once_batches.h"
#include "log/retention_time.h"

namespace millstream::log {
namespace {

using model::EventId;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr size_t kRowsPerReadMax =
    200'000;  // one read() looks at no more, so that a narrow filter cannot hold a thread
constexpr const char* kBeginningName = "log.beginning";
constexpr std::string_view kLedgerPrefix = "log.hour.";
constexpr std::string_view kHolePrefix = "log.hole.";
constexpr const char* kDoubtName = "log.clock";  // the time of retention when it began to doubt the wall clock
constexpr size_t kLooseEventsPerPage = 512;
constexpr size_t kSavesWaitingMax = 32;
constexpr size_t kHoursCheckedMax = 1000;  // at a start
constexpr auto kHousekeepingInterval = std::chrono::seconds(1);
constexpr auto kMeasureInterval = std::chrono::seconds(10);
constexpr auto kSealPause = std::chrono::milliseconds(5);  // between slices, so that commits come first

std::string ledger_name(int64_t hour) { return std::string(kLedgerPrefix) + hour_file_name(hour); }

std::optional<int64_t> parse_ledger_name(std::string_view name) {
  return name.starts_with(kLedgerPrefix) ? parse_hour_file_name(name.substr(kLedgerPrefix.size())) : std::nullopt;
}

// Without the names of files.
Error as_told(const Error& error, bool read_only) {
  if (error.code == Code::storage_full) return {error.code, "the log's disk is full: nothing of this was stored"};
  return {Code::unavailable, read_only ? "the log is read-only until a restart: nothing of this was stored"
                                       : "the log cannot be written now: nothing of this was stored"};
}

struct Metrics {
  explicit Metrics(metrics::Registry& registry)
      : commit(registry.histogram("millstream_log_commit_seconds", "One group commit, fsync included")),
        events(registry.counter("millstream_log_events_total", "Events made durable")),
        failures(registry.counter("millstream_log_commit_failures_total", "Group commits that failed")),
        damaged_rows(registry.counter("millstream_log_damaged_rows_total", "Stored rows that failed their check")),
        damaged_files(registry.counter("millstream_log_damaged_files_total", "Hour files set aside as damaged")),
        read_only(
            registry.gauge("millstream_log_read_only", "1: a write failed, and no more are tried until a restart")),
        unlinked(registry.counter("millstream_log_hours_unlinked_total", "Hour files removed by retention")),
        clock_leaps(registry.counter("millstream_log_clock_leaps_total",
                                     "Times the wall clock leapt ahead and retention did not follow")) {}

  metrics::Histogram& commit;
  metrics::Counter& events;
  metrics::Counter& failures;
  metrics::Counter& damaged_rows;
  metrics::Counter& damaged_files;
  metrics::Gauge& read_only;
  metrics::Counter& unlinked;
  metrics::Counter& clock_leaps;
};

class SqliteEventLog final : public EventLog {
 public:
  SqliteEventLog(SqliteEventLogOptions options, const Clock& clock, metrics::Registry& registry)
      : options_(std::move(options)),
        clock_(clock),
        metrics_(registry),
        queue_(options_.append_queue_events_max, options_.append_queue_bytes_max),
        checkpoints_(options_.directory),
        files_(options_.directory),
        once_(files_, options_.once_keys_max, registry),
        sealer_(options_.sealing, files_, registry),
        retention_(options_.retention_ms),
        disk_use_(options_.directory, options_.retention_ms, registry) {}
  ~SqliteEventLog() override { stop(); }

  void add_reader(CommitReader& reader) override { readers_.push_back(&reader); }
  Status start() override;
  void stop() override;

  Status append(std::vector<model::Event> batch, AppendDone done) override {
    return queue_.push({.events = std::move(batch), .done = std::move(done)});
  }
  Status append_once(Once once, std::vector<model::Event> batch, AppendDone done) override {
    return queue_.push({.events = std::move(batch), .done = std::move(done), .once = std::move(once)});
  }
  Result<ReadPage> read(const ReadRequest& request) override { return read_page(request, nullptr); }
  Result<ReadPage> read_each(const ReadRequest& request, const TakeEvent& take) override {
    return read_page(request, &take);
  }
  Result<std::vector<Missing>> read_samples(const SamplesRequest& request, SampleSink& sink) override;
  EventId first_id() const override;
  EventId last_id() const override { return EventId::from_packed(last_id_.load(std::memory_order_acquire)); }

  void save_checkpoint(std::string name, Checkpoint checkpoint) override {
    queue_.push_checkpoint(std::move(name), std::move(checkpoint));
  }
  Result<std::optional<Checkpoint>> load_checkpoint(std::string_view name) override { return checkpoints_.load(name); }
  size_t queued_events() const override { return queue_.events(); }
  Storage storage() const override { return storage_.load(std::memory_order_relaxed); }

 private:
  // An hour that is over: its telemetry is put into chunks, then its WAL is emptied, then nobody writes it any more.
  struct Closing {
    std::unique_ptr<HourWriter> writer;
    bool closed = false;
  };

  Status recover();
  Status recover_file(int64_t hour, bool newest);
  void check_later(int64_t hour);
  void go_on_sealing(const HourSpan& span);
  Status recover_beginning();
  void begin_retention(const std::map<std::string, EventId>& known);
  void damaged(int64_t hour, const Error& error);
  void look_for_losses(const std::map<std::string, EventId>& known);
  void lost_end(const IdRange& lost);
  void recover_hole(const std::string& name, EventId to);
  void note_progress();
  void add_hole(const IdRange& ids, Missing::Why why = Missing::Why::damaged);
  void add_holes(std::vector<Missing>& missing) const;

  void run();
  void commit(std::vector<WaitingAppend> appends);
  Status write(const std::vector<model::Event>& events, std::span<const OnceRow> once);
  Status open_writer(int64_t hour);
  EventId give_ids(std::vector<model::Event>& events);
  void publish(std::vector<model::Event> events);
  void tick();
  void save(std::string name, Checkpoint checkpoint);
  void housekeeping();
  void seal();
  void close_hours(bool all);
  Error refuse_writes(const Error& why);
  void move_retention();
  void note_doubt();
  void unlink_expired_hours();
  Status read_hour(int64_t hour, const std::function<Status(HourReader&)>& work, std::vector<Missing>& missing);
  Result<ReadPage> read_page(const ReadRequest& request, const TakeEvent* take);
  bool count_damaged_file(int64_t hour);
  void report_damage(const Scan& scan);
  EventId oldest_readable() const { return {std::max<int64_t>(0, clock_.wall_ms() - options_.retention_ms), 0}; }
  EventId oldest_kept() const { return {retention_.oldest_kept_ms(), 0}; }
  int64_t first_once_hour() const { return hour_of({std::max<int64_t>(0, clock_.wall_ms() - kOnceMs), 0}); }

  // constant after start()
  const SqliteEventLogOptions options_;
  const Clock& clock_;
  Metrics metrics_;
  std::vector<CommitReader*> readers_;
  DirectoryLock lock_;

  AppendQueue queue_;
  CheckpointFile checkpoints_;
  HourFiles files_;
  OnceBatches once_;  // log-thread-confined after start()
  WindowSealer sealer_;
  WorkQueue saver_{"log-save", 1, kSavesWaitingMax, WorkQueue::AtStop::run};
  WorkQueue checker_{"log-check", 1, kHoursCheckedMax, WorkQueue::AtStop::drop, WorkQueue::Priority::last};
  static constexpr int64_t kNoHour = -1;
  std::atomic<int64_t> suspect_hour_{kNoHour};                     // a reader found this file damaged
  Guarded<std::vector<std::pair<int64_t, Error>>> found_damaged_;  // by checker_
  std::atomic<int64_t> last_id_{0};                                // packed; written by the log thread
  Guarded<std::vector<Missing>> holes_;                            // files set aside, the time before the log
  DamageTold told_;
  std::atomic<Storage> storage_{Storage::ok};  // written by the log thread

  // log-thread-confined
  RetentionTime retention_;
  DiskUse disk_use_;
  std::unique_ptr<HourWriter> writer_;
  std::vector<Closing> closing_;
  SteadyTime next_housekeeping_;
  SteadyTime next_measure_;
  SteadyTime next_seal_;
  EventId noted_;  // note_progress() has said this much
  // A write or an fsync failed for another reason than a full disk. Then the kernel may hold as clean what is not on
  // the disk, and a later fsync would say yes to it: nothing is written any more until the process has been restarted.
  std::optional<Error> read_only_;

  std::thread thread_;
};

// --- starting and stopping -------------------------------------------------------------------------------------------

Status SqliteEventLog::start() {
  std::error_code error;
  std::filesystem::create_directories(options_.directory, error);
  if (error) return Error{Code::internal, options_.directory + ": " + error.message()};
  ::chmod(options_.directory.c_str(), 0700);
  if (Status s = lock_.take(options_.directory); !s) return s;
  if (Status s = checkpoints_.open(clock_.wall_ms()); !s) return s;
  if (Status s = recover(); !s) return s;
  queue_.open();
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ms-log");
    run();
  });
  return {};
}

Status SqliteEventLog::recover() {
  std::vector<int64_t> hours;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory, error)) {
    const std::string name = entry.path().filename().string();
    if (const auto hour = parse_hour_file_name(name)) hours.push_back(*hour);
    if (const auto hole = parse_set_aside_name(name)) add_hole(*hole);
  }
  if (error) return Error{Code::internal, options_.directory + ": " + error.message()};
  std::sort(hours.begin(), hours.end());
  for (const int64_t hour : hours) {
    if (Status s = recover_file(hour, hour == hours.back()); !s) return s;
  }
  // An engine may have stored a position that only a tick had reached.
  const Result<std::map<std::string, EventId>> known = checkpoints_.positions();
  if (!known) return known.error();
  for (const auto& [name, at] : *known) last_id_ = std::max(last_id_.load(), at.packed());
  begin_retention(*known);
  look_for_losses(*known);
  // As a tick would: whatever is appended from now on is above, so that readers know where "before" ends.
  last_id_ = std::max(last_id(), EventId{clock_.wall_ms(), 0}).packed();
  if (Status s = recover_beginning(); !s) return s;
  // The next id may still belong to the newest hour: that file is written on.
  const std::vector<HourSpan> spans = files_.spans();
  const int64_t next_hour = hour_of(last_id());
  if (!spans.empty() && spans.back().hour >= next_hour) {
    // On a full disk what is there is served; each commit tries again.
    if (Status s = open_writer(spans.back().hour); !s && s.error().code != Code::storage_full) return s;
  }
  return once_.load(first_once_hour());
}

// An earlier run may have ended before everything of this hour was in chunks. When it cannot be written to now, it is
// read as it is.
void SqliteEventLog::go_on_sealing(const HourSpan& span) {
  Result<std::unique_ptr<HourWriter>> opened =
      HourWriter::open(options_.directory, span.hour, SyncCommits(options_.sync_commits));
  if (!opened) return;
  closing_.push_back({.writer = std::move(*opened)});
  files_.remove(span.hour);
  files_.add(span, false);
}

// What an hour was known to hold on the disk must be there: a file may have lost its end, or itself.
void SqliteEventLog::look_for_losses(const std::map<std::string, EventId>& known) {
  const int64_t oldest_hour = hour_of(oldest_kept());
  for (const auto& [name, at] : known) {
    if (name.starts_with(kHolePrefix)) recover_hole(name, at);
    const std::optional<int64_t> hour = parse_ledger_name(name);
    if (!hour) continue;
    if (*hour < oldest_hour) {
      (void)checkpoints_.remove(name);
      continue;
    }
    IdRange lost{.after = ids_of_hour(*hour).after, .to = at};
    for (const HourSpan& span : files_.spans()) {
      if (span.hour == *hour && !span.last.is_zero()) lost.after = span.last;
    }
    lost_end(lost);
  }
}

// For as long as its hour is kept: the file may be written on behind the hole.
void SqliteEventLog::lost_end(const IdRange& lost) {
  if (lost.after >= lost.to) return;
  add_hole(lost);
  const int64_t hour = hour_of(lost.to);
  (void)count_damaged_file(hour);
  log_error("DAMAGED HOUR FILE: events that were stored are gone; what is left is served",
            {{"file", hour_file_path(options_.directory, hour)}, {"after", lost.after.text()}, {"to", lost.to.text()}});
  const std::string name = std::string(kHolePrefix) + lost.after.text();
  if (const Status saved = checkpoints_.save(name, {.at = lost.to, .state = {}}); !saved) {
    log_warning("a loss could not be noted", {{"reason", saved.error().detail}});
  }
}

void SqliteEventLog::recover_hole(const std::string& name, EventId to) {
  if (to < oldest_kept()) {
    (void)checkpoints_.remove(name);
  } else if (const std::optional<EventId> after = EventId::parse(name.substr(kHolePrefix.size()))) {
    add_hole({.after = *after, .to = to});
  }
}

// From the newest that was stored, or from where an earlier run stood when it began to doubt the clock.
void SqliteEventLog::begin_retention(const std::map<std::string, EventId>& known) {
  const auto doubted = known.find(kDoubtName);
  const EventId from = doubted == known.end() ? last_id() : doubted->second;
  retention_.begin(from.ms, clock_.wall_ms(), clock_.steady_ms());
  if (!retention_.doubts()) {
    if (doubted != known.end()) (void)checkpoints_.remove(kDoubtName);
    return;
  }
  log_info("after a long pause retention waits before it believes the clock",
           {{"pause_ms", retention_.ahead_ms()}, {"waits_ms", kPauseDoubtMs}});
  note_doubt();
}

// Says in another file up to where this hour's events are on the disk.
void SqliteEventLog::note_progress() {
  if (!writer_ || read_only_ || writer_->last_committed() <= noted_) return;
  noted_ = writer_->last_committed();
  save(ledger_name(writer_->hour()), {.at = noted_, .state = {}});
}

// A viewer may come back with an id that an earlier log in this place gave: what came before the first id of this log
// is not known, and must not look as if nothing had been.
Status SqliteEventLog::recover_beginning() {
  const Result<std::optional<Checkpoint>> stored = checkpoints_.load(kBeginningName);
  if (stored && *stored) {
    add_hole({.after = {}, .to = (*stored)->at}, Missing::Why::before_log);
    return {};
  }
  const std::vector<HourSpan> spans = files_.spans();
  const EventId beginning = spans.empty() ? last_id() : EventId::from_packed(spans.front().first.packed() - 1);
  add_hole({.after = {}, .to = beginning}, Missing::Why::before_log);
  return checkpoints_.save(kBeginningName, {.at = beginning, .state = {}});
}

void SqliteEventLog::add_hole(const IdRange& ids, Missing::Why why) {
  holes_.with([&](std::vector<Missing>& holes) { holes.push_back({.ids = ids, .why = why}); });
}

void SqliteEventLog::add_holes(std::vector<Missing>& missing) const {
  holes_.with([&](const std::vector<Missing>& holes) { missing.insert(missing.end(), holes.begin(), holes.end()); });
}

Status SqliteEventLog::recover_file(int64_t hour, bool newest) {
  const std::string path = hour_file_path(options_.directory, hour);
  const bool thorough = newest || std::filesystem::exists(path + "-wal");
  Result<HourFileSpan> span = check_hour_file(path, thorough);
  if (span && !span->last.is_zero() && (hour_of(span->first) != hour || hour_of(span->last) != hour)) {
    span = Error{Code::corrupt, path + ": holds events of another hour"};
  }
  if (!span && span.error().code == Code::conflict) return span.error();      // of a later version: not ours to judge
  if (!span && span.error().code == Code::storage_full) return span.error();  // no room to read its WAL: not damaged
  if (!span) {
    damaged(hour, span.error());
    return {};
  }
  if (span->lost_end) {
    const EventId then{clock_.wall_ms(), 0};
    lost_end({.after = std::max(span->last, ids_of_hour(hour).after), .to = std::min(ids_of_hour(hour).to, then)});
  }
  if (span->last.is_zero()) {
    remove_hour_file(path);
    return {};
  }
  const HourSpan known{.hour = hour, .first = span->first, .last = span->last};
  files_.add(known, !span->wal_left);
  if (!thorough) check_later(hour);
  if (span->has_blocks) go_on_sealing(known);
  last_id_ = std::max(last_id_.load(), span->last.packed());
  return {};
}

// Every page of an old hour is walked after the start, which must not wait for it.
void SqliteEventLog::check_later(int64_t hour) {
  (void)checker_.post([this, hour] {
    const Status sound = files_.read(hour, [](HourReader& reader) { return reader.database().check_pages(); });
    if (sound || sound.error().code != Code::corrupt) return;
    found_damaged_.with(
        [&](std::vector<std::pair<int64_t, Error>>& found) { found.emplace_back(hour, sound.error()); });
  });
}

// One damaged hour loses only itself, and not silently.
void SqliteEventLog::damaged(int64_t hour, const Error& error) {
  add_hole({.after = ids_of_hour(hour).after, .to = std::min(ids_of_hour(hour).to, EventId{clock_.wall_ms(), 0})});
  files_.remove(hour);
  once_.forget(hour);
  const std::string where = set_aside(hour_file_path(options_.directory, hour), clock_.wall_ms());
  (void)count_damaged_file(hour);  // a reader may have done so
  log_error("DAMAGED HOUR FILE set aside; the other hours are served", {{"file", where}, {"reason", error.detail}});
}

void SqliteEventLog::stop() {
  queue_.stop();
  checker_.stop();
  if (thread_.joinable()) thread_.join();
  saver_.stop();
  checkpoints_.close();
  lock_.release();
}

// --- the log thread --------------------------------------------------------------------------------------------------

void SqliteEventLog::run() {
  const auto tick_interval = std::chrono::milliseconds(options_.tick_interval_ms);
  SteadyTime next_tick = std::chrono::steady_clock::now() + tick_interval;
  while (true) {
    Work work = queue_.take(sealer_.busy() ? std::min(next_tick, next_seal_) : next_tick);
    if (!work.appends.empty()) {
      commit(std::move(work.appends));
      next_tick = std::chrono::steady_clock::now() + tick_interval;
    }
    for (WaitingCheckpoint& waiting : work.checkpoints) save(std::move(waiting.name), std::move(waiting.checkpoint));
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= next_tick) {
      note_progress();  // nobody waits for the disk now
      tick();
      next_tick = now + tick_interval;
    }
    if (now >= next_seal_) {
      seal();
      next_seal_ = std::chrono::steady_clock::now() + kSealPause;
    }
    if (now >= next_housekeeping_) {
      housekeeping();
      next_housekeeping_ = now + kHousekeepingInterval;
    }
    if (now >= next_measure_) {
      disk_use_.measure();
      next_measure_ = now + kMeasureInterval;
    }
    if (work.last) break;
  }
  sealer_.stop();
  note_progress();
  if (writer_ && !read_only_) closing_.push_back({.writer = std::move(writer_)});
  files_.drop_idle();
  close_hours(true);
  closing_.clear();
}

// `ends`: where in the events each batch ends.
std::vector<AppendReceipt> receipts_of(const std::vector<model::Event>& events, const std::vector<size_t>& ends) {
  std::vector<AppendReceipt> receipts;
  size_t begin = 0;
  for (const size_t end : ends) {
    receipts.push_back({.first = events[begin].id, .last = events[end - 1].id});
    begin = end;
  }
  return receipts;
}

void SqliteEventLog::commit(std::vector<WaitingAppend> appends) {
  once_.take_out(appends);
  if (appends.empty()) return;
  std::vector<model::Event> events;
  std::vector<size_t> ends;
  for (WaitingAppend& append : appends) {
    std::move(append.events.begin(), append.events.end(), std::back_inserter(events));
    ends.push_back(events.size());
  }
  const int64_t started_us = clock_.steady_us();
  const EventId last = give_ids(events);
  const std::vector<AppendReceipt> receipts = receipts_of(events, ends);
  const bool was_ok = storage() == Storage::ok;
  const Status written = write(events, OnceBatches::rows(appends, receipts));
  // Ids of a failed commit are not given again: some of its bytes may be on disk after all.
  if (!written) {
    last_id_.store(last.packed(), std::memory_order_release);
    metrics_.failures.add();
    if (was_ok) log_error("events cannot be stored", {{"reason", written.error().detail}});
    storage_ = read_only_                                   ? Storage::read_only
               : written.error().code == Code::storage_full ? Storage::full
                                                            : Storage::failing;
    // Who sent them is told what that means for them; where and why stands in our own log.
    const Error told = as_told(written.error(), read_only_.has_value());
    for (WaitingAppend& append : appends) {
      if (append.done) append.done(told);
    }
    once_.failed(told);
    return;
  }
  if (!was_ok) log_info("events can be stored again");
  storage_ = Storage::ok;
  metrics_.commit.observe_us(clock_.steady_us() - started_us);
  metrics_.events.add(events.size());
  files_.extend(writer_->hour(), events.front().id, last);
  publish(std::move(events));
  once_.committed(writer_->hour(), appends, receipts);
  for (size_t i = 0; i < appends.size(); ++i) {
    if (appends[i].done) appends[i].done(receipts[i]);
  }
  if (writer_->wal_is_long()) {
    if (const Status copied = writer_->checkpoint(); !copied) {
      log_warning("the write-ahead log could not be copied", {{"reason", copied.error().detail}});
    }
  }
}

// All ids of one commit are in one millisecond, and so in one hour. Gives back the last.
EventId SqliteEventLog::give_ids(std::vector<model::Event>& events) {
  const EventId last = last_id();
  EventId next{std::max(clock_.wall_ms(), last.ms), 0};
  if (next.ms == last.ms) {
    next.seq = last.seq + 1;
    if (next.seq + events.size() - 1 > EventId::kSeqMax) next = {last.ms + 1, 0};
  }
  for (model::Event& event : events) {
    event.id = next;
    ++next.seq;
  }
  return events.back().id;
}

Status SqliteEventLog::write(const std::vector<model::Event>& events, std::span<const OnceRow> once) {
  if (read_only_) return *read_only_;
  const int64_t hour = hour_of(events.front().id);
  if (!writer_ || writer_->hour() != hour) {
    if (Status s = open_writer(hour); !s) return s;
  }
  Status written = writer_->commit(events, once);
  if (written) return written;
  if (written.error().code == Code::internal) written = refuse_writes(written.error());
  if (written.error().code == Code::corrupt) {
    writer_.reset();
    damaged(hour, written.error());
  }
  return written;
}

Error SqliteEventLog::refuse_writes(const Error& why) {
  if (writer_) writer_->leave_wal_as_it_is();
  for (const Closing& closing : closing_) closing.writer->leave_wal_as_it_is();
  read_only_ = Error{Code::unavailable, "the log is read-only until a restart, a write failed: " + why.detail};
  storage_ = Storage::read_only;
  metrics_.read_only.set(1);
  return *read_only_;
}

Status SqliteEventLog::open_writer(int64_t hour) {
  note_progress();
  if (writer_) closing_.push_back({.writer = std::move(writer_)});
  // After a restart it may have been taken for one that is over.
  std::erase_if(closing_, [&](const Closing& closing) { return closing.writer->hour() == hour; });
  Result<std::unique_ptr<HourWriter>> opened =
      HourWriter::open(options_.directory, hour, SyncCommits(options_.sync_commits));
  if (!opened) {
    if (opened.error().code == Code::corrupt) damaged(hour, opened.error());
    return opened.error();
  }
  writer_ = std::move(*opened);
  told_.forget(ids_of_hour(hour));  // one that was set aside had the same name
  HourSpan span{.hour = hour};
  for (const HourSpan& known : files_.spans()) {
    if (known.hour == hour) span = known;
  }
  files_.remove(hour);  // known as sealed, perhaps: from now on it is read through its WAL
  files_.add(span, false);
  return {};
}

void SqliteEventLog::publish(std::vector<model::Event> events) {
  auto batch = std::make_shared<CommittedBatch>();
  batch->through = events.empty() ? last_id() : events.back().id;
  batch->events = std::move(events);
  batch->committed_at_us = clock_.steady_us();
  last_id_.store(batch->through.packed(), std::memory_order_release);
  for (CommitReader* reader : readers_) reader->on_commit(batch);
}

// Time has passed and nothing happened: said with an id, so that "later" means the same to everyone.
void SqliteEventLog::tick() {
  const int64_t now_ms = clock_.wall_ms();
  if (now_ms > last_id().ms) last_id_.store(EventId{now_ms, 0}.packed(), std::memory_order_release);
  publish({});
}

// By a thread of its own: the state of many devices is megabytes, and commits must not wait for them.
void SqliteEventLog::save(std::string name, Checkpoint checkpoint) {
  auto job = [this, name, checkpoint = std::move(checkpoint)] {
    if (const Status saved = checkpoints_.save(name, checkpoint); !saved) {
      log_error("checkpoint not stored; the older one stays", {{"name", name}, {"reason", saved.error().detail}});
    }
  };
  if (!saver_.post(std::move(job))) log_warning("too many checkpoints wait; the older one stays", {{"name", name}});
}

void SqliteEventLog::housekeeping() {
  const int64_t suspect = suspect_hour_.exchange(kNoHour);
  // A read may fail for a moment: what is good must not be put away for that.
  if (writer_ && suspect == writer_->hour()) check_later(suspect);
  for (const auto& [hour, error] : found_damaged_.with([](auto& found) { return std::exchange(found, {}); })) {
    if (writer_ && writer_->hour() == hour) writer_.reset();
    std::erase_if(closing_, [hour = hour](const Closing& closing) { return closing.writer->hour() == hour; });
    damaged(hour, error);
  }
  note_progress();
  // An idle log moves on to the next hour too, so that the last one can be sealed.
  if (writer_ && !read_only_ && writer_->hour() < hour_of(last_id()))  // noted above
    closing_.push_back({.writer = std::move(writer_)});
  if (!read_only_) close_hours(false);
  move_retention();
  unlink_expired_hours();
  once_.forget_before(hour_of({std::max<int64_t>(0, retention_.now_ms() - kOnceMs), 0}));
}

void SqliteEventLog::seal() {
  if (read_only_) return;
  std::vector<SealableHour> hours;
  for (const Closing& closing : closing_) {
    if (!closing.closed) hours.push_back({.writer = *closing.writer, .over = true});
  }
  if (writer_) hours.push_back({.writer = *writer_});
  const Status sealed = sealer_.step(hours, last_id().ms, clock_.steady_ms());
  // What they write is not left for one long copy at their end.
  for (const Closing& closing : closing_) {
    if (!closing.closed && closing.writer->wal_is_long()) (void)closing.writer->checkpoint();
  }
  if (!sealed) log_error("telemetry cannot be sealed", {{"reason", refuse_writes(sealed.error()).detail}});
}

// `all`: those too whose telemetry is not all in chunks.
void SqliteEventLog::close_hours(bool all) {
  for (Closing& closing : closing_) {
    if (closing.closed || !(all || sealer_.finished(*closing.writer))) continue;
    const Result<bool> emptied = closing.writer->checkpoint_fully();
    if (!emptied) {
      log_warning("an hour file could not be closed yet", {{"reason", emptied.error().detail}});
    } else if (*emptied) {
      files_.seal(closing.writer->hour());
      closing.closed = true;
    }
  }
  // The writer goes last: it removes the empty WAL, which a read-only connection may not.
  std::erase_if(closing_, [&](const Closing& closing) {
    return closing.closed && files_.unread_since_seal(closing.writer->hour());
  });
}

void SqliteEventLog::move_retention() {
  const bool doubted = retention_.doubts();
  if (retention_.move(clock_.wall_ms(), clock_.steady_ms())) {
    metrics_.clock_leaps.add();
    log_warning("the wall clock leapt ahead: nothing is removed for that until it has been so for a whole retention",
                {{"ahead_ms", retention_.ahead_ms()}});
    note_doubt();
  } else if (doubted && !retention_.doubts()) {
    log_info("retention goes by the wall clock again");
    (void)saver_.post([this] { (void)checkpoints_.remove(kDoubtName); });
  }
}

// So that a restart does not take the clock's word for it.
void SqliteEventLog::note_doubt() { save(kDoubtName, {.at = {retention_.now_ms(), 0}, .state = {}}); }

void SqliteEventLog::unlink_expired_hours() {
  const EventId oldest = oldest_kept();
  for (const HourSpan& span : files_.spans()) {
    if (last_id_of_hour(span.hour) >= oldest) return;
    if (writer_ && writer_->hour() == span.hour) writer_.reset();
    std::erase_if(closing_, [&](const Closing& closing) { return closing.writer->hour() == span.hour; });
    files_.remove(span.hour);
    once_.forget(span.hour);
    told_.forget_before(last_id_of_hour(span.hour).packed());
    remove_hour_file(hour_file_path(options_.directory, span.hour));
    metrics_.unlinked.add();
    (void)saver_.post([this, name = ledger_name(span.hour)] { (void)checkpoints_.remove(name); });
    log_info("hour past the retention removed", {{"hour", span.hour}});
  }
}

// --- reading ---------------------------------------------------------------------------------------------------------

EventId SqliteEventLog::first_id() const {
  const EventId oldest = oldest_readable();
  for (const HourSpan& span : files_.spans()) {
    if (!span.first.is_zero() && span.last >= oldest) return std::max(span.first, oldest);
  }
  return last_id();
}

bool SqliteEventLog::count_damaged_file(int64_t hour) {
  const bool is_new = told_.first_time(ids_of_hour(hour));
  if (is_new) metrics_.damaged_files.add();
  return is_new;
}

// A file that turns out to be damaged loses the rest of itself, loudly, and fails nothing else. How much of what was
// read of it before is all there was cannot be known: the whole hour is declared.
Status SqliteEventLog::read_hour(int64_t hour, const std::function<Status(HourReader&)>& work,
                                 std::vector<Missing>& missing) {
  const Status done = files_.read(hour, work);
  if (done || done.error().code != Code::corrupt) return done;
  missing.push_back({.ids = ids_of_hour(hour)});
  suspect_hour_.store(hour);
  if (!count_damaged_file(hour)) return {};
  log_error("DAMAGED HOUR FILE: the rest of it is not served",
            {{"file", hour_file_path(options_.directory, hour)}, {"reason", done.error().detail}});
  return {};
}

void SqliteEventLog::report_damage(const Scan& scan) {
  size_t rows = 0;
  std::optional<int64_t> first;
  for (const Scan::Damage& part : scan.damaged) {
    if (!told_.first_time(part.first, part.last)) continue;
    rows += part.rows;
    first = std::min(first.value_or(INT64_MAX), std::max(part.first, scan.low));
  }
  if (!first) return;
  metrics_.damaged_rows.add(rows);
  log_error("DAMAGED ROWS left out", {{"rows", rows}, {"first id", EventId::from_packed(*first).text()}});
}

Result<ReadPage> SqliteEventLog::read_page(const ReadRequest& request, const TakeEvent* take) {
  const EventId newest = last_id();
  const EventId end = request.until ? std::min(*request.until, newest) : newest;
  const bool ascending = request.order == Order::ascending;
  ReadPage page{.scanned_to = ascending ? end : request.after};

  Scan scan{.request = request};
  scan.low = std::max(request.after.packed() + 1, oldest_readable().packed());
  scan.high = end.packed();
  scan.rows_left = kRowsPerReadMax;
  scan.sink = take;
  if (scan.low > scan.high || request.events_max == 0) return page;

  std::vector<int64_t> hours = files_.hours_between(EventId::from_packed(scan.low), EventId::from_packed(scan.high));
  if (!ascending) std::reverse(hours.begin(), hours.end());
  std::vector<Missing> missing;
  for (const int64_t hour : hours) {
    const Status scanned = read_hour(
        hour, [&](HourReader& reader) { return reader.scan(scan); }, missing);
    if (!scanned) return scanned.error();
    if (scan.stopped) break;
  }
  report_damage(scan);
  page.events = std::move(scan.events);
  page.more = scan.stopped;
  if (scan.stopped) page.scanned_to = scan.scanned_to;
  scan.each_damage([&](const IdRange& ids) { missing.push_back({.ids = ids}); });
  add_holes(missing);
  const IdRange scanned = scan.scanned_span();
  std::erase_if(missing, [&](const Missing& part) { return !overlap(part.ids, scanned); });
  cut_to({.after = request.after, .to = end}, missing);
  page.missing = joined(std::move(missing));
  return page;
}

Result<std::vector<Missing>> SqliteEventLog::read_samples(const SamplesRequest& request, SampleSink& sink) {
  const model::Topic& topic = request.topic;
  const ReadRequest loose{.patterns = {{topic.account, {topic.site}, {topic.device}}},
                          .types = model::EventTypes::none().with(model::EventType::telemetry),
                          .events_max = kLooseEventsPerPage};
  Scan listing{.request = loose};
  listing.low = std::max(request.ids.after.packed() + 1, oldest_readable().packed());
  listing.high = std::min(request.ids.to, last_id()).packed();
  listing.rows_left = SIZE_MAX;
  std::vector<Missing> missing;
  if (listing.low > listing.high) return missing;
  Scan giving = listing;
  std::vector<HourSamples> hours;
  for (const int64_t hour :
       files_.hours_between(EventId::from_packed(listing.low), EventId::from_packed(listing.high))) {
    if (!sink.wants_more()) return missing;
    HourSamples& samples = hours.emplace_back(HourSamples{.hour = hour});
    const Status listed = read_hour(
        hour, [&](HourReader& reader) { return list_samples(reader, request, listing, samples); }, missing);
    if (!listed) return listed.error();
  }
  find_alone(hours);
  for (const HourSamples& samples : hours) {
    const Status given = read_hour(
        samples.hour, [&](HourReader& reader) { return give_samples(reader, request, samples, giving, sink); },
        missing);
    if (!given) return given.error();
  }
  report_damage(listing);
  report_damage(giving);
  // Of a chunk it is known that it holds times of the span, of all else only when it was received.
  listing.each_damage([&](const IdRange& ids) { missing.push_back({.ids = ids}); });
  add_holes(missing);
  cut_to(giving.scanned_span(), missing);  // nothing is older than the retention
  cut_to(received_within(request.start_ms, request.end_ms), missing);
  giving.each_damage([&](const IdRange& ids) { missing.push_back({.ids = ids}); });
  return joined(std::move(missing));
}

}  // namespace

std::unique_ptr<EventLog> make_sqlite_event_log(SqliteEventLogOptions options, const Clock& clock,
                                                metrics::Registry& metrics) {
  return std::make_unique<SqliteEventLog>(std::move(options), clock, metrics);
}

}  // namespace millstream::log
