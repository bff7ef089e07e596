#include "hub/shard.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "base/log_line.h"
#include "hub/blocks.h"

namespace millstream::hub {
namespace {

constexpr size_t kWheelSlots = 256;          // 64 s at 250 ms: beyond the longest interval
constexpr size_t kSlicesPerRunMax = 64;      // more are copied together, once per group
constexpr size_t kCatchUpBytes = 256 << 10;  // per write while behind
constexpr size_t kCatchUpEventsScanned = 4096;
constexpr int kCatchUpRounds = 4;        // per session and turn, so that one resume cannot starve others
constexpr int64_t kCatchUpTurnUs = 500;  // in one turn for all who are behind: live events come first
constexpr size_t kPagesAtOnce = 4;       // read for this shard; the others wait their turn here, however many they are
constexpr int64_t kExpiryWarningMs = 60'000;

// 0 is no credential.
bool contains(const std::vector<uint64_t>& numbers, uint64_t number) {
  return number != 0 && std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

// One buffer instead of many slices: the bytes are copied once for the whole group.
Run joined(const Run& run) {
  auto text = std::make_shared<std::string>();
  text->reserve(run.bytes());
  for (const iovec& slice : run.slices()) text->append(static_cast<const char*>(slice.iov_base), slice.iov_len);
  Run out;
  out.add(std::shared_ptr<const std::string>(std::move(text)));
  return out;
}

}  // namespace

std::string group_key(const SessionRequest& request) {
  std::vector<std::string> texts;
  for (const model::TopicPattern& pattern : request.patterns) texts.push_back(pattern.text());
  std::sort(texts.begin(), texts.end());
  std::string key{static_cast<char>('0' + request.types.bits()),
                  static_cast<char>('0' + static_cast<int>(request.min_severity)), request.view.unnamed ? 'u' : 'n'};
  key += request.gzip ? 'z' : 'p';
  key += std::to_string(request.interval_ms);
  // With their lengths: a name may hold any character, and must not pass for a topic.
  for (const std::string& field : request.view.fields) key += '\n' + std::to_string(field.size()) + ' ' + field;
  key += '\n';
  for (const std::string& text : texts) key += ' ' + text;
  return key;
}

Shard::Shard(ShardOptions options, model::EventId start, ReplaySource& source, const Clock& clock,
             metrics::Registry& metrics, std::function<void()> wake)
    : options_(std::move(options)),
      source_(source),
      clock_(clock),
      wake_(std::move(wake)),
      events_out_(metrics.counter("millstream_stream_events_sent_total", "Events handed to viewers' sockets")),
      bytes_out_(metrics.counter("millstream_stream_bytes_sent_total", "Bytes of events handed to viewers' sockets")),
      gaps_(metrics.counter("millstream_stream_gaps_total", "Gaps declared to viewers")),
      fell_behind_(metrics.counter("millstream_stream_fell_behind_total", "Viewers that stopped keeping up")),
      replayed_(metrics.counter("millstream_stream_events_replayed_total", "Events sent to viewers catching up")),
      conflated_(metrics.counter("millstream_stream_events_conflated_total",
                                 "Telemetry events that viewers were told merged into a newer one, once a group")),
      session_gauge_(metrics.gauge("millstream_stream_sessions", "Viewers connected now")),
      publish_to_socket_(metrics.histogram("millstream_stream_publish_to_socket_seconds",
                                           "From the commit of a batch to its last byte handed to the kernel")),
      queue_age_(metrics.histogram("millstream_stream_queue_age_seconds",
                                   "For how long a viewer had something waiting, once its socket took it all")),
      through_(start),
      ring_floor_(start),
      wheel_(kWheelSlots, nullptr),
      wheel_time_(clock.steady_ms() / kTickMs),
      random_(options_.seed),
      stream_id_salt_(random_()) {
  for (const char* reason : {"client", "slow", "expired", "drained", "failed"}) {
    closed_.push_back(&metrics.counter("millstream_stream_sessions_closed_total", "Streams ended, by reason",
                                       "reason=\"" + std::string(reason) + "\""));
  }
}

Shard::~Shard() { session_gauge_.add(-static_cast<int64_t>(sessions_.size())); }

// --- live delivery ---------------------------------------------------------------------------------------------------

void Shard::deliver(FramedBatchPtr batch) {
  MS_ON_OWNER(thread_);
  incoming_.push_back(std::move(batch));
}

void Shard::turn_end() {
  MS_ON_OWNER(thread_);
  const int64_t now_ms = clock_.steady_ms();
  if (!incoming_.empty()) take_incoming(now_ms);
  flush_due(now_ms);
  run_those_behind();
  if (!runnable_.empty()) wake_();
}

void Shard::take_incoming(int64_t now_ms) {
  const model::EventId before = through_;
  build_runs();
  send_runs(now_ms, before);
  keep_in_ring();
  // Positions this shard had not reached when they were named may be reached now.
  std::vector<Session*> waiting;
  waiting.swap(waiting_);
  for (Session* session : waiting) {
    session->waiting_ = false;
    make_runnable(*session);
  }
}

// Who is at the head is told here; who is behind reads on in the log, which says so where they come by.
void Shard::declare_lost(model::EventId after, model::EventId to) {
  MS_ON_OWNER(thread_);
  const int64_t now_ms = clock_.steady_ms();
  take_incoming(now_ms);
  through_ = std::max(through_, to);
  ring_.clear();
  ring_bytes_ = 0;
  ring_floor_ = through_;
  std::vector<Session*> at_head;
  for (auto& [id, session] : sessions_) {
    if (session->place_ == Session::Place::live && !session->group_.news) at_head.push_back(session.get());
  }
  for (Session* session : at_head) {
    push_text(*session, declare_gap({.from = after, .to = to, .reason = GapReason::trimmed}, *session), now_ms);
  }
}

// Each at most once, as far as the time goes; who was not reached comes first in the next turn.
void Shard::run_those_behind() {
  const int64_t end_us = clock_.steady_us() + kCatchUpTurnUs;
  for (size_t left = runnable_.size(); left > 0 && !runnable_.empty(); --left) {
    Session& session = *runnable_.front();
    runnable_.pop_front();
    session.runnable_ = false;
    catch_up(session);
    if (clock_.steady_us() >= end_us) return;
  }
}

void Shard::build_runs() {
  const int64_t now_ms = clock_.steady_ms();
  for (const FramedBatchPtr& batch : incoming_) {
    for (size_t i = 0; i < batch->events().size(); ++i) {
      const FramedEvent& event = batch->events()[i];
      ++event_serial_;
      index_.match(batch->topic(event), [&](Group* group) {
        if (group->live.empty() || group->marked == event_serial_ || !group->takes_kind(event)) return;
        group->marked = event_serial_;
        if (waits(*group, event, now_ms)) {
          if (!group->news) {
            group->news = true;
            group->position = through_;
            with_news_.push_back(group);
          }
          group->urgent |= event.type != model::EventType::telemetry;
          return;
        }
        if (group->run.empty()) dirty_.push_back(group);
        group->view.add(batch, i, group->run);
      });
      through_ = event.id;
    }
    through_ = batch->through();
  }
}

// Whether the event is told at the group's next flush, together with others, and not at once.
bool Shard::waits(Group& group, const FramedEvent& event, int64_t now_ms) const {
  if (group.interval_ms > 0 || group.news) return true;
  if (options_.telemetry_per_second_max == 0 || event.type != model::EventType::telemetry) return false;
  group.refill(options_.telemetry_per_second_max, now_ms);
  if (group.telemetry_left < 1) return true;
  group.telemetry_left -= 1;
  return false;
}

void Shard::send_runs(int64_t now_ms, model::EventId before) {
  for (Group* group : dirty_) {
    send_run(*group, now_ms, before);
    group->run.clear();
    group->kept.reset();
  }
  dirty_.clear();
  const int64_t now_us = clock_.steady_us();
  for (const FramedBatchPtr& batch : incoming_) {
    if (!batch->events().empty()) publish_to_socket_.observe_us(now_us - batch->committed_at_us());
  }
}

void Shard::send_run(Group& group, int64_t now_ms, model::EventId before) {
  const uint64_t events = group.run.events();
  if (group.run.slices().size() > kSlicesPerRunMax) group.run = joined(group.run);
  const GroupGzip::Forms gzip = group.gzip ? compress_run(group, now_ms) : GroupGzip::Forms();
  uint64_t sent = 0;
  uint64_t bytes = 0;
  // From the back: a session that falls behind leaves the list by swapping with one already served.
  for (size_t i = group.live.size(); i-- > 0;) {
    Session& session = *group.live[i];
    const RunPtr& coded = session.in_step_ ? gzip.in_step : gzip.alone;
    const Run& run = coded ? *coded : group.run;
    if (session.is_slow(run.bytes(), now_ms)) {
      collapse(session, before);
      continue;
    }
    session.push(run, now_ms, [&]() -> const RunPtr& {
      if (coded) return coded;
      if (!group.kept) group.kept = std::make_shared<const Run>(group.run);
      return group.kept;
    });
    session.in_step_ |= gzip.renewed;
    bytes += run.bytes();
    ++sent;
  }
  deliveries_ += events * sent;
  events_out_.add(events * sent);
  bytes_out_.add(bytes);
}

GroupGzip::Forms Shard::compress_run(Group& group, int64_t now_ms) {
  size_t in_step = 0;
  for (const Session* session : group.live) in_step += session->in_step_ ? 1 : 0;
  return group.gzip->compress(group.run, in_step, group.live.size() - in_step, now_ms, by_itself());
}

Deflater& Shard::by_itself() {
  if (!by_itself_) by_itself_ = std::make_unique<Deflater>(Deflater::Size::large);
  return *by_itself_;
}

// Something that only this session is sent.
void Shard::push_own(Session& session, RunPtr run, int64_t now_ms) {
  if (session.group_.gzip) {
    by_itself().reset();
    run = by_itself().compress(*run, !session.started_, false);
    session.in_step_ = false;
  }
  session.started_ = true;
  session.push(*run, now_ms, [&] { return run; });
}

void Shard::push_text(Session& session, std::string text, int64_t now_ms) {
  auto run = std::make_shared<Run>();
  run->add(std::make_shared<const std::string>(std::move(text)));
  push_own(session, std::move(run), now_ms);
}

void Shard::keep_in_ring() {
  for (FramedBatchPtr& batch : incoming_) {
    if (batch->events().empty()) continue;  // a tick
    ring_bytes_ += batch->bytes();
    ring_.push_back(std::move(batch));
  }
  incoming_.clear();
  while (ring_bytes_ > options_.replay_ring_bytes_max && !ring_.empty()) {
    ring_bytes_ -= ring_.front()->bytes();
    ring_floor_ = ring_.front()->through();
    ring_.pop_front();
  }
}

void Shard::flush_due(int64_t now_ms) {
  std::vector<Group*> due;
  for (Group* group : with_news_) {
    bool is_due = group->urgent;
    if (group->interval_ms > 0) {
      is_due |= now_ms - group->flushed_at_ms >= group->interval_ms;
    } else {
      group->refill(options_.telemetry_per_second_max, now_ms);
      is_due |= group->telemetry_left >= 1;
    }
    if (is_due) due.push_back(group);
  }
  for (Group* group : due) flush(*group, now_ms);
}

// Tells the live sessions of a group that waits what came since they were told last.
void Shard::flush(Group& group, int64_t now_ms) {
  group.flushed_at_ms = now_ms;
  while (group.news) {
    if (group.position < ring_floor_) {  // an interval longer than the ring: on from the log
      const std::vector<Session*> live = group.live;
      for (Session* session : live) {
        fall_behind(*session, group.position);
        if (!session->has_pending()) make_runnable(*session);
      }
    } else if (!group.live.empty()) {
      const model::EventId before = group.position;
      group.position = gather_from_ring(group, before, true, group.run);
      group.telemetry_left -= static_cast<double>(group.run.events());
      if (!group.run.empty()) send_run(group, now_ms, before);
      group.run.clear();
      group.kept.reset();
    }
    if (group.position < through_ && !group.live.empty()) continue;
    group.news = group.urgent = false;
    std::erase(with_news_, &group);
  }
}

// --- joining and catching up -----------------------------------------------------------------------------------------

void Shard::open(SessionRequest request, std::unique_ptr<ByteSink> sink, StreamPlaces::Place place) {
  MS_ON_OWNER(thread_);
  const int64_t now_ms = clock_.steady_ms();
  Session& session = add_session(request, std::move(sink));
  session.kept_place_ = std::move(place);
  push_own(session, opening(request, session), now_ms);
  if (session.pending_) session.pending_->opening_until_ms = now_ms + kOpeningSlowTimeouts * options_.slow_timeout_ms;
  schedule(session, now_ms);
  if (session.cursor_ == through_) {
    make_live(session);
  } else if (!session.has_pending()) {
    make_runnable(session);
  }
}

Session& Shard::add_session(const SessionRequest& request, std::unique_ptr<ByteSink> sink) {
  if (request.ticket != 0) end_ticket(request.ticket, request.ticket_serial);
  Group& group = group_for(request);
  auto owned = std::make_unique<Session>(*this, std::move(sink), group);
  Session& session = *owned;
  const int64_t now_ms = clock_.steady_ms();
  session.id_ = next_session_id_++;
  session.heartbeat_interval_ms_ = static_cast<uint32_t>(request.heartbeat_ms.value_or(options_.heartbeat_interval_ms));
  session.comment_interval_ms_ = request.heartbeat_ms ? session.heartbeat_interval_ms_ * 3 / 4
                                                      : static_cast<uint32_t>(options_.comment_interval_ms);
  // Jittered, so that viewers that came together are not served together.
  session.next_heartbeat_ms_ =
      now_ms + session.heartbeat_interval_ms_ * 3 / 4 +
      static_cast<int64_t>(random_() % std::max<uint32_t>(1, session.heartbeat_interval_ms_ / 4));
  session.storage_told_ = storage_ == "ok" ? storage_changes_ : static_cast<uint8_t>(storage_changes_ - 1);
  set_expiry(session, request.expires_at_ms);
  session.holder_ = request.holder;
  session.credential_ = request.credential;
  session.by_ticket_ = request.ticket != 0;
  if (session.by_ticket_) {
    by_ticket_[request.ticket] = {&session, request.ticket_serial};
    ticket_of_[session.id_] = request.ticket;
  }
  sessions_.emplace(session.id_, std::move(owned));
  session_count_.store(sessions_.size(), std::memory_order_relaxed);
  session_gauge_.add(1);
  return session;
}

// The first bytes of a stream, and with them the session's starting position.
RunPtr Shard::opening(const SessionRequest& request, Session& session) {
  const int64_t wall_ms = clock_.wall_ms();
  std::string gap;
  bool resumed = false;
  session.cursor_ = through_;
  if (request.snapshot) {
    session.cursor_ = request.snapshot->as_of;
  } else if (request.start.from == Start::From::id && request.start.id <= std::max(through_, source_.last_id())) {
    session.cursor_ = request.start.id;
    session.first_page_ = true;
    resumed = true;
    if (missed_in_ring(session) > options_.replay_events_max) {
      gap = declare_gap({.from = session.cursor_, .to = through_, .reason = GapReason::too_many}, session);
      session.cursor_ = through_;
      resumed = false;
    }
  } else if (request.start.from != Start::From::now) {
    gap = declare_gap({.from = {}, .to = through_, .reason = GapReason::unknown}, session);
  }
  std::string out;
  if (request.padding_bytes > 0) out += padding_block(request.padding_bytes);
  out += hello_block({.retry_ms = jittered_retry_ms(),
                      .cursor = session.cursor_,
                      .node = options_.node,
                      .stream_id = stream_id(session),
                      .heartbeat_ms = session.heartbeat_interval_ms_,
                      .mode = request.interval_ms > 0 ? "latest" : "all",
                      .telemetry_per_second_max = options_.telemetry_per_second_max,
                      .topics = &session.group_.patterns,
                      .resumed = resumed,
                      .snapshot_follows = request.snapshot.has_value(),
                      .by_ticket = request.ticket != 0},
                     wall_ms, request.view.unnamed);
  out += gap;
  auto run = std::make_shared<Run>();
  run->add(std::make_shared<const std::string>(std::move(out)));
  if (request.snapshot) {
    const auto& [as_of, blocks, count] = *request.snapshot;
    if (blocks && !blocks->empty()) run->add(blocks);
    run->add(std::make_shared<const std::string>(snapshot_complete_block(count, as_of, wall_ms, request.view.unnamed)));
  }
  return run;
}

std::string Shard::declare_gap(Gap gap, const Session& session) {
  gap.topics = &session.group_.patterns;
  gaps_.add();
  return gap_block(gap, clock_.wall_ms(), session.group_.view.unnamed);
}

// How many events a resume from the ring would bring, counted exactly only when it could be too many.
// 0 when the ring does not reach back so far (the replay source counts then).
size_t Shard::missed_in_ring(const Session& session) const {
  if (session.cursor_ < ring_floor_) return 0;
  const auto first = std::partition_point(ring_.begin(), ring_.end(),
                                          [&](const FramedBatchPtr& b) { return b->through() <= session.cursor_; });
  size_t upper_bound = 0;
  for (auto batch = first; batch != ring_.end(); ++batch) upper_bound += (*batch)->events().size();
  if (upper_bound <= options_.replay_events_max) return upper_bound;
  size_t missed = 0;
  for (auto batch = first; batch != ring_.end(); ++batch) {
    for (const FramedEvent& event : (*batch)->events()) {
      if (event.id > session.cursor_ && session.group_.takes((*batch)->topic(event), event)) ++missed;
    }
  }
  return missed;
}

void Shard::make_live(Session& session) {
  flush(session.group_, clock_.steady_ms());  // so that it stands where the others stand
  session.place_ = Session::Place::live;
  session.collapsed_ = session.told_slow_ = false;
  session.live_index_ = static_cast<uint32_t>(session.group_.live.size());
  session.group_.live.push_back(&session);
}

void Shard::fall_behind(Session& session, model::EventId cursor) {
  std::vector<Session*>& live = session.group_.live;
  live[session.live_index_] = live.back();
  live[session.live_index_]->live_index_ = session.live_index_;
  live.pop_back();
  session.place_ = Session::Place::behind;
  session.cursor_ = cursor;
  fell_behind_.add();
}

// Too slow: what it has not been sent yet comes merged, until it is at the head again.
void Shard::collapse(Session& session, model::EventId cursor) {
  fall_behind(session, cursor);
  session.collapsed_ = true;
}

void Shard::make_runnable(Session& session) {
  if (session.runnable_) return;
  session.runnable_ = true;
  runnable_.push_back(&session);
}

void Shard::catch_up(Session& session) {
  const int64_t now_ms = clock_.steady_ms();
  for (int round = 0; round < kCatchUpRounds; ++round) {
    if (session.has_pending()) return;  // on_writable() goes on
    if (session.cursor_ == through_) return make_live(session);
    if (session.cursor_ > through_) {
      session.waiting_ = true;
      waiting_.push_back(&session);
      return;
    }
    if (session.collapsed_ && !session.told_slow_) {
      session.told_slow_ = true;
      push_text(session, slow_block(session.cursor_, clock_.wall_ms(), session.group_.view.unnamed), now_ms);
      if (session.has_pending()) return;
    }
    if (session.cursor_ < ring_floor_) return want_page(session);
    auto run = std::make_shared<Run>();
    session.cursor_ = gather_from_ring(session.group_, session.cursor_, session.collapsed_, *run);
    if (run->empty()) continue;
    replayed_.add(run->events());
    push_own(session, std::move(run), now_ms);
  }
  if (!session.has_pending()) make_runnable(session);
}

// Adds what the ring holds for this group after the cursor, a bounded amount; gives back how far it looked.
model::EventId Shard::gather_from_ring(const Group& group, model::EventId cursor, bool merged, Run& run) {
  RunWriter writer(group.view, merged || merges(group));
  auto batch =
      std::partition_point(ring_.begin(), ring_.end(), [&](const FramedBatchPtr& b) { return b->through() <= cursor; });
  model::EventId reached = through_;
  size_t scanned = 0;
  for (; batch != ring_.end() && reached == through_; ++batch) {
    const std::vector<FramedEvent>& events = (*batch)->events();
    auto event =
        std::partition_point(events.begin(), events.end(), [&](const FramedEvent& e) { return e.id <= cursor; });
    for (; event != events.end() && reached == through_; ++event) {
      if (group.takes((*batch)->topic(*event), *event)) {
        writer.add(*batch, static_cast<size_t>(event - events.begin()));
      }
      ++scanned;
      if (writer.bytes() >= kCatchUpBytes || scanned >= kCatchUpEventsScanned) reached = event->id;
    }
  }
  run = writer.finish();
  conflated_.add(writer.merged_away());
  return reached;
}

// One page of the log, now or when it is this session's turn.
void Shard::want_page(Session& session) {
  session.reading_ = true;
  if (pages_reading_ < kPagesAtOnce) return read_page(session);
  page_queue_.push_back(session.id_);
}

void Shard::read_page(Session& session) {
  ++pages_reading_;
  ReplayRequest request{.after = session.cursor_,
                        .until = through_,
                        .patterns = session.group_.patterns,
                        .types = session.group_.types,
                        .first = session.first_page_};
  session.first_page_ = false;
  source_.read(std::move(request),
               [this, id = session.id_](Result<ReplayPage> result) { on_page(id, std::move(result)); });
}

void Shard::on_page(uint64_t session_id, Result<ReplayPage> result) {
  MS_ON_OWNER(thread_);
  --pages_reading_;
  const auto it = sessions_.find(session_id);
  if (it != sessions_.end()) take_page(*it->second, std::move(result));  // or it left meanwhile
  while (pages_reading_ < kPagesAtOnce && !page_queue_.empty()) {
    const auto next = sessions_.find(page_queue_.front());
    page_queue_.pop_front();
    if (next != sessions_.end()) read_page(*next->second);
  }
}

void Shard::take_page(Session& session, Result<ReplayPage> result) {
  session.reading_ = false;
  if (!result && result.error().code == Code::unavailable) {  // asked again when the log says something
    session.waiting_ = true;
    waiting_.push_back(&session);
    return;
  }
  if (!result) {
    // The viewer comes back by itself and resumes by id: nothing is lost by ending here.
    log_warning("replay failed, stream closed", {{"reason", result.error().detail}});
    return close(session, End::failed);
  }
  const ReplayPage& page = *result;
  const int64_t now_ms = clock_.steady_ms();
  if (page.trimmed_to || page.too_many) {
    const Gap gap{.from = session.cursor_,
                  .to = page.too_many ? through_ : *page.trimmed_to,
                  .reason = page.too_many ? GapReason::too_many : GapReason::trimmed};
    push_text(session, declare_gap(gap, session), now_ms);
    session.cursor_ = gap.to;
  }
  if (!page.too_many) {
    if (page.frames && !page.frames->events().empty()) {
      RunWriter writer(session.group_.view, session.collapsed_ || merges(session.group_));
      for (size_t i = 0; i < page.frames->events().size(); ++i) {
        if (session.group_.takes_kind(page.frames->events()[i])) writer.add(page.frames, i);
      }
      const auto run = std::make_shared<const Run>(writer.finish());
      conflated_.add(writer.merged_away());
      replayed_.add(run->events());
      if (!run->empty()) push_own(session, run, now_ms);
    }
    session.cursor_ = std::max(session.cursor_, page.scanned_to);
  }
  if (!session.has_pending()) make_runnable(session);
}

// --- time ------------------------------------------------------------------------------------------------------------

void Shard::tick() {
  MS_ON_OWNER(thread_);
  const int64_t now_ms = clock_.steady_ms();
  event_rate_.sample(event_serial_, now_ms);
  delivery_rate_.sample(deliveries_, now_ms);
  const int64_t target = now_ms / kTickMs;
  // After a long stall one whole turn of the wheel serves everyone.
  wheel_time_ = std::max(wheel_time_, target - static_cast<int64_t>(kWheelSlots));
  std::vector<Session*> due;
  for (; wheel_time_ < target; ++wheel_time_) {
    for (Session* s = wheel_[static_cast<size_t>(wheel_time_) % kWheelSlots]; s != nullptr; s = s->wheel_next_) {
      due.push_back(s);
    }
  }
  for (Session* session : due) {
    unschedule(*session);
    service(*session, now_ms);
  }
}

// Everything that happens to a session because time has passed. It may end here.
void Shard::service(Session& session, int64_t now_ms) {
  const bool unnamed = session.group_.view.unnamed;
  if (session.pending_) {
    const Session::Pending& pending = *session.pending_;
    const bool stuck = now_ms - pending.progress_at_ms >= options_.slow_timeout_ms;
    const bool sipping = pending.opening_until_ms != 0 && now_ms >= pending.opening_until_ms;
    if (stuck || sipping) return close(session, End::slow);
  }
  if (session.collapsed_ && through_.ms - session.cursor_.ms > options_.slow_lag_ms_max) {
    return close(session, End::slow);
  }
  if (session.expires_ms_ != 0 && now_ms >= session.expires_ms_) {
    return close_expired(session, now_ms);
  }
  if (session.drain_ms_ != 0 && now_ms >= session.drain_ms_) {
    push_text(session, notice_block("draining", jittered_retry_ms(), clock_.wall_ms(), unnamed), now_ms);
    return close(session, End::drained);
  }
  if (!session.has_pending()) {
    if (session.expires_ms_ != 0 && !session.warned_expiry_ && now_ms >= session.expires_ms_ - kExpiryWarningMs) {
      session.warned_expiry_ = true;
      push_text(session, notice_block("auth_expiring", {}, clock_.wall_ms(), unnamed), now_ms);
    }
    if (session.storage_told_ != storage_changes_) {
      session.storage_told_ = storage_changes_;
      push_text(session, degraded_block(storage_, clock_.wall_ms(), unnamed), now_ms);
    }
    if (now_ms >= session.next_heartbeat_ms_) {
      push_text(session, heartbeat(session), now_ms);
      session.next_heartbeat_ms_ = now_ms + session.heartbeat_interval_ms_;
    } else if (now_ms - session.last_sent_ms_ >= session.comment_interval_ms_) {
      std::string comment;
      codec::append_comment("hb", comment);
      push_text(session, std::move(comment), now_ms);
    }
  }
  schedule(session, now_ms);
}

std::string Shard::heartbeat(const Session& session) const {
  const model::EventId cursor = position(session);
  const int64_t lag_ms = std::max<int64_t>(0, through_.ms - cursor.ms);
  return heartbeat_block(cursor, lag_ms, clock_.wall_ms(), session.group_.view.unnamed);
}

// Everything up to here was sent to it, or waits to be.
model::EventId Shard::position(const Session& session) const {
  if (session.place_ == Session::Place::behind) return session.cursor_;
  return session.group_.news ? session.group_.position : through_;
}

Session* Shard::find(std::string_view stream_id, const model::AccountId& account) const {
  uint64_t id = 0;
  const size_t dash = stream_id.find('-');
  if (dash == std::string_view::npos) return nullptr;
  std::from_chars(stream_id.data() + dash + 1, stream_id.data() + stream_id.size(), id);
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || this->stream_id(*found->second) != stream_id) return nullptr;
  return found->second->group_.patterns.front().account == account ? found->second.get() : nullptr;
}

std::string Shard::stream_id(const Session& session) const {
  return std::to_string(stream_id_salt_ >> 32) + '-' + std::to_string(session.id_);
}

void Shard::schedule(Session& session, int64_t now_ms) {
  int64_t due = std::min(session.next_heartbeat_ms_, session.last_sent_ms_ + session.comment_interval_ms_);
  if (session.pending_) due = std::min(due, session.pending_->progress_at_ms + options_.slow_timeout_ms);
  if (session.expires_ms_ != 0) {
    due = std::min(due, session.warned_expiry_ ? session.expires_ms_ : session.expires_ms_ - kExpiryWarningMs);
    due = std::min(due, session.expires_ms_);
  }
  if (session.drain_ms_ != 0) due = std::min(due, session.drain_ms_);
  // A stall can begin at any time between two services: look at least that often.
  due = std::min(due, now_ms + options_.slow_timeout_ms);
  int64_t tick = std::max(due / kTickMs, std::max(wheel_time_, now_ms / kTickMs));
  tick = std::min(tick, wheel_time_ + static_cast<int64_t>(kWheelSlots) - 1);
  session.wheel_slot_ = static_cast<uint32_t>(static_cast<size_t>(tick) % kWheelSlots);
  Session*& head = wheel_[session.wheel_slot_];
  session.wheel_previous_ = nullptr;
  session.wheel_next_ = head;
  if (head) head->wheel_previous_ = &session;
  head = &session;
}

void Shard::unschedule(Session& session) {
  if (session.wheel_previous_) {
    session.wheel_previous_->wheel_next_ = session.wheel_next_;
  } else if (wheel_[session.wheel_slot_] == &session) {
    wheel_[session.wheel_slot_] = session.wheel_next_;
  }
  if (session.wheel_next_) session.wheel_next_->wheel_previous_ = session.wheel_previous_;
  session.wheel_previous_ = session.wheel_next_ = nullptr;
}

int Shard::jittered_retry_ms() {
  const int span = std::max(1, options_.retry_max_ms - options_.retry_min_ms + 1);
  return options_.retry_min_ms + static_cast<int>(random_() % static_cast<uint64_t>(span));
}

// --- coming and going ------------------------------------------------------------------------------------------------

Group& Shard::group_for(const SessionRequest& request) {
  const std::string key = group_key(request);
  std::unique_ptr<Group>& group = groups_[key];
  if (!group) {
    group = std::make_unique<Group>();
    group->key = key;
    group->patterns = request.patterns;
    group->types = request.types;
    group->min_severity = request.min_severity;
    group->interval_ms = request.interval_ms;
    group->view = request.view;
    if (request.gzip) group->gzip = std::make_unique<GroupGzip>();
    for (const model::TopicPattern& pattern : group->patterns) index_.add(pattern, group.get());
  }
  ++group->members;
  return *group;
}

void Shard::leave_group(Session& session) {
  Group& group = session.group_;
  if (session.place_ == Session::Place::live) {
    group.live[session.live_index_] = group.live.back();
    group.live[session.live_index_]->live_index_ = session.live_index_;
    group.live.pop_back();
  }
  if (--group.members > 0) return;
  for (const model::TopicPattern& pattern : group.patterns) index_.remove(pattern, &group);
  std::erase(with_news_, &group);
  groups_.erase(std::string(group.key));
}

void Shard::close(Session& session, End end) {
  // Chromium may discard what it has not yet read of an answer that breaks off: the last word of a credential's end
  // must arrive, because the next request is refused and nobody comes back.
  session.sink_->close(end == End::expired);
  remove(session, end);
}

void Shard::close_expired(Session& session, int64_t now_ms) {
  push_text(session, notice_block("auth_expired", {}, clock_.wall_ms(), session.group_.view.unnamed), now_ms);
  close(session, End::expired);
}

void Shard::remove(Session& session, End end) {
  MS_ON_OWNER(thread_);
  closed_[static_cast<size_t>(end)]->add();
  unschedule(session);
  if (session.runnable_) std::erase(runnable_, &session);
  if (session.waiting_) std::erase(waiting_, &session);
  leave_group(session);
  if (session.by_ticket_) forget_ticket(session);
  sessions_.erase(session.id_);
  session_count_.store(sessions_.size(), std::memory_order_relaxed);
  session_gauge_.add(-1);
}

void Shard::forget_ticket(const Session& session) {
  const auto ticket = ticket_of_.find(session.id_);
  const auto found = by_ticket_.find(ticket->second);
  if (found != by_ticket_.end() && found->second.session == &session) by_ticket_.erase(found);
  ticket_of_.erase(ticket);
}

void Shard::turn_away(std::string_view kind, bool unnamed, std::unique_ptr<ByteSink> sink) {
  const std::string block = notice_block(kind, jittered_retry_ms(), clock_.wall_ms(), unnamed);
  const iovec piece{const_cast<char*>(block.data()), block.size()};
  sink->write({&piece, 1});  // a fresh socket takes this; one that does not loses only the hint
  sink->close(false);
}

void Shard::set_expiry(Session& session, std::optional<int64_t> expires_at_ms) {
  session.expires_ms_ = 0;
  session.warned_expiry_ = false;
  if (!expires_at_ms) return;
  session.expires_ms_ = std::max<int64_t>(1, clock_.steady_ms() + *expires_at_ms - clock_.wall_ms());
}

Renewed Shard::renew(const std::string& stream_id, const Renewal& renewal) {
  MS_ON_OWNER(thread_);
  Session* const session = find(stream_id, renewal.account);
  if (!session || session->holder_ != renewal.holder) return {Renewed::What::no_such_stream};
  if (!renewal.allows(session->group_.patterns)) return {Renewed::What::allows_less};
  unschedule(*session);
  set_expiry(*session, renewal.expires_at_ms);
  session->credential_ = renewal.credential;
  schedule(*session, clock_.steady_ms());
  return {Renewed::What::done, session->by_ticket_ ? ticket_of_.at(session->id_) : 0, session->group_.patterns};
}

void Shard::end_ticket(uint64_t ticket, uint64_t serial) {
  MS_ON_OWNER(thread_);
  const auto found = by_ticket_.find(ticket);
  if (found != by_ticket_.end() && found->second.serial < serial) close(*found->second.session, End::client);
}

std::vector<uint64_t> Shard::in_use(const std::vector<uint64_t>& credentials) const {
  MS_ON_OWNER(thread_);
  std::vector<uint64_t> used;
  for (const auto& [id, session] : sessions_) {
    if (contains(credentials, session->credential_) && !contains(used, session->credential_)) {
      used.push_back(session->credential_);
    }
  }
  return used;
}

void Shard::end_credentials(const std::vector<uint64_t>& credentials) {
  MS_ON_OWNER(thread_);
  std::vector<Session*> ended;
  for (auto& [id, session] : sessions_) {
    if (contains(credentials, session->credential_)) ended.push_back(session.get());
  }
  const int64_t now_ms = clock_.steady_ms();
  for (Session* session : ended) close_expired(*session, now_ms);
}

void Shard::set_storage(std::string_view storage) {
  MS_ON_OWNER(thread_);
  if (storage == storage_) return;
  storage_ = storage;
  ++storage_changes_;
}

void Shard::drain(int64_t spread_ms) {
  MS_ON_OWNER(thread_);
  const int64_t now_ms = clock_.steady_ms();
  for (auto& [id, session] : sessions_) {
    session->drain_ms_ =
        now_ms + static_cast<int64_t>(random_() % static_cast<uint64_t>(std::max<int64_t>(1, spread_ms)));
    unschedule(*session);
    schedule(*session, now_ms);
  }
}

}  // namespace millstream::hub
