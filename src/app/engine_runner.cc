// Why no conclusion is lost or doubled, wherever the process dies.
//
// The engines' state after an event is a function of a checkpoint and the log behind it: time is told only by ids, and
// telling it more often changes nothing. So every conclusion has a number that re-stepping finds again, and one that
// is in the log stands behind all that caused it (its id is above theirs, its id's time not before its deadline).
//
// - A checkpoint holds the state at an id, the count of conclusions so far, and the conclusions drawn by then that were
//   not yet known to be in the log. Dying later, the next process takes it up, steps again all that is behind its id,
//   strikes out every conclusion it meets in the log, and appends what is left. Conclusions go into the log one batch
//   at a time and in order, so that nothing is left out before one that is there.
// - The one input that is not in the log is how long nobody listened (resume(), which is also when a changed
//   configuration comes into force). So nothing is appended and nothing stepped after a resume() before a checkpoint
//   taken behind it has been read back. Dying earlier, the next process finds the log as this one found it; dying
//   later, it starts behind the resume() and never needs to know of it. What re-stepping had left over waits inside
//   that checkpoint, and is appended only then.
// - Without a checkpoint, a log without a conclusion is that of a first start cut short (none is appended before there
//   is a checkpoint): re-stepping it from its beginning draws what is due. If there are conclusions the checkpoint was
//   lost or damaged, and with it the resumes and what the log held before its oldest event, so that numbers cannot be
//   found again: then the log's own conclusions stand, re-stepping gives the state alone, and numbers go on above the
//   highest one met.
//
// Where several instances share the log, the lease decides whose conclusions go into it. Whoever takes it forgets what
// it has concluded as a follower, takes up the newest stored checkpoint and steps again what is behind it: as a process
// that starts. The time in which nobody held the lease is the one in which nobody listened, and it is known to the
// log's keeper. A holder that has lost the lease and does not know it is refused by its number, and a conclusion that
// is in the log already is not stored again: RedisEventLog says how.
#include "app/engine_runner.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log_line.h"
#include "codec/event_json.h"
#include "model/state_text.h"

namespace millstream::app {
namespace {

constexpr const char* kCheckpointName = "engines";
constexpr int64_t kStateVersion = 2;
constexpr int64_t kStateVersionWithoutFence = 1;
constexpr int64_t kIdleMs = 1'000;
constexpr int64_t kFinishMs = 2'000;  // how long stop() waits for the log's answer
constexpr int64_t kResaveUs = 3'000'000;

Error unreadable() { return Error{Code::corrupt, "the checkpoint of the engines cannot be read"}; }

model::EventId just_before(model::EventId id) { return model::EventId::from_packed(id.packed() - 1); }

void write_event(const model::Event& event, model::StateWriter& writer) {
  writer.number(event.ts_ms).text(event.topic.text()).number(static_cast<int>(event.type));
  writer.text(event.data).number(event.conclusion);
}

Result<model::Event> read_event(model::StateReader& reader) {
  model::Event event;
  event.ts_ms = reader.number();
  Result<model::Topic> topic = model::Topic::parse(reader.text());
  const int64_t type = reader.number();
  event.data = reader.text();
  event.conclusion = static_cast<uint64_t>(reader.number());
  if (!reader.ok() || !topic || type < 0 || type >= model::kEventTypes) return unreadable();
  event.topic = std::move(*topic);
  event.type = static_cast<model::EventType>(type);
  return event;
}

// Of the term in which a state was stored.
uint64_t fence_of(std::string_view state) {
  model::StateReader reader(state);
  if (reader.number() != kStateVersion) return 0;
  return static_cast<uint64_t>(reader.number());
}

bool lacks_fields(const model::Event& event) {
  return event.type == model::EventType::telemetry && event.fields.empty();
}

void decode_fields(model::Event& event) {
  Result<model::Fields> fields = codec::decode_telemetry_fields(event.data);
  if (fields) {
    event.fields = std::move(*fields);
  } else {
    log_warning("telemetry in the log cannot be read", {{"id", event.id.text()}, {"reason", fields.error().detail}});
  }
}

bool same_content(const model::Event& a, const model::Event& b) {
  return a.ts_ms == b.ts_ms && a.type == b.type && a.topic == b.topic && a.data == b.data;
}

}  // namespace

EngineRunner::EngineRunner(log::EventLog& log, std::vector<model::Engine*> engines, const Clock& clock,
                           metrics::Registry& metrics, EngineRunnerOptions options)
    : log_(log),
      engines_(std::move(engines)),
      clock_(clock),
      options_(options),
      events_total_(metrics.counter("millstream_engine_events_total", "Events the engines have stepped")),
      conclusions_total_(metrics.counter("millstream_engine_conclusions_total", "Conclusions the engines have drawn")),
      overflows_total_(
          metrics.counter("millstream_engine_inbox_overflows_total", "Times the engines fell behind their inbox")),
      differences_total_(metrics.counter("millstream_engine_replay_differences_total",
                                         "Conclusions that came out otherwise when the log was stepped again")),
      retries_total_(metrics.counter("millstream_engine_retries_total", "Times the log refused the engines")),
      inbox_gauge_(metrics.gauge("millstream_engine_inbox_events", "Committed events waiting for the engines")),
      step_seconds_(metrics.histogram("millstream_engine_step_seconds", "Time to step one committed batch")) {}

EngineRunner::~EngineRunner() { stop(); }

Status EngineRunner::start() {
  if (Status s = restore(); !s) return s;
  thread_ = std::thread([this] { run(); });
  return {};
}

void EngineRunner::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mu_);
    mailbox_.stopping = new_mail_ = true;
  }
  mail_.notify_one();
  thread_.join();
}

void EngineRunner::run() {
  pthread_setname_np(pthread_self(), "engine");
  const auto stopping = [this] {
    std::lock_guard lock(mu_);
    return mailbox_.stopping;
  };
  while (!stopping()) {
    if (turn()) continue;
    const int64_t until_retry_ms = (retry_at_us_ - clock_.steady_us()) / 1000 + 1;
    wait_for_mail(until_retry_ms > 0 ? std::min(until_retry_ms, kIdleMs) : kIdleMs);
  }
  finish();
}

void EngineRunner::finish() {
  if (phase_ != Phase::live) return;  // what is stored still says where to begin, or another one stores it
  model::EventId end;
  {
    std::lock_guard lock(mu_);
    end = mailbox_.through;
  }
  int64_t give_up_us = clock_.steady_us() + kFinishMs * 1000;
  while (!refused_ && (position_ < end || !unsent_.empty())) {
    bool worked = take_answer();
    worked |= send();
    if (position_ < end && unsent_.size() <= options_.unsent_max) worked |= take_live();
    if (worked) {
      give_up_us = clock_.steady_us() + kFinishMs * 1000;
    } else if (!wait_for_mail(kFinishMs) || clock_.steady_us() > give_up_us) {
      break;  // what is left is stepped, and sent from the checkpoint, by the next process
    }
  }
  save_checkpoint();
}

bool EngineRunner::wait_for_mail(int64_t ms) {
  std::unique_lock lock(mu_);
  const bool came = mail_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return new_mail_; });
  new_mail_ = false;
  return came;
}

void EngineRunner::on_commit(const log::CommittedBatchPtr& batch) {
  {
    std::lock_guard lock(mu_);
    Mailbox& m = mailbox_;
    if (!m.first_ms) {
      const bool is_tick = batch->events.empty();
      m.first_ms = is_tick ? batch->through.ms : batch->events.front().id.ms;
      m.history_end = is_tick ? batch->through : just_before(batch->events.front().id);
    }
    m.through = std::max(m.through, batch->through);
    if (m.inbox_events + batch->events.size() > options_.inbox_events_max) {
      overflows_total_.add();
      m.inbox.clear();
      m.inbox_events = 0;
      m.dropped = batch->through;
    } else if (batch->events.empty() && !m.inbox.empty() && m.inbox.back()->events.empty()) {
      m.inbox.back() = batch;
    } else {
      m.inbox.push_back(batch);
      m.inbox_events += batch->events.size();
    }
    inbox_gauge_.set(static_cast<int64_t>(m.inbox_events));
    new_mail_ = true;
  }
  mail_.notify_one();
}

// ---- start-up ----

Status EngineRunner::restore() {
  if (Status s = load_engines(); !s) return s;
  model::EventId end = log_.last_id();
  {
    std::lock_guard lock(mu_);
    if (mailbox_.first_ms) end = std::min(end, mailbox_.history_end);
  }
  position_ = std::min(position_, end);
  if (Status s = replay(end); !s) return s;
  stepped_to_ = position_.packed();
  phase_ = Phase::restored;
  return {};
}

Result<std::optional<log::Checkpoint>> EngineRunner::newest_checkpoint() const {
  Result<std::optional<log::Checkpoint>> stored = log_.load_checkpoint(kCheckpointName);
  if (!options_.shared || !options_.shared->load_copy) return stored;
  if (!stored && stored.error().code == Code::unavailable) return stored;
  Result<std::optional<log::Checkpoint>> copy = options_.shared->load_copy();
  if (!stored || !*stored) return copy;
  // One of an older term may reach further, and yet not hold what a newer one knows.
  const auto rank = [](const log::Checkpoint& c) { return std::pair(fence_of(c.state), c.at); };
  return copy && *copy && rank(**copy) > rank(**stored) ? copy : stored;
}

Status EngineRunner::load_engines() {
  Result<std::optional<log::Checkpoint>> stored = newest_checkpoint();
  if (!stored && stored.error().code == Code::unavailable) return stored.error();
  if (blank_.empty()) {
    for (const model::Engine* engine : engines_) blank_.push_back(engine->save());
  }
  blank_start_ = !stored || !*stored;
  if (stored && blank_start_) {
    if (state_fence_ == 0) {
      forget();
      return {};
    }
    log_warning("no checkpoint of the engines is left: they go on from what this instance has followed");
    blank_start_ = false;
    return {};
  }
  forget();
  const Status adopted = stored ? adopt(**stored) : Status(stored.error());
  if (adopted) return {};
  log_error("the engines' checkpoint is of no use: state is made again from the log",
            {{"reason", adopted.error().detail}});
  blank_start_ = state_only_ = true;
  forget();
  return {};
}

// As if no event had been stepped.
void EngineRunner::forget() {
  unsent_.clear();
  if (position_.is_zero()) return;  // none has been
  for (size_t i = 0; i < blank_.size(); ++i) {
    if (const Status loaded = engines_[i]->load(blank_[i]); !loaded) {
      log_error("an engine does not read its own state", {{"reason", loaded.error().detail}});
    }
  }
  position_ = {};
  now_ms_ = 0;
  count_ = seen_ = 0;
  state_fence_ = 0;
}

Status EngineRunner::adopt(const log::Checkpoint& checkpoint) {
  position_ = checkpoint.at;
  return read_state(checkpoint.state);
}

Status EngineRunner::read_state(std::string_view state) {
  model::StateReader reader(state);
  const int64_t version = reader.number();
  if (version != kStateVersion && version != kStateVersionWithoutFence) return unreadable();
  state_fence_ = version == kStateVersion ? static_cast<uint64_t>(reader.number()) : 0;
  now_ms_ = reader.number();
  count_ = static_cast<uint64_t>(reader.number());
  const int64_t unsent = reader.number();
  for (int64_t i = 0; i < unsent; ++i) {
    Result<model::Event> event = read_event(reader);
    if (!event) return event.error();
    unsent_.push_back(std::move(*event));
  }
  if (count_ < unsent_.size()) return unreadable();
  seen_ = count_ - unsent_.size();
  const int64_t parts = reader.number();
  if (!reader.ok() || parts != static_cast<int64_t>(engines_.size())) return unreadable();
  for (model::Engine* engine : engines_) {
    if (reader.text() != engine->name()) return unreadable();
    if (Status s = engine->load(reader.text()); !s) return s;
  }
  return reader.at_end() ? Status() : unreadable();
}

std::string EngineRunner::state_text() const {
  std::string state;
  // Growing it from nothing would cost as much as writing it.
  state.reserve(state_bytes_ + state_bytes_ / 8);
  model::StateWriter writer(state);
  writer.number(kStateVersion).number(state_fence_).number(now_ms_).number(count_).number(unsent_.size());
  for (const model::Event& event : unsent_) write_event(event, writer);
  writer.number(engines_.size());
  for (const model::Engine* engine : engines_) {
    writer.text(engine->name()).text_by([engine](model::StateWriter& out) { engine->save_to(out); });
  }
  writer.flush();
  return state;
}

Status EngineRunner::replay(model::EventId end) {
  const model::EventId from = position_;
  const uint64_t before = events_total_.value();
  while (position_ < end) {
    if (Result<bool> more = step_page(end); !more) return more.error();
  }
  if (state_only_) unsent_.clear();
  state_only_ = false;
  count_ = std::max(count_, seen_);
  log_info("the engines have caught up with the log", {{"from", from.text()},
                                                       {"to", end.text()},
                                                       {"events", events_total_.value() - before},
                                                       {"missing_conclusions", unsent_.size()}});
  return {};
}

bool EngineRunner::begin_live() {
  int64_t now_ms = now_ms_;
  {
    std::lock_guard lock(mu_);
    if (!mailbox_.first_ms) return false;
    now_ms = std::max(now_ms, *mailbox_.first_ms);
  }
  resume_engines(now_ms_, now_ms);
  return true;
}

// Then what they know is stored, and nothing happens until it is.
void EngineRunner::resume_engines(int64_t from_ms, int64_t now_ms) {
  for (model::Engine* engine : engines_) engine->resume(from_ms, now_ms);
  advance_engines(now_ms);
  save_checkpoint();
  resave_at_us_ = clock_.steady_us() + kResaveUs;
  phase_ = Phase::confirming;
}

bool EngineRunner::confirm_checkpoint() {
  if (backing_off()) return false;
  const Result<std::optional<log::Checkpoint>> stored = log_.load_checkpoint(kCheckpointName);
  if (stored && *stored && (*stored)->at == checkpoint_.at && (*stored)->state == checkpoint_.state) {
    checkpoint_.state = {};
    retry_ms_ = retry_at_us_ = 0;
    phase_ = Phase::live;
    live_ = draws_ = true;
    return true;
  }
  wait_longer();
  if (clock_.steady_us() >= resave_at_us_) {
    log_warning("the engines wait until their checkpoint is stored");
    retries_total_.add();
    log_.save_checkpoint(kCheckpointName, checkpoint_);
    resave_at_us_ = clock_.steady_us() + kResaveUs;
  }
  return false;
}

void EngineRunner::save_checkpoint() {
  log::Checkpoint checkpoint{position_, state_text()};
  state_bytes_ = checkpoint.state.size();
  if (phase_ != Phase::live) checkpoint_ = checkpoint;
  if (options_.shared && options_.shared->save_copy) options_.shared->save_copy(state_fence_, checkpoint);
  log_.save_checkpoint(kCheckpointName, std::move(checkpoint));
  const int64_t by_size_ms =
      static_cast<int64_t>(state_bytes_) * 1000 / std::max<int64_t>(1, options_.checkpoint_bytes_per_second);
  checkpoint_due_ms_ = now_ms_ + std::max(options_.checkpoint_interval_ms, by_size_ms);
}

// ---- among several instances ----

// Whether it had to do something.
bool EngineRunner::heed_lease() {
  const log::Term term = options_.shared->lease->term();
  if (held_fence_ != 0 && !(term.mine && term.fence == held_fence_)) {
    log_info("conclusions are left to the holder of the lease", {{"holder", term.holder}});
    held_fence_ = 0;
    options_.shared->hold({});
    begin_following();
    return true;
  }
  if (term.fence == 0 || in_flight_ != 0 || backing_off()) return false;
  if (term.mine && held_fence_ == 0) {
    take_over(term);
    return true;
  }
  if (!term.mine && phase_ == Phase::following && term.fence != state_fence_) return take_up(term);
  return false;
}

void EngineRunner::begin_following() {
  unsent_.clear();
  refused_ = false;
  phase_ = Phase::following;
  live_ = true;
  draws_ = false;
}

// Forgets all and steps again what the log has behind the newest checkpoint, up to `end`.
Status EngineRunner::start_again(model::EventId end) {
  {
    std::lock_guard lock(mu_);
    mailbox_.inbox.clear();
    mailbox_.inbox_events = 0;
    mailbox_.dropped.reset();
    // What was committed before this process listened is in no inbox.
    catch_up_to_ = std::max(mailbox_.through, log_.last_id());
  }
  phase_ = Phase::starting;
  state_only_ = false;
  if (Status s = load_engines(); !s) return s;
  position_ = std::min(position_, end);
  return replay(end);
}

void EngineRunner::take_over(const log::Term& term) {
  options_.shared->hold(term.fence);
  options_.shared->reconfigure();
  if (term.attended_until_ms > 0) attended_until_ms_ = term.attended_until_ms;
  const Status started = start_again(log_.last_id());
  if (started) heed_absence(term.since_ms);
  attended_until_ms_.reset();
  if (!started) {
    begin_following();
    return back_off(started.error(), "take over");
  }
  log_info("this instance draws the conclusions",
           {{"fence", term.fence}, {"unattended_ms", term.since_ms - term.attended_until_ms}});
  held_fence_ = state_fence_ = term.fence;
  retry_ms_ = 0;
  resume_engines(now_ms_, now_ms_);
}

// Before something of `next_ms` is stepped: has nobody listened, and nothing been heard, for long? What came while
// nobody held the lease was heard.
void EngineRunner::heed_absence(int64_t next_ms) {
  if (!attended_until_ms_) return;
  const int64_t heard_ms = std::max(now_ms_, *attended_until_ms_);
  if (next_ms - heard_ms <= options_.shared->absence_ms) return;
  advance_engines(heard_ms);
  for (model::Engine* engine : engines_) engine->resume(heard_ms, next_ms);
  advance_engines(next_ms);
}

// What the new holder knows, once it has stored it.
bool EngineRunner::take_up(const log::Term& term) {
  const Result<std::optional<log::Checkpoint>> stored = log_.load_checkpoint(kCheckpointName);
  if (stored && *stored && fence_of((*stored)->state) == term.fence) {
    if (const Status started = start_again(log_.last_id()); started) {
      begin_following();
      retry_ms_ = 0;
      return true;
    }
    begin_following();
  }
  wait_longer();
  return false;
}

// ---- live ----

bool EngineRunner::turn() {
  if (options_.shared && phase_ != Phase::starting && heed_lease()) return true;
  switch (phase_) {
    case Phase::starting: return false;
    case Phase::restored:
      if (!options_.shared) return begin_live();
      begin_following();
      return true;
    case Phase::confirming: return confirm_checkpoint();
    case Phase::following: {
      const bool answered = take_answer();
      return take_live() || answered;
    }
    case Phase::live: break;
  }
  bool worked = take_answer();
  worked |= send();
  if (refused_ || unsent_.size() > options_.unsent_max) return worked;
  worked |= take_live();
  return worked;
}

bool EngineRunner::take_live() {
  log::CommittedBatchPtr batch;
  {
    std::lock_guard lock(mu_);
    Mailbox& m = mailbox_;
    if (m.dropped) {
      catch_up_to_ = std::exchange(m.dropped, std::nullopt);
    } else if (!catch_up_to_ && !m.inbox.empty()) {
      batch = std::move(m.inbox.front());
      m.inbox.pop_front();
      m.inbox_events -= batch->events.size();
      inbox_gauge_.set(static_cast<int64_t>(m.inbox_events));
    }
  }
  if (catch_up_to_) return catch_up();
  if (!batch) return false;
  step_batch(*batch);
  return true;
}

bool EngineRunner::catch_up() {
  if (backing_off()) return false;
  const Result<bool> more = step_page(*catch_up_to_);
  if (!more) {
    back_off(more.error(), "read");
    return false;
  }
  retry_ms_ = 0;
  if (!*more) catch_up_to_.reset();
  return true;
}

Result<bool> EngineRunner::step_page(model::EventId until) {
  if (position_ >= until) return false;
  log::ReadRequest request;
  request.after = position_;
  request.until = until;
  request.events_max = options_.events_per_page;
  Result<log::ReadPage> page = log_.read(request);
  if (!page) return page.error();
  log::CommittedBatch batch;
  batch.events = std::move(page->events);
  batch.through = page->more ? page->scanned_to : until;
  for (model::Event& event : batch.events) {
    if (lacks_fields(event)) decode_fields(event);
  }
  // Start-up tells the engines no time but that of events: how long nothing happened is for resume() to say.
  if (phase_ == Phase::live || phase_ == Phase::following) {
    step_batch(batch);
  } else {
    for (const model::Event& event : batch.events) {
      heed_absence(event.id.ms);
      step_event(event);
    }
    position_ = batch.through;
  }
  return page->more;
}

void EngineRunner::step_batch(const log::CommittedBatch& batch) {
  const int64_t started_us = clock_.steady_us();
  for (const model::Event& event : batch.events) {
    if (event.id > position_) step_event(event);
  }
  if (batch.through > position_) {
    position_ = batch.through;
    advance_engines(batch.through.ms);
  }
  stepped_to_ = position_.packed();
  if (!batch.events.empty()) step_seconds_.observe_us(clock_.steady_us() - started_us);
  if (phase_ == Phase::live && now_ms_ >= checkpoint_due_ms_) save_checkpoint();
}

void EngineRunner::step_event(const model::Event& event) {
  if (lacks_fields(event) && phase_ != Phase::starting) {
    model::Event decoded = event;
    decode_fields(decoded);
    if (!decoded.fields.empty()) return step_event(decoded);
  }
  advance_engines(event.id.ms);
  if (event.conclusion > 0) seen_in_log(event);
  concluded_.clear();
  for (model::Engine* engine : engines_) engine->step(event, now_ms_, concluded_);
  keep_conclusions();
  position_ = event.id;
  events_total_.add();
}

void EngineRunner::advance_engines(int64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  concluded_.clear();
  for (model::Engine* engine : engines_) engine->advance(now_ms_, concluded_);
  // By deadline first: two engines told of time once and told of it often must number alike.
  if (concluded_.size() > 1) {
    std::stable_sort(concluded_.begin(), concluded_.end(),
                     [](const model::Event& a, const model::Event& b) { return a.ts_ms < b.ts_ms; });
  }
  keep_conclusions();
}

void EngineRunner::keep_conclusions() {
  for (model::Event& event : concluded_) {
    event.conclusion = ++count_;
    if (event.conclusion > seen_ && !state_only_) unsent_.push_back(std::move(event));
  }
  // Of a follower it is kept what the holder may not have stored, should it be the last thing it did.
  while (phase_ == Phase::following && unsent_.size() > options_.unsent_max) unsent_.pop_front();
  if (phase_ != Phase::starting && phase_ != Phase::following) conclusions_total_.add(concluded_.size());
}

void EngineRunner::seen_in_log(const model::Event& event) {
  if (phase_ == Phase::following) {
    while (!unsent_.empty() && unsent_.front().conclusion <= event.conclusion) unsent_.pop_front();
    seen_ = event.conclusion;
    count_ = std::max(count_, event.conclusion);
    return;
  }
  if (blank_start_ && phase_ == Phase::starting && !state_only_) {
    log_warning("the engines' checkpoint is missing: state is made again from the log",
                {{"first_conclusion", event.conclusion}});
    state_only_ = true;
    unsent_.clear();
  }
  seen_ = std::max(seen_, event.conclusion);
  bool differs = event.conclusion > count_ && !state_only_;  // re-stepping must have found it by now
  for (; !unsent_.empty() && unsent_.front().conclusion <= event.conclusion; unsent_.pop_front()) {
    differs |= unsent_.front().conclusion == event.conclusion && !same_content(unsent_.front(), event);
  }
  if (!differs) return;
  differences_total_.add();
  log_warning("a conclusion came out otherwise than the log has it", {{"id", event.id.text()}});
}

// ---- conclusions on their way into the log ----

bool EngineRunner::send() {
  if (in_flight_ != 0 || unsent_.empty() || backing_off()) return false;
  const auto count = static_cast<std::ptrdiff_t>(std::min(unsent_.size(), options_.events_per_append));
  std::vector<model::Event> batch(unsent_.begin(), unsent_.begin() + count);
  in_flight_ = batch.back().conclusion;
  const Status taken = log_.append(std::move(batch), [this](const Result<log::AppendReceipt>& receipt) {
    {
      std::lock_guard lock(mu_);
      mailbox_.answer = receipt ? Status() : Status(receipt.error());
      new_mail_ = true;
    }
    mail_.notify_one();
  });
  if (!taken) {
    in_flight_ = 0;
    refused_ = true;
    back_off(taken.error(), "append");
    return false;
  }
  return true;
}

bool EngineRunner::take_answer() {
  std::optional<Status> answer;
  {
    std::lock_guard lock(mu_);
    answer = std::exchange(mailbox_.answer, std::nullopt);
  }
  if (!answer) return false;
  const uint64_t asked = std::exchange(in_flight_, 0);
  refused_ = !answer->ok();
  if (refused_) {
    back_off(answer->error(), "append");
    return true;
  }
  retry_ms_ = 0;
  seen_ = std::max(seen_, asked);
  while (!unsent_.empty() && unsent_.front().conclusion <= asked) unsent_.pop_front();
  return true;
}

void EngineRunner::wait_longer() {
  retry_ms_ = std::clamp(retry_ms_ * 2, options_.retry_min_ms, options_.retry_max_ms);
  retry_at_us_ = clock_.steady_us() + retry_ms_ * 1000;
}

void EngineRunner::back_off(const Error& error, const char* what) {
  if (retry_ms_ == 0) {
    log_warning("the log refuses the engines; trying again", {{"what", what}, {"reason", error.detail}});
  }
  retries_total_.add();
  wait_longer();
}

}  // namespace millstream::app
