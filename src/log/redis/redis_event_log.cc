#include "log/redis/redis_event_log.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/guarded.h"
#include "base/log_line.h"
#include "base/work_queue.h"
#include "log/append_queue.h"
#include "log/missing_parts.h"
#include "log/redis/redis_store.h"
#include "log/wanted_fields.h"

namespace millstream::log {
namespace {

using model::EventId;

constexpr size_t kEntriesPerPage = 1'000;
constexpr size_t kEntriesPerReadMax =
    100'000;                                // one read() looks at no more, so that a narrow filter cannot hold a thread
constexpr size_t kEventsPerScript = 2'048;  // Redis does nothing else meanwhile
constexpr size_t kEventsPerKeyedBatchMax = 100'000;  // it must be one script
constexpr size_t kSavesWaitingMax = 32;
constexpr int64_t kRetryMinMs = 20;
constexpr int64_t kRetryMaxMs = 500;
constexpr int64_t kHousekeepingMs = 1'000;
constexpr int64_t kMeasureMs = 10'000;
constexpr int64_t kAnswerPatienceMs = 2'000;  // for a commit to come round

// Whatever clock a test has: Redis does not wait for it.
int64_t steady_ms() { return SystemClock().steady_ms(); }

void raise(std::atomic<int64_t>& newest, EventId id) {
  int64_t known = newest.load();
  while (known < id.packed() && !newest.compare_exchange_weak(known, id.packed())) {
  }
}

EventId just_before(EventId id) { return EventId::from_packed(id.packed() - 1); }

struct Metrics {
  explicit Metrics(metrics::Registry& registry)
      : commit(
            registry.histogram("millstream_log_commit_seconds", "One group commit, until Redis has acknowledged it")),
        events(registry.counter("millstream_log_events_total", "Events made durable")),
        failures(registry.counter("millstream_log_commit_failures_total", "Group commits that failed")),
        reconnects(registry.counter("millstream_redis_reconnects_total", "Times the log's stream was found again")),
        losses(registry.counter("millstream_log_losses_total", "Parts of the log that Redis has lost")),
        entries(registry.gauge("millstream_redis_stream_entries", "Events that Redis holds")),
        bytes(registry.gauge("millstream_redis_stream_bytes", "About what they take of its memory")) {}

  metrics::Histogram& commit;
  metrics::Counter& events;
  metrics::Counter& failures;
  metrics::Counter& reconnects;
  metrics::Counter& losses;
  metrics::Gauge& entries;
  metrics::Gauge& bytes;
};

// A commit that Redis has acknowledged, until its events have come round.
struct Returning {
  enum class State { none, waiting, being_answered };
  std::vector<std::pair<AppendDone, Result<AppendReceipt>>> answers;
  EventId last;
  State state = State::none;
};

class RedisStreamLog final : public RedisEventLog {
 public:
  RedisStreamLog(RedisEventLogOptions options, const Clock& clock, metrics::Registry& registry)
      : options_(std::move(options)),
        clock_(clock),
        metrics_(registry),
        queue_(options_.append_queue_events_max, options_.append_queue_bytes_max),
        writing_(make_store()),
        following_(make_store()) {}
  ~RedisStreamLog() override { stop(); }

  void add_reader(CommitReader& reader) override { readers_.push_back(&reader); }
  Status start() override;
  void stop() override;

  Status append(std::vector<model::Event> batch, AppendDone done) override {
    return queue_.push({.events = std::move(batch), .done = std::move(done)});
  }
  Status append_once(Once once, std::vector<model::Event> batch, AppendDone done) override {
    if (batch.size() > kEventsPerKeyedBatchMax) {
      return Error{Code::too_large, "log: more than 100000 events in one batch with a key"};
    }
    return queue_.push({.events = std::move(batch), .done = std::move(done), .once = std::move(once)});
  }
  Result<ReadPage> read(const ReadRequest& request) override;
  Result<std::vector<Missing>> read_samples(const SamplesRequest& request, SampleSink& sink) override;
  EventId first_id() const override;
  EventId last_id() const override { return EventId::from_packed(through_.load(std::memory_order_acquire)); }

  void save_checkpoint(std::string name, Checkpoint checkpoint) override {
    queue_.push_checkpoint(std::move(name), std::move(checkpoint));
  }
  Result<std::optional<Checkpoint>> load_checkpoint(std::string_view name) override;
  size_t queued_events() const override { return queue_.events(); }
  Storage storage() const override { return storage_.load(std::memory_order_relaxed); }
  void hold(std::optional<uint64_t> fence) override { fence_.store(fence.value_or(kNoFence)); }

 private:
  static constexpr uint64_t kNoFence = UINT64_MAX;

  std::unique_ptr<RedisStore> make_store() const {
    return std::make_unique<RedisStore>(options_.server, options_.prefix, options_.timeout_ms);
  }
  // Calls work(store) with a connection for reading the past.
  template <class Work>
  auto with_reading(const Work& work) {
    std::unique_ptr<RedisStore> store = idle_.with([](auto& idle) -> std::unique_ptr<RedisStore> {
      if (idle.empty()) return nullptr;
      std::unique_ptr<RedisStore> taken = std::move(idle.back());
      idle.pop_back();
      return taken;
    });
    if (!store) store = make_store();
    auto result = work(*store);
    idle_.with([&](auto& idle) { idle.push_back(std::move(store)); });
    return result;
  }
  RedisCaller caller() const;
  std::optional<uint64_t> fence() const {
    const uint64_t fence = fence_.load();
    return fence == kNoFence ? std::nullopt : std::optional(fence);
  }
  // Redis' clock, about.
  int64_t now_ms() const { return options_.ids_by_clock ? clock_.wall_ms() : steady_ms() + redis_ahead_ms_; }
  EventId oldest_readable() const { return {std::max<int64_t>(0, now_ms() - options_.retention_ms), 0}; }

  // writing
  void write();
  void commit(std::vector<WaitingAppend> appends);
  Result<std::vector<Result<AppendReceipt>>> store(const std::vector<RedisAppend>& calls);
  void come_round(Returning returning);
  void save(WaitingCheckpoint waiting);
  bool pause(int64_t ms);

  // following
  void follow();
  Status turn();
  Status tick();
  Status find_again(const RedisTick& tick);
  void take_tick(const RedisTick& tick);
  void hand_on(std::vector<model::Event> events, EventId through);
  Status housekeeping();
  void publish(std::vector<model::Event> events, EventId through, std::vector<IdRange> lost = {});
  void answer_returned();
  bool is_stopping() const {
    std::lock_guard lock(mu_);
    return stopping_;
  }

  const RedisEventLogOptions options_;
  const Clock& clock_;
  Metrics metrics_;
  std::vector<CommitReader*> readers_;        // constant after start()
  const std::string writer_ = random_name();  // no two processes have the same
  mutable std::atomic<uint64_t> identities_{0};

  AppendQueue queue_;
  WorkQueue saver_{"log-save", 1, kSavesWaitingMax, WorkQueue::AtStop::run};
  Guarded<std::vector<std::unique_ptr<RedisStore>>> idle_;  // connections for reading the past
  Guarded<std::vector<Missing>> holes_;     // what Redis does not have any more, though it is young enough
  std::atomic<int64_t> through_{0};         // packed; written by the following thread
  std::atomic<int64_t> newest_{0};          // packed: newest id known to have been given
  std::atomic<int64_t> first_{0};           // packed: oldest entry; 0: none
  std::atomic<int64_t> known_entry_{0};     // packed: newest entry that somebody here has seen
  std::atomic<int64_t> redis_ahead_ms_{0};  // of steady_ms()
  std::atomic<uint64_t> fence_{kNoFence};
  std::atomic<Storage> storage_{Storage::ok};

  // writing thread
  std::unique_ptr<RedisStore> writing_;
  uint64_t commits_ = 0;

  // following thread
  std::unique_ptr<RedisStore> following_;
  std::string identity_;
  EventId position_;                 // newest entry handed on
  EventId declared_;                 // losses up to here are known
  std::vector<IdRange> undeclared_;  // and these are not told yet
  uint64_t connections_ = 0;
  uint64_t bytes_ = 0;
  int64_t next_tick_ms_ = 0;
  int64_t next_housekeeping_ms_ = 0;
  int64_t next_measure_ms_ = 0;

  mutable std::mutex mu_;
  std::condition_variable changed_;
  Returning returning_;    // guarded by mu_
  bool stopping_ = false;  // guarded by mu_: the following thread ends
  bool hurry_ = false;     // guarded by mu_: nobody is patient any more

  std::thread write_thread_;
  std::thread follow_thread_;
};

// --- starting and stopping -------------------------------------------------------------------------------------------

Status RedisStreamLog::start() {
  const int64_t give_up_ms = steady_ms() + options_.start_patience_ms;
  Result<RedisTick> found = following_->tick(caller());
  while (!found && steady_ms() < give_up_ms) {
    log_warning("Redis cannot be used yet; trying again", {{"reason", found.error().detail}});
    if (!pause(kRetryMaxMs)) break;
    found = following_->tick(caller());
  }
  if (!found) return found.error();
  identity_ = found->identity;
  position_ = found->newest;
  through_ = newest_ = position_.packed();
  declared_ = position_;
  connections_ = following_->connections();
  take_tick(*found);
  queue_.open();
  follow_thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ms-log-follow");
    follow();
  });
  write_thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ms-log");
    write();
  });
  return {};
}

void RedisStreamLog::stop() {
  queue_.stop();
  {
    std::lock_guard lock(mu_);
    hurry_ = true;
  }
  changed_.notify_all();
  if (write_thread_.joinable()) write_thread_.join();
  saver_.stop();
  {
    std::lock_guard lock(mu_);
    stopping_ = true;
  }
  changed_.notify_all();
  following_->interrupt();
  if (follow_thread_.joinable()) follow_thread_.join();
}

RedisCaller RedisStreamLog::caller() const {
  // A log that has to be made twice is not the same.
  const std::string identity = writer_ + '-' + std::to_string(identities_.fetch_add(1));
  RedisCaller caller{.now_ms = {}, .newest = EventId::from_packed(newest_.load()), .identity = identity};
  if (options_.ids_by_clock) caller.now_ms = clock_.wall_ms();
  return caller;
}

// False: nobody is patient any more.
bool RedisStreamLog::pause(int64_t ms) {
  std::unique_lock lock(mu_);
  return !changed_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return hurry_ || stopping_; });
}

// --- the writing thread ----------------------------------------------------------------------------------------------

void RedisStreamLog::write() {
  while (true) {
    Work work = queue_.take(std::chrono::steady_clock::now() + std::chrono::hours(1));
    if (!work.appends.empty()) commit(std::move(work.appends));
    for (WaitingCheckpoint& waiting : work.checkpoints) save(std::move(waiting));
    if (work.last) return;
  }
}

bool concludes(const WaitingAppend& append) {
  return std::any_of(append.events.begin(), append.events.end(),
                     [](const model::Event& event) { return event.conclusion > 0; });
}

// What is larger than one script may be, in parts.
std::vector<std::vector<model::Event>> parts_of(std::vector<model::Event> events, bool whole) {
  std::vector<std::vector<model::Event>> parts;
  if (whole || events.size() <= kEventsPerScript) {
    parts.push_back(std::move(events));
    return parts;
  }
  for (auto begin = events.begin(); begin != events.end();) {
    const auto end = begin + std::min<std::ptrdiff_t>(kEventsPerScript, events.end() - begin);
    parts.emplace_back(std::make_move_iterator(begin), std::make_move_iterator(end));
    begin = end;
  }
  return parts;
}

Result<AppendReceipt> receipt_over(const std::vector<Result<AppendReceipt>>& receipts, size_t begin, size_t end) {
  Result<AppendReceipt> whole = receipts[begin];
  for (size_t i = begin; i < end; ++i) {
    if (!receipts[i]) return receipts[i];
    whole->last = receipts[i]->last;
  }
  return whole;
}

void RedisStreamLog::commit(std::vector<WaitingAppend> appends) {
  std::vector<std::vector<model::Event>> parts;
  std::vector<size_t> ends;
  std::vector<RedisAppend> calls;
  size_t events = 0;
  for (WaitingAppend& append : appends) {
    const RedisAppend call{.once = append.once ? &*append.once : nullptr, .concludes = concludes(append)};
    events += append.events.size();
    for (std::vector<model::Event>& part : parts_of(std::move(append.events), append.once.has_value())) {
      parts.push_back(std::move(part));
      calls.push_back(call);
    }
    ends.push_back(parts.size());
  }
  for (size_t i = 0; i < parts.size(); ++i) calls[i].events = &parts[i];

  ++commits_;
  const int64_t started_us = clock_.steady_us();
  const Result<std::vector<Result<AppendReceipt>>> receipts = store(calls);
  Returning returning;
  size_t begin = 0;
  for (size_t i = 0; i < appends.size(); ++i) {
    Result<AppendReceipt> receipt = receipts ? receipt_over(*receipts, begin, ends[i]) : receipts.error();
    begin = ends[i];
    if (receipt) returning.last = std::max(returning.last, receipt->last);
    if (appends[i].done) returning.answers.emplace_back(std::move(appends[i].done), std::move(receipt));
  }
  if (receipts) {
    metrics_.commit.observe_us(clock_.steady_us() - started_us);
    metrics_.events.add(events);
  }
  come_round(std::move(returning));
}

// Again and again until Redis has said what became of it, or nobody waits any longer. What it has stored before it says
// so is stored once; what it has not by then it never stores.
Result<std::vector<Result<AppendReceipt>>> RedisStreamLog::store(const std::vector<RedisAppend>& calls) {
  const int64_t give_up_ms = steady_ms() + options_.append_patience_ms;
  RedisCommit commit{.writer = writer_,
                     .number = commits_,
                     .deadline_ms = {},
                     .fence = fence(),
                     .once_keys_max = options_.once_keys_max,
                     .replicas_min = options_.replicas_min};
  int64_t retry_ms = kRetryMinMs;
  while (true) {
    // Redis' clock: tests stop theirs.
    if (!options_.ids_by_clock) commit.deadline_ms = now_ms() + options_.timeout_ms;
    Result<std::vector<Result<AppendReceipt>>> receipts = writing_->append(caller(), commit, calls);
    if (receipts) {
      const auto full = [](const Result<AppendReceipt>& r) { return !r && r.error().code == Code::storage_full; };
      const bool is_full = std::any_of(receipts->begin(), receipts->end(), full);
      storage_ = is_full ? Storage::full : Storage::ok;
      return receipts;
    }
    metrics_.failures.add();
    if (storage_.exchange(Storage::failing) == Storage::ok) {
      log_error("events cannot be stored", {{"reason", receipts.error().detail}});
    }
    if (steady_ms() + retry_ms > give_up_ms || !pause(retry_ms)) {
      return Error{Code::unavailable, "Redis is away: nothing of this is known to be stored"};
    }
    retry_ms = std::min(retry_ms * 2, kRetryMaxMs);
  }
}

// Answers when the events have been handed on here too. Until then nothing more is written: what waits becomes one
// commit.
void RedisStreamLog::come_round(Returning returning) {
  using State = Returning::State;
  std::unique_lock lock(mu_);
  raise(known_entry_, returning.last);
  returning.state = State::waiting;
  returning_ = std::move(returning);
  if (through_.load() < returning_.last.packed()) {
    const auto taken = [this] { return returning_.state != State::waiting; };
    if (changed_.wait_for(lock, std::chrono::milliseconds(kAnswerPatienceMs), taken)) {
      return changed_.wait(lock, [this] { return returning_.state == State::none; });
    }
  }
  // It need not be waited for, or Redis has gone away since: what it has acknowledged is stored.
  Returning own = std::exchange(returning_, {});
  lock.unlock();
  for (auto& [done, receipt] : own.answers) done(std::move(receipt));
}

// By a thread of its own: the state of many devices is megabytes, and commits must not wait for them.
void RedisStreamLog::save(WaitingCheckpoint waiting) {
  const std::string name = waiting.name;
  auto job = [this, waiting = std::move(waiting)] {
    const Status saved = with_reading(
        [&](RedisStore& store) { return store.save_checkpoint(waiting.name, waiting.checkpoint, fence()); });
    if (saved) return;
    log_error("checkpoint not stored; the older one stays", {{"name", waiting.name}, {"reason", saved.error().detail}});
  };
  if (!saver_.post(std::move(job))) log_warning("too many checkpoints wait; the older one stays", {{"name", name}});
}

// --- the following thread --------------------------------------------------------------------------------------------

void RedisStreamLog::follow() {
  int64_t retry_ms = kRetryMinMs;
  while (!is_stopping()) {
    const Status turned = turn();
    if (turned) {
      retry_ms = kRetryMinMs;
      continue;
    }
    if (is_stopping()) return;
    if (storage_.exchange(Storage::failing) == Storage::ok) {
      log_error("Redis is away: nothing can be stored", {{"reason", turned.error().detail}});
    }
    std::unique_lock lock(mu_);
    changed_.wait_for(lock, std::chrono::milliseconds(retry_ms), [this] { return stopping_; });
    retry_ms = std::min(retry_ms * 2, kRetryMaxMs);
    next_tick_ms_ = 0;
  }
}

Status RedisStreamLog::turn() {
  const int64_t now_ms = steady_ms();
  if (now_ms >= next_tick_ms_) {
    if (Status s = tick(); !s) return s;
    next_tick_ms_ = now_ms + options_.tick_interval_ms;
    return housekeeping();
  }
  Result<RedisPage> page = following_->follow(position_, kEntriesPerPage, next_tick_ms_ - now_ms);
  if (!page) return page.error();
  // What became of the stream while there was no connection is looked at first.
  if (following_->connections() != connections_) {
    next_tick_ms_ = 0;
    return {};
  }
  if (page->entries == 0) return {};
  position_ = page->last;
  hand_on(std::move(page->events), page->last);
  return {};
}

// Time has passed. What the tick names is read before it is told: every later id is above it.
Status RedisStreamLog::tick() {
  Result<RedisTick> tick = following_->tick(caller());
  if (tick && (following_->connections() != connections_ || tick->identity != identity_)) {
    if (Status s = find_again(*tick); !s) return s;
    tick = following_->tick(caller());  // with what was declared lost meanwhile
  }
  if (!tick) return tick.error();
  take_tick(*tick);
  while (true) {
    Result<RedisPage> page = following_->follow(position_, kEntriesPerPage, 0);
    if (!page) return page.error();
    const bool more = page->entries == kEntriesPerPage;
    if (page->entries > 0) position_ = page->last;
    hand_on(std::move(page->events), more ? position_ : std::max(position_, tick->newest));
    if (!more) break;
  }
  if (storage_ != Storage::failing) return {};
  log_info("Redis is there again");
  storage_ = Storage::ok;
  return {};
}

// After a break: is it the same log, and does it still have what was known to be in it?
Status RedisStreamLog::find_again(const RedisTick& tick) {
  const EventId known = EventId::from_packed(known_entry_.load());
  metrics_.reconnects.add();
  std::optional<IdRange> lost;
  if (tick.identity != identity_) {
    lost = IdRange{.after = position_, .to = tick.trimmed};
    log_error("Redis has lost the log: it begins anew", {{"known_up_to", known.text()}});
  } else if (known > tick.trimmed && known >= oldest_readable()) {
    const Result<RedisPage> left = following_->range({}, known, Order::descending, 1);
    if (!left) return left.error();
    const Result<RedisPage> later = following_->range(known, {EventId::kMsMax, 0}, Order::ascending, 1);
    if (!later) return later.error();
    if (left->entries == 0 || left->last != known) {
      const EventId to = later->entries > 0 ? just_before(later->last) : std::max(known, tick.newest);
      lost = IdRange{.after = std::max(left->last, tick.trimmed), .to = to};
    }
  }
  if (lost && lost->after < lost->to) {
    if (Status s = following_->declare_lost(*lost); !s) return s;
  }
  identity_ = tick.identity;
  connections_ = following_->connections();
  return {};
}

void RedisStreamLog::take_tick(const RedisTick& tick) {
  redis_ahead_ms_ = tick.now_ms - steady_ms();
  first_ = tick.first ? tick.first->packed() : 0;
  raise(newest_, tick.newest);
  metrics_.entries.set(static_cast<int64_t>(tick.entries));
  std::vector<Missing> holes = {{.ids = {.after = {}, .to = tick.trimmed}, .why = Missing::Why::before_log}};
  std::vector<IdRange> news;
  for (const IdRange& lost : tick.lost) {
    holes.push_back({.ids = lost});
    if (lost.to <= declared_) continue;
    // Each instance declares it from where it was.
    if (!news.empty() && news.back().to == lost.to) {
      news.back().after = std::min(news.back().after, lost.after);
    } else {
      news.push_back(lost);
    }
  }
  holes_.with([&](std::vector<Missing>& known) { known = std::move(holes); });
  for (const IdRange& lost : news) {
    declared_ = std::max(declared_, lost.to);
    metrics_.losses.add();
    log_error("EVENTS ARE LOST: Redis came back without them", {{"after", lost.after.text()}, {"to", lost.to.text()}});
    undeclared_.push_back(lost);
  }
}

// Losses are told where they lie among the events.
void RedisStreamLog::hand_on(std::vector<model::Event> events, EventId through) {
  while (!undeclared_.empty()) {
    const IdRange lost = undeclared_.front();
    if (through < lost.to) break;
    undeclared_.erase(undeclared_.begin());
    const auto later = std::partition_point(events.begin(), events.end(),
                                            [&](const model::Event& event) { return event.id <= lost.after; });
    std::vector<model::Event> before(std::make_move_iterator(events.begin()), std::make_move_iterator(later));
    events.erase(events.begin(), later);
    publish(std::move(before), std::max(last_id(), lost.after));
    publish({}, lost.to, {lost});
  }
  publish(std::move(events), through);
}

Status RedisStreamLog::housekeeping() {
  const int64_t now_ms = steady_ms();
  if (now_ms < next_housekeeping_ms_) return {};
  next_housekeeping_ms_ = now_ms + kHousekeepingMs;
  if (now_ms >= next_measure_ms_) {
    next_measure_ms_ = now_ms + kMeasureMs;
    const Result<uint64_t> bytes = following_->bytes();
    if (!bytes) return bytes.error();
    bytes_ = *bytes;
    metrics_.bytes.set(static_cast<int64_t>(bytes_));
  }
  std::optional<uint64_t> entries_max;
  if (options_.events_max > 0) entries_max = options_.events_max;
  const auto entries = static_cast<uint64_t>(metrics_.entries.value());
  if (options_.bytes_max > 0 && bytes_ > options_.bytes_max && entries > 0) {
    const uint64_t fit = static_cast<uint64_t>(static_cast<double>(entries) * static_cast<double>(options_.bytes_max) /
                                               static_cast<double>(bytes_));
    entries_max = std::min(entries_max.value_or(UINT64_MAX), fit);
  }
  return following_->trim(oldest_readable(), entries_max);
}

void RedisStreamLog::publish(std::vector<model::Event> events, EventId through, std::vector<IdRange> lost) {
  auto batch = std::make_shared<CommittedBatch>();
  batch->through = std::max(through, last_id());
  batch->events = std::move(events);
  batch->lost = std::move(lost);
  batch->committed_at_us = clock_.steady_us();
  through_.store(batch->through.packed(), std::memory_order_release);
  raise(newest_, batch->through);
  if (!batch->events.empty()) {
    raise(known_entry_, batch->events.back().id);
    if (first_ == 0) first_ = batch->events.front().id.packed();
  }
  for (CommitReader* reader : readers_) reader->on_commit(batch);
  answer_returned();
}

void RedisStreamLog::answer_returned() {
  using State = Returning::State;
  std::unique_lock lock(mu_);
  if (returning_.state != State::waiting || returning_.last.packed() > through_.load()) return;
  returning_.state = State::being_answered;
  auto answers = std::exchange(returning_.answers, {});
  changed_.notify_all();
  lock.unlock();
  for (auto& [done, receipt] : answers) done(std::move(receipt));
  lock.lock();
  returning_.state = State::none;
  changed_.notify_all();
}

// --- reading ---------------------------------------------------------------------------------------------------------

Result<std::optional<Checkpoint>> RedisStreamLog::load_checkpoint(std::string_view name) {
  return with_reading([&](RedisStore& store) { return store.load_checkpoint(name); });
}

EventId RedisStreamLog::first_id() const {
  const EventId first = EventId::from_packed(first_.load());
  return first.is_zero() ? last_id() : std::max(first, oldest_readable());
}

bool is_wanted(const ReadRequest& request, const model::Event& event) {
  if (!request.types.has(event.type)) return false;
  return request.patterns.empty() || std::any_of(request.patterns.begin(), request.patterns.end(),
                                                 [&](const auto& pattern) { return pattern.matches(event.topic); });
}

Result<ReadPage> RedisStreamLog::read(const ReadRequest& request) {
  const EventId newest = last_id();
  const EventId end = request.until ? std::min(*request.until, newest) : newest;
  const bool ascending = request.order == Order::ascending;
  ReadPage page{.scanned_to = ascending ? end : request.after};
  EventId low = std::max(EventId::from_packed(request.after.packed() + 1), oldest_readable());
  EventId high = end;
  if (low > high || request.events_max == 0) return page;
  const EventId oldest_scanned = low;

  const auto scan = [&](RedisStore& store) -> Status {
    for (size_t looked_at = 0; low <= high;) {
      const size_t count = std::min(kEntriesPerPage, kEntriesPerReadMax - looked_at);
      Result<RedisPage> entries = store.range(low, high, request.order, count);
      if (!entries) return entries.error();
      for (model::Event& event : entries->events) {
        if (!is_wanted(request, event)) continue;
        if (page.events.size() == request.events_max) {
          page.more = true;
          return {};
        }
        page.scanned_to = event.id;
        keep_wanted(request, event);
        page.events.push_back(std::move(event));
      }
      looked_at += entries->entries;
      if (entries->entries < count) break;
      page.scanned_to = entries->last;
      if (ascending) low = EventId::from_packed(entries->last.packed() + 1);
      if (!ascending) high = just_before(entries->last);
      if (looked_at >= kEntriesPerReadMax) {
        page.more = true;
        return {};
      }
    }
    page.scanned_to = ascending ? end : request.after;
    return {};
  };
  if (Status s = with_reading(scan); !s) return s.error();

  IdRange scanned{.after = just_before(oldest_scanned), .to = end};
  if (page.more && ascending) scanned.to = page.scanned_to;
  if (page.more && !ascending) scanned.after = just_before(page.scanned_to);
  page.missing = holes_.with([](const std::vector<Missing>& holes) { return holes; });
  std::erase_if(page.missing, [&](const Missing& part) { return !overlap(part.ids, scanned); });
  cut_to({.after = request.after, .to = end}, page.missing);
  page.missing = joined(std::move(page.missing));
  return page;
}

Result<std::vector<Missing>> RedisStreamLog::read_samples(const SamplesRequest& request, SampleSink& sink) {
  const model::Topic& topic = request.topic;
  ReadRequest events{.after = request.ids.after,
                     .until = request.ids.to,
                     .patterns = {{topic.account, {topic.site}, {topic.device}}},
                     .types = model::EventTypes::none().with(model::EventType::telemetry),
                     .events_max = kEntriesPerPage};
  std::vector<Missing> missing;
  std::vector<Missing> damaged;
  while (sink.wants_more()) {
    const Result<ReadPage> page = read(events);
    if (!page) return page.error();
    std::map<std::string, std::vector<model::Sample>> fields;
    for (const model::Event& event : page->events) {
      if (event.topic != topic || !in_span(request, event.ts_ms)) continue;
      const Status taken = take_fields(request, event.data, [&](const std::string& name, double value) {
        fields[name].push_back({.t_ms = event.ts_ms, .value = value});
      });
      if (!taken) damaged.push_back({.ids = {.after = just_before(event.id), .to = event.id}});
    }
    for (const auto& [name, samples] : fields) sink.add(name, samples);
    missing.insert(missing.end(), page->missing.begin(), page->missing.end());
    if (!page->more) break;
    events.after = page->scanned_to;
  }
  // Of what is missing it is known only when it was received.
  cut_to(received_within(request.start_ms, request.end_ms), missing);
  missing.insert(missing.end(), damaged.begin(), damaged.end());
  return joined(std::move(missing));
}

}  // namespace

std::unique_ptr<RedisEventLog> make_redis_event_log(RedisEventLogOptions options, const Clock& clock,
                                                    metrics::Registry& metrics) {
  return std::make_unique<RedisStreamLog>(std::move(options), clock, metrics);
}

}  // namespace millstream::log
