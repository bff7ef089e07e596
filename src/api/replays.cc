#include "api/replays.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/replay_pace.h"
#include "base/log_line.h"
#include "codec/sse_frame.h"
#include "hub/blocks.h"
#include "hub/run.h"

namespace millstream::api {

namespace {
constexpr size_t kBytesPerWrite = 256 << 10;
constexpr int64_t kExpiryWarningMs = 60'000;

// 0 is no credential.
bool contains(const std::vector<uint64_t>& numbers, uint64_t number) {
  return number != 0 && std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}
}  // namespace

// One of them. What is called from outside may end it, and so destroy it: that comes last.
class Replay final : public ByteSinkOwner {
 public:
  Replay(Replays& all, uint64_t id, ReplaySpan span, std::unique_ptr<ByteSink> sink, hub::StreamPlaces::Place place)
      : all_(all),
        id_(id),
        span_(std::move(span)),
        place_(std::move(place)),
        sink_(std::move(sink)),
        cursor_(span_.after),
        pace_(span_.speed) {
    sink_->set_owner(this);
    const int64_t now_ms = this->now_ms();
    last_sent_ms_ = progress_ms_ = now_ms;
    if (span_.expires_at_ms) expires_ms_ = std::max<int64_t>(1, now_ms + *span_.expires_at_ms - wall_ms());
    if (span_.resumed) pace_.begin(cursor_.ms, now_ms);
  }
  ~Replay() { all_.loop_.cancel(timer_); }

  uint64_t id() const { return id_; }
  uint64_t credential() const { return span_.credential; }

  void begin() {
    say(hub::replay_hello_block({.retry_ms = all_.jittered_retry_ms(),
                                 .cursor = cursor_,
                                 .node = all_.options_.node,
                                 .since = span_.since,
                                 .until = span_.until,
                                 .speed = span_.speed,
                                 .topics = &span_.patterns,
                                 .resumed = span_.resumed},
                                wall_ms(), span_.view.unnamed));
    go_on();
  }
  void on_writable() override { go_on(); }
  void on_closed() override { all_.remove(id_); }

  hub::ReplayRequest page_request() const {
    return {.after = cursor_, .until = span_.until, .patterns = span_.patterns, .types = span_.types};
  }
  void take_page(Result<hub::ReplayPage> page);
  void service();
  void expire() { notice_and_cut("auth_expired", {}); }
  void drain_at(int64_t at_ms) { drain_ms_ = at_ms; }

 private:
  int64_t now_ms() const { return all_.loop_.clock().steady_ms(); }
  int64_t wall_ms() const { return all_.loop_.clock().wall_ms(); }
  bool has_events() const { return page_ && next_ < page_->events().size(); }
  bool takes(const hub::FramedEvent& event) const;

  void say(std::string text) { run_.add(std::make_shared<const std::string>(std::move(text))); }
  void notice_and_cut(std::string_view kind, std::optional<int> retry_ms);
  void cut();
  void go_on();
  void tell_due();
  bool flush();
  void finish();

  Replays& all_;
  const uint64_t id_;
  const ReplaySpan span_;
  const hub::StreamPlaces::Place place_;
  std::unique_ptr<ByteSink> sink_;

  model::EventId cursor_;  // everything up to here has been told, is in run_, or is not for this viewer
  hub::FramedBatchPtr page_;
  size_t next_ = 0;  // in page_
  model::EventId page_end_;
  ReplayPace pace_;
  bool said_skip_ = false;  // of the pause before the next event
  uint64_t count_ = 0;
  bool told_end_ = false;

  hub::Run run_;       // what the socket has not taken
  size_t slice_ = 0;   // first slice of it not taken whole
  size_t offset_ = 0;  // bytes of that slice already taken
  bool held_ = false;  // the socket did not take all at once

  net::Loop::TimerId timer_ = 0;
  bool reading_ = false;
  int64_t last_sent_ms_ = 0;
  int64_t progress_ms_ = 0;
  int64_t expires_ms_ = 0;  // steady; 0: never
  int64_t drain_ms_ = 0;    // steady; 0: not draining
  bool warned_expiry_ = false;
};

// One step after the other, until something has to be waited for: the socket, the time or a page.
void Replay::go_on() {
  while (flush()) {
    if (told_end_) return finish();
    if (has_events()) {
      tell_due();
      if (run_.empty() && has_events()) return;  // the timer goes on
      continue;
    }
    if (page_) {
      page_.reset();
      cursor_ = page_end_;
    }
    if (cursor_ < span_.until) {
      if (!reading_) {
        reading_ = true;
        all_.want_page(*this);
      }
      return;  // take_page() goes on
    }
    told_end_ = true;
    say(hub::replay_end_block(count_, span_.until, wall_ms(), span_.view.unnamed));
  }
}

void Replay::take_page(Result<hub::ReplayPage> result) {
  reading_ = false;
  if (!result) {
    log_warning("a page could not be read, replay cut", {{"reason", result.error().detail}});
    return cut();
  }
  if (result->trimmed_to) {
    const model::EventId to = std::min(*result->trimmed_to, span_.until);
    const hub::Gap gap{.from = cursor_, .to = to, .reason = hub::GapReason::trimmed, .topics = &span_.patterns};
    say(hub::gap_block(gap, wall_ms(), span_.view.unnamed));
    cursor_ = to;
  }
  page_end_ = std::max(cursor_, result->scanned_to);
  page_ = std::move(result->frames);
  next_ = 0;
  if (!page_) cursor_ = page_end_;
  go_on();
}

// Of fields only those asked for are told, and an event that has none of them is no event of this replay.
bool Replay::takes(const hub::FramedEvent& event) const {
  if (event.id > span_.until || event.severity < span_.min_severity) return false;
  if (span_.view.fields.empty()) return true;
  hub::Run probe;
  span_.view.add(page_, next_, probe);
  return !probe.empty();
}

void Replay::tell_due() {
  const int64_t now_ms = this->now_ms();
  const std::vector<hub::FramedEvent>& events = page_->events();
  for (; next_ < events.size() && run_.bytes() < kBytesPerWrite; ++next_) {
    const hub::FramedEvent& event = events[next_];
    if (!takes(event)) continue;
    if (pace_.is_cut(event.id.ms) && !std::exchange(said_skip_, true)) {
      say(hub::replay_skip_block(cursor_, event.id, wall_ms(), span_.view.unnamed));
    }
    const int64_t due_ms = pace_.due(event.id.ms, now_ms);
    if (due_ms > now_ms) {
      if (timer_ == 0) {
        timer_ = all_.loop_.after(due_ms - now_ms, [this] {
          timer_ = 0;
          go_on();
        });
      }
      return;
    }
    pace_.told(event.id.ms, now_ms);
    said_skip_ = false;
    span_.view.add(page_, next_, run_);
    cursor_ = event.id;
    ++count_;
    all_.events_out_.add();
  }
}

// True when the socket has taken everything.
bool Replay::flush() {
  const std::vector<iovec>& all = run_.slices();
  const int64_t now_ms = this->now_ms();
  while (slice_ < all.size()) {
    std::array<iovec, 64> pieces;
    const size_t count = std::min(pieces.size(), all.size() - slice_);
    std::copy_n(all.begin() + static_cast<ptrdiff_t>(slice_), count, pieces.begin());
    pieces[0].iov_base = static_cast<char*>(pieces[0].iov_base) + offset_;
    pieces[0].iov_len -= offset_;
    size_t offered = 0;
    for (size_t i = 0; i < count; ++i) offered += pieces[i].iov_len;
    const size_t taken = sink_->write({pieces.data(), count});
    if (taken > 0) progress_ms_ = last_sent_ms_ = now_ms;
    size_t left = taken + offset_;
    for (; slice_ < all.size() && left >= all[slice_].iov_len; ++slice_) left -= all[slice_].iov_len;
    offset_ = left;
    if (taken < offered) {
      held_ = true;
      return false;
    }
  }
  run_.clear();
  slice_ = offset_ = 0;
  progress_ms_ = now_ms;
  if (std::exchange(held_, false)) pace_.hold(now_ms);
  return true;
}

void Replay::finish() {
  if (!sink_->flushed()) return;  // on_writable() comes
  sink_->close(true);
  all_.remove(id_);
}

void Replay::cut() {
  sink_->close(false);
  all_.remove(id_);
}

// A viewer that is in the middle of a block is told by the end alone.
void Replay::notice_and_cut(std::string_view kind, std::optional<int> retry_ms) {
  if (run_.empty()) {
    say(hub::notice_block(kind, retry_ms, wall_ms(), span_.view.unnamed));
    flush();
  }
  cut();
}

// What happens because time has passed.
void Replay::service() {
  const int64_t now_ms = this->now_ms();
  const bool waits_for_socket = !run_.empty() || told_end_;
  if (waits_for_socket && now_ms - progress_ms_ >= all_.options_.slow_timeout_ms) return cut();
  if (expires_ms_ != 0 && now_ms >= expires_ms_) return expire();
  if (drain_ms_ != 0 && now_ms >= drain_ms_) return notice_and_cut("draining", all_.jittered_retry_ms());
  if (waits_for_socket) return;
  if (expires_ms_ != 0 && now_ms >= expires_ms_ - kExpiryWarningMs && !std::exchange(warned_expiry_, true)) {
    say(hub::notice_block("auth_expiring", {}, wall_ms(), span_.view.unnamed));
  } else if (now_ms - last_sent_ms_ >= all_.options_.comment_interval_ms) {
    std::string comment;
    codec::append_comment("hb", comment);
    say(std::move(comment));
  }
  if (!run_.empty()) flush();
}

Replays::Replays(const hub::ShardOptions& options, net::Loop& loop, hub::ReplaySource& source,
                 metrics::Registry& metrics)
    : options_(options),
      loop_(loop),
      source_(source),
      events_out_(metrics.counter("millstream_replay_events_sent_total", "Events of the past told again by replays")),
      gauge_(metrics.gauge("millstream_replays", "Replays open now")),
      random_(options.seed + 1) {}

Replays::~Replays() { gauge_.add(-static_cast<int64_t>(replays_.size())); }

void Replays::open(ReplaySpan span, std::unique_ptr<ByteSink> sink, hub::StreamPlaces::Place place) {
  const uint64_t id = next_id_++;
  auto owned = std::make_unique<Replay>(*this, id, std::move(span), std::move(sink), std::move(place));
  Replay& replay = *owned;
  replays_.emplace(id, std::move(owned));
  size_.store(replays_.size(), std::memory_order_relaxed);
  gauge_.add(1);
  replay.begin();
}

void Replays::remove(uint64_t id) {
  replays_.erase(id);
  size_.store(replays_.size(), std::memory_order_relaxed);
  gauge_.add(-1);
}

void Replays::want_page(Replay& replay) {
  if (pages_reading_ < kPagesAtOnce) return read_page(replay);
  page_queue_.push_back(replay.id());
}

void Replays::read_page(Replay& replay) {
  ++pages_reading_;
  source_.read(replay.page_request(),
               [this, id = replay.id()](Result<hub::ReplayPage> page) { on_page(id, std::move(page)); });
}

void Replays::on_page(uint64_t id, Result<hub::ReplayPage> page) {
  --pages_reading_;
  if (const auto found = replays_.find(id); found != replays_.end()) found->second->take_page(std::move(page));
  while (pages_reading_ < kPagesAtOnce && !page_queue_.empty()) {
    const auto next = replays_.find(page_queue_.front());
    page_queue_.pop_front();
    if (next != replays_.end()) read_page(*next->second);
  }
}

void Replays::end_credentials(const std::vector<uint64_t>& credentials) {
  std::vector<Replay*> ended;
  for (auto& [id, replay] : replays_) {
    if (contains(credentials, replay->credential())) ended.push_back(replay.get());
  }
  for (Replay* replay : ended) replay->expire();
}

std::vector<uint64_t> Replays::in_use(const std::vector<uint64_t>& credentials) const {
  std::vector<uint64_t> used;
  for (const auto& [id, replay] : replays_) {
    if (contains(credentials, replay->credential()) && !contains(used, replay->credential())) {
      used.push_back(replay->credential());
    }
  }
  return used;
}

void Replays::drain(int64_t spread_ms) {
  const int64_t now_ms = std::max<int64_t>(1, loop_.clock().steady_ms());
  for (auto& [id, replay] : replays_) {
    replay->drain_at(now_ms + static_cast<int64_t>(random_() % static_cast<uint64_t>(std::max<int64_t>(1, spread_ms))));
  }
}

void Replays::tick() {
  std::vector<Replay*> all;
  all.reserve(replays_.size());
  for (auto& [id, replay] : replays_) all.push_back(replay.get());
  for (Replay* replay : all) replay->service();  // ends itself only
}

int Replays::jittered_retry_ms() {
  const int span = std::max(1, options_.retry_max_ms - options_.retry_min_ms + 1);
  return options_.retry_min_ms + static_cast<int>(random_() % static_cast<uint64_t>(span));
}

}  // namespace millstream::api
