#include "influx/history_writer.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log_line.h"
#include "codec/event_json.h"
#include "influx/line_writer.h"

namespace millstream::influx {
namespace {

constexpr int64_t kIdleMs = 1'000;
constexpr int64_t kFinishMs = 2'000;
constexpr int64_t kTakeAgainMs = 1'000;
constexpr int64_t kLeapMsMax = 600'000;  // between the clocks since the start

using Health = WriterState::Health;

}  // namespace

HistoryWriter::HistoryWriter(WriterOptions options, InfluxClient& client, HistorySource& source, const Clock& clock,
                             metrics::Registry& metrics, std::function<bool()> may_write)
    : options_(std::move(options)),
      client_(client),
      source_(source),
      clock_(clock),
      may_write_(std::move(may_write)),
      written_(metrics.counter("millstream_influx_lines_written_total", "Telemetry events InfluxDB has taken")),
      retries_(metrics.counter("millstream_influx_retries_total", "Writes to InfluxDB that have to be made again")),
      dropped_(metrics.counter("millstream_influx_lines_dropped_total",
                               "Telemetry events given up: the spool was full or they were too old for it")),
      poisoned_(metrics.counter("millstream_influx_lines_poisoned_total",
                                "Telemetry events InfluxDB refuses for good; they are in the dead letters")),
      expired_(metrics.counter("millstream_influx_lines_expired_total",
                               "Telemetry events older than InfluxDB keeps, which it did not store")),
      unnamed_(metrics.counter("millstream_influx_fields_unnamed_total",
                               "Fields left out, as their names cannot be written in line protocol")),
      write_seconds_(metrics.histogram("millstream_influx_write_seconds", "Time until InfluxDB answers a batch")),
      spool_(options_.spool, [this](const Spool::Dropped& dropped) { lost(dropped); }),
      dead_letters_(options_.dead_letters_path, options_.dead_letters_bytes_max),
      backoff_(options_.retry_min_ms, options_.retry_max_ms, static_cast<uint64_t>(clock.wall_ms())) {
  metrics.gauge_from("millstream_influx_spool_bytes", "On disk, waiting for InfluxDB",
                     [this] { return spool_.bytes(); });
  metrics.gauge_from("millstream_influx_spool_batches", "On disk, waiting for InfluxDB",
                     [this] { return spool_.batches(); });
  metrics.gauge_from("millstream_influx_last_error_age_seconds", "Since InfluxDB last failed us; -1: never", [this] {
    const int64_t age_ms = state().error_age_ms;
    return age_ms < 0 ? -1 : age_ms / 1000;
  });
}

HistoryWriter::~HistoryWriter() { stop(); }

Status HistoryWriter::start() {
  if (Status s = open(); !s) return s;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ms-influx");
    run();
  });
  return {};
}

void HistoryWriter::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mu_);
    mailbox_.stopping = new_mail_ = true;
    stop_by_ms_ = now_ms() + kFinishMs;
  }
  wake_.notify_one();
  thread_.join();
}

Status HistoryWriter::open() {
  opened_wall_ms_ = clock_.wall_ms();
  opened_ms_ = now_ms();
  return spool_.open();
}

// A wall clock that leaps ahead must not make the spool old.
int64_t HistoryWriter::spool_now_ms() const {
  return std::min(clock_.wall_ms(), opened_wall_ms_ + (now_ms() - opened_ms_) + kLeapMsMax);
}

void HistoryWriter::on_commit(std::shared_ptr<const std::vector<model::Event>> events, model::EventId through) {
  {
    std::lock_guard lock(mu_);
    mailbox_.through = through;
    mailbox_.inbox_events += events->size();
    mailbox_.inbox.push_back({std::move(events), through});
    if (mailbox_.inbox_events > options_.inbox_events_max) drop_inbox();
    new_mail_ = true;
  }
  wake_.notify_one();
}

// Under the lock.
void HistoryWriter::drop_inbox() {
  mailbox_.dropped = mailbox_.dropped || !mailbox_.inbox.empty();
  mailbox_.inbox.clear();
  mailbox_.inbox_events = 0;
}

WriterState HistoryWriter::state() const {
  const int64_t failed_at_ms = failed_at_ms_;
  return {.health = static_cast<Health>(health_.load()),
          .spooled_bytes = spool_.bytes(),
          .spooled_batches = spool_.batches(),
          .written = written_.value(),
          .retries = retries_.value(),
          .dropped = dropped_.value(),
          .poisoned = poisoned_.value(),
          .expired = expired_.value(),
          .error_age_ms = failed_at_ms < 0 ? -1 : now_ms() - failed_at_ms,
          .position = model::EventId::from_packed(position_),
          .missing = missing_.with([](const auto& all) { return std::vector(all.begin(), all.end()); })};
}

void HistoryWriter::run() {
  while (true) {
    const int64_t wait_ms = turn();
    std::unique_lock lock(mu_);
    if (mailbox_.stopping) break;
    wake_.wait_for(lock, std::chrono::milliseconds(wait_ms), [this] { return new_mail_; });
    new_mail_ = false;
  }
  finish();
}

void HistoryWriter::finish() {
  while (allowed_ && !read_until_ && now_ms() < stop_by_ms_ && take_mail()) {
  }
  if (allowed_ && !batch_.empty()) (void)hand_over();
  saved_at_ms_ = 0;
  save_position();
}

bool HistoryWriter::keep_going() {
  const int64_t stop_by_ms = stop_by_ms_;
  return stop_by_ms == 0 || now_ms() < stop_by_ms;
}

int64_t HistoryWriter::turn() {
  bool worked = false;
  spool_.drop_expired(spool_now_ms());
  if (!spool_.empty() && !backing_off()) worked = drain();
  if (ask_permission() && now_ms() >= take_again_ms_) {
    worked |= take();
    if (is_due()) worked |= hand_over();
  }
  save_position();
  return worked ? 0 : idle_ms();
}

int64_t HistoryWriter::idle_ms() const {
  int64_t wait_ms = kIdleMs;
  const auto not_after = [&](int64_t at_ms) { wait_ms = std::clamp<int64_t>(at_ms - now_ms(), 1, wait_ms); };
  if (!spool_.empty()) not_after(retry_at_ms_);
  if (!batch_.empty()) not_after(std::max(batch_since_ms_ + options_.linger_ms, take_again_ms_));
  return wait_ms;
}

// ---- from the log into the batch ----

bool HistoryWriter::ask_permission() {
  const bool may = may_write_();
  if (may && !allowed_) return begin_taking();
  if (!may) {
    // Whoever may goes on from what was handed over.
    allowed_ = false;
    batch_ = {};
    std::lock_guard lock(mu_);
    drop_inbox();
  }
  return may;
}

bool HistoryWriter::begin_taking() {
  if (now_ms() < take_again_ms_) return false;
  const Result<std::optional<model::EventId>> loaded = source_.load();
  if (!loaded) {
    complain("where writing to InfluxDB has to go on cannot be read", loaded.error().detail);
    take_again_ms_ = now_ms() + kTakeAgainMs;
    return false;
  }
  allowed_ = true;
  taken_to_ = std::max({model::EventId::from_packed(position_), loaded->value_or(model::EventId()), spool_.last_id()});
  position_ = taken_to_.packed();
  std::lock_guard lock(mu_);
  drop_inbox();
  mailbox_.dropped = false;
  read_until_ = std::max(source_.last_id(), mailbox_.through);
  return true;
}

bool HistoryWriter::take() {
  if (is_full()) return false;
  {
    std::lock_guard lock(mu_);
    if (std::exchange(mailbox_.dropped, false)) read_until_ = mailbox_.through;
  }
  return read_until_ ? take_page() : take_mail();
}

bool HistoryWriter::take_page() {
  if (spool_.bytes() > options_.spool.bytes_max / 2) return false;
  if (taken_to_ >= *read_until_) {
    read_until_.reset();
    return true;
  }
  const Result<HistoryPage> page = source_.read(taken_to_, *read_until_, options_.events_per_page);
  if (!page) {
    complain("the log cannot be read for InfluxDB", page.error().detail);
    take_again_ms_ = now_ms() + kTakeAgainMs;
    return false;
  }
  if (page->lost_after < page->lost_to) lost({0, page->lost_after, page->lost_to, "log"});
  for (const model::Event& event : page->events) {
    if (!take_event(event)) return false;
  }
  taken_to_ = std::max(taken_to_, page->more ? page->to : *read_until_);
  if (!page->more) read_until_.reset();
  return true;
}

bool HistoryWriter::take_mail() {
  Mail mail;
  {
    std::lock_guard lock(mu_);
    if (mailbox_.inbox.empty()) return false;
    mail = std::move(mailbox_.inbox.front());
    mailbox_.inbox.pop_front();
    mailbox_.inbox_events -= mail.events->size();
  }
  for (const model::Event& event : *mail.events) {
    if (event.type != model::EventType::telemetry || event.id <= taken_to_) continue;
    if (take_event(event)) continue;
    // What is left of it is read from the log when there is room again.
    read_until_ = mail.through;
    return false;
  }
  taken_to_ = std::max(taken_to_, mail.through);
  return true;
}

bool HistoryWriter::take_event(const model::Event& event) {
  if (is_full() && !hand_over()) return false;
  add(event);
  taken_to_ = event.id;
  return true;
}

void HistoryWriter::add(const model::Event& event) {
  if (event.fields.empty()) {
    Result<model::Fields> fields = codec::decode_telemetry_fields(event.data);
    if (!fields) {
      return log_warning("telemetry in the log cannot be read",
                         {{"id", event.id.text()}, {"reason", fields.error().detail}});
    }
    if (fields->empty()) return;
    model::Event decoded = event;
    decoded.fields = std::move(*fields);
    return add(decoded);
  }
  const size_t before = batch_.lines.size();
  unnamed_.add(append_line(event, batch_.lines));
  if (batch_.lines.size() == before) return;
  if (batch_.empty()) {
    batch_since_ms_ = now_ms();
    batch_.after = model::EventId::from_packed(position_);
  }
  batch_.sizes.push_back(static_cast<uint32_t>(batch_.lines.size() - before));
}

bool HistoryWriter::is_full() const {
  return batch_.sizes.size() >= options_.lines_max || batch_.lines.size() >= options_.bytes_max;
}

bool HistoryWriter::is_due() const {
  if (batch_.empty()) return taken_to_.packed() > position_;
  return is_full() || now_ms() - batch_since_ms_ >= options_.linger_ms;
}

// ---- to InfluxDB ----

bool HistoryWriter::hand_over() {
  batch_.to = taken_to_;
  const bool is_sent = batch_.empty() || (spool_.empty() && !backing_off() && send(batch_));
  if (!is_sent) {
    if (const Status kept = spool_.append(batch_, spool_now_ms()); !kept) {
      complain("neither InfluxDB nor the spool takes telemetry; it waits in the log", kept.error().detail);
      take_again_ms_ = now_ms() + kTakeAgainMs;
      return false;
    }
  }
  position_ = taken_to_.packed();
  batch_ = {};
  return true;
}

bool HistoryWriter::drain() {
  const Result<std::optional<Batch>> oldest = spool_.front(options_.drain_bytes_max);
  if (!oldest) {
    complain("the spool cannot be read", oldest.error().detail);
    retry_at_ms_ = now_ms() + kTakeAgainMs;
    return false;
  }
  if (!*oldest || !send(**oldest)) return false;
  spool_.pop();
  return true;
}

bool HistoryWriter::prepare() {
  if (prepared_) return true;
  const Status made = client_.prepare([this] { return keep_going(); });
  if (!made && made.error().code == Code::unavailable) {
    failed({.kind = WriteOutcome::Kind::retry, .reason = made.error().detail});
    return false;
  }
  // It may be there all the same, made by an operator: writing will tell.
  if (!made) complain("the database in InfluxDB could not be made or set up", made.error().detail);
  prepared_ = true;
  return true;
}

bool HistoryWriter::send(const Batch& batch) {
  if (!prepare()) return false;
  const int64_t started_us = clock_.steady_us();
  const BatchOutcome outcome = write_batch(
      batch, [this](std::string_view lines) { return client_.write(lines, [this] { return keep_going(); }); });
  write_seconds_.observe_us(clock_.steady_us() - started_us);
  if (outcome.last.kind != WriteOutcome::Kind::done) {
    failed(outcome.last);
    return false;
  }
  settle(outcome, batch.sizes.size());
  return true;
}

void HistoryWriter::settle(const BatchOutcome& outcome, size_t lines) {
  written_.add(lines - std::min<uint64_t>(lines, outcome.bad.size() + outcome.expired));
  expired_.add(outcome.expired);
  poisoned_.add(outcome.bad.size());
  for (const BadLine& bad : outcome.bad) dead_letters_.add(bad.line, bad.reason, clock_.wall_ms());
  if (!outcome.bad.empty()) {
    log_warning(
        "InfluxDB refuses telemetry for good; it was set aside",
        {{"lines", outcome.bad.size()}, {"file", options_.dead_letters_path}, {"reason", outcome.bad.front().reason}});
  }
  backoff_.succeeded();
  retry_at_ms_ = 0;
  if (static_cast<Health>(health_.exchange(0)) == Health::ok) return;
  complaint_.clear();
  log_info("InfluxDB takes telemetry again", {{"spooled_bytes", spool_.bytes()}});
}

void HistoryWriter::failed(const WriteOutcome& outcome) {
  const bool is_refused = outcome.kind == WriteOutcome::Kind::refused;
  retries_.add();
  failed_at_ms_ = now_ms();
  health_ = static_cast<int>(is_refused ? Health::refused : Health::retrying);
  if (is_refused) prepared_ = false;
  const int64_t least_ms = is_refused && !outcome.is_missing ? options_.refused_retry_min_ms : 0;
  retry_at_ms_ = now_ms() + std::max({backoff_.next_ms(), outcome.retry_after_ms.value_or(0), least_ms});
  complain(is_refused
               ? "InfluxDB does not let us write; nothing is lost while the spool has room, and it is tried again"
               : "InfluxDB cannot take telemetry now; it is spooled",
           outcome.reason);
}

// Once for each reason: an outage of a day is not worth thousands of lines.
void HistoryWriter::complain(std::string_view what, const std::string& reason) {
  if (complaint_ == reason) return;
  complaint_ = reason;
  log_warning(what, {{"reason", reason}});
}

void HistoryWriter::save_position() {
  const model::EventId position = model::EventId::from_packed(position_);
  const bool is_due = saved_at_ms_ == 0 || now_ms() - saved_at_ms_ >= options_.save_interval_ms;
  if (!allowed_ || position == saved_ || !is_due) return;
  source_.save(position);
  saved_ = position;
  saved_at_ms_ = now_ms();
}

void HistoryWriter::lost(const Spool::Dropped& dropped) {
  dropped_.add(dropped.lines);
  log_error(
      dropped.lines > 0 ? "telemetry was given up before InfluxDB could take it"
                        : "telemetry may be missing in InfluxDB: it could not be read any more",
      {{"lines", dropped.lines}, {"after", dropped.after.text()}, {"to", dropped.to.text()}, {"why", dropped.why}});
  missing_.with([&](auto& all) {
    all.push_back(dropped);
    if (all.size() > kMissingToldMax) all.pop_front();
  });
}

}  // namespace millstream::influx
