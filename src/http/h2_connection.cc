#include "http/h2_connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/freed.h"
#include "http/h2_stream.h"

namespace millstream::http {

namespace {

constexpr uint32_t kReading = EPOLLIN | EPOLLRDHUP;
constexpr size_t kSendBytes = size_t{64} << 10;  // gathered before the socket is tried
constexpr size_t kKeptBufferBytesMax = 2048;     // between two turns
constexpr int32_t kStreamWindowBytes = 256 << 10;
constexpr int32_t kConnectionWindowBytes = 4 << 20;
// What a client may do for nothing within kBudgetMs.
constexpr int64_t kBudgetMs = 10'000;
constexpr int kResetsMax = 200;         // streams opened and given up, by it or by its fault
constexpr int kControlFramesMax = 500;  // PING, SETTINGS, PRIORITY, unknown, and DATA without data
constexpr size_t kUnansweredAcksMax = 100;
constexpr int64_t kLookEveryMs = 1000;  // at deadlines
constexpr int64_t kLastWordsMs = 250;   // from the last payload of a stream to its reset

}  // namespace

// nghttp2's way in. The user data of the session is the connection.
struct H2Connection::Callbacks {
  static H2Connection& self(void* data) { return *static_cast<H2Connection*>(data); }
  static bool is_request(const nghttp2_frame* frame) {
    return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
  }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    if (!is_request(frame)) return 0;
    H2Connection& c = self(data);
    const int32_t id = frame->hd.stream_id;
    c.streams_.emplace(id, std::make_unique<H2Stream>(c, id, c.state_.loop.now_ms()));
    return 0;
  }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void* data) {
    if (!is_request(frame)) return 0;
    if (H2Stream* stream = self(data).find(frame->hd.stream_id)) {
      stream->add_field({reinterpret_cast<const char*>(name), name_size},
                        {reinterpret_cast<const char*>(value), value_size});
    }
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    H2Connection& c = self(data);
    const bool last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    H2Stream* stream = c.find(frame->hd.stream_id);
    if (stream && is_request(frame)) {
      stream->head_complete(!last);
    } else if (stream && last) {
      stream->body_complete();
    }
    return 0;
  }
  static int on_data(nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* data) {
    if (H2Stream* stream = self(data).find(id)) stream->take_body({reinterpret_cast<const char*>(bytes), size});
    return 0;
  }
  static int on_close(nghttp2_session*, int32_t id, uint32_t, void* data) {
    H2Connection& c = self(data);
    const auto found = c.streams_.find(id);
    if (found == c.streams_.end()) return 0;
    c.ended_.push_back(std::move(found->second));
    c.streams_.erase(found);
    return 0;
  }
  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* data) {
    self(data).count_frame(*head);
    return 0;
  }
  // A client can also make us reset streams.
  static int on_sent(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    if (frame->hd.type != NGHTTP2_RST_STREAM) return 0;
    const uint32_t code = frame->rst_stream.error_code;
    if (code == NGHTTP2_PROTOCOL_ERROR || code == NGHTTP2_FLOW_CONTROL_ERROR) ++self(data).resets_;
    self(data).keep_calm();
    return 0;
  }

  static nghttp2_session_callbacks* table() {
    static nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* t = nullptr;
      MS_CHECK(nghttp2_session_callbacks_new(&t) == 0);
      nghttp2_session_callbacks_set_on_begin_headers_callback(t, on_begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(t, on_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(t, on_frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(t, on_data);
      nghttp2_session_callbacks_set_on_stream_close_callback(t, on_close);
      nghttp2_session_callbacks_set_on_begin_frame_callback(t, on_begin_frame);
      nghttp2_session_callbacks_set_on_frame_send_callback(t, on_sent);
      return t;
    }();
    return made;
  }
};

H2Connection::H2Connection(ServerState& state, net::Transport transport, std::string peer)
    : state_(state), transport_(std::move(transport)), peer_(std::move(peer)) {
  nghttp2_option* raw = nullptr;
  MS_CHECK(nghttp2_option_new(&raw) == 0);
  const std::unique_ptr<nghttp2_option, Freed<nghttp2_option_del>> option(raw);
  nghttp2_option_set_no_closed_streams(raw, 1);
  nghttp2_option_set_max_outbound_ack(raw, kUnansweredAcksMax);
  MS_CHECK(nghttp2_session_server_new2(&session_, Callbacks::table(), this, raw) == 0);
  state_.tally->add(1);
  state_.tally->http2_gauge.add(1);
  active_ms_ = progress_ms_ = budget_since_ms_ = state_.loop.now_ms();
}

H2Connection::~H2Connection() {
  streams_.clear();
  ended_.clear();
  nghttp2_session_del(session_);
  state_.tally->add(-1);
  state_.tally->http2_gauge.add(-1);
}

bool H2Connection::start(std::string_view bytes) {
  if (!state_.loop.watch(transport_.fd(), kReading, this)) return false;
  interest_ = kReading;
  const std::array<nghttp2_settings_entry, 3> settings{
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, state_.limits.http2_streams_max},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                             static_cast<uint32_t>(state_.limits.header_bytes_max)}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes);
  arm();
  feed(bytes);
  return true;
}

H2Stream* H2Connection::find(int32_t stream_id) {
  const auto found = streams_.find(stream_id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void H2Connection::on_ready(uint32_t events) {
  const std::shared_ptr<H2Connection> hold = shared_from_this();
  if (events & (EPOLLERR | EPOLLHUP)) return close();
  if (events & EPOLLOUT) touch();
  if (!(events & (EPOLLIN | EPOLLRDHUP))) return;
  const ssize_t got = transport_.receive(state_.input.data(), state_.input.size());
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return close();
  if (got > 0) feed({state_.input.data(), static_cast<size_t>(got)});
}

void H2Connection::feed(std::string_view bytes) {
  active_ms_ = state_.loop.now_ms();
  reading_ = true;
  const ssize_t used = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  reading_ = false;
  if (used < 0) {
    nghttp2_session_terminate_session(session_,
                                      used == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
    closing_ = true;
  }
  settle();
  offer_room();
  touch();
}

// Outside of nghttp2: those whose stream is over are told.
void H2Connection::settle() {
  while (!ended_.empty()) {
    const std::vector<std::unique_ptr<H2Stream>> over = std::move(ended_);
    ended_.clear();
    active_ms_ = state_.loop.now_ms();
    for (const std::unique_ptr<H2Stream>& stream : over) stream->ended();
  }
}

void H2Connection::offer_room() {
  if (waiting_for_room_.empty() || socket_full_ || closed_) return;
  const std::vector<int32_t> waiting = std::move(waiting_for_room_);
  waiting_for_room_.clear();
  for (const int32_t id : waiting) {
    H2Stream* const stream = find(id);
    if (!stream) continue;
    if (room(id, 0) > 0) {
      stream->room_came();
    } else {
      waiting_for_room_.push_back(id);
    }
  }
}

size_t H2Connection::room(int32_t stream_id, size_t waiting) const {
  if (socket_full_ || closed_) return 0;
  const int64_t of_stream =
      nghttp2_session_get_stream_remote_window_size(session_, stream_id) - static_cast<int64_t>(waiting);
  const int64_t of_all = nghttp2_session_get_remote_window_size(session_) - static_cast<int64_t>(payload_waiting_);
  return static_cast<size_t>(std::max<int64_t>(0, std::min(of_stream, of_all)));
}

void H2Connection::count_frame(const nghttp2_frame_hd& head) {
  const int64_t now_ms = state_.loop.now_ms();
  if (now_ms - budget_since_ms_ >= kBudgetMs) {
    budget_since_ms_ = now_ms;
    resets_ = control_frames_ = 0;
  }
  switch (head.type) {
    case NGHTTP2_RST_STREAM: ++resets_; break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
    case NGHTTP2_WINDOW_UPDATE: break;
    case NGHTTP2_DATA:
      if (head.length == 0 && !(head.flags & NGHTTP2_FLAG_END_STREAM)) ++control_frames_;
      break;
    default: ++control_frames_;
  }
  keep_calm();
}

void H2Connection::keep_calm() {
  if (resets_ <= kResetsMax && control_frames_ <= kControlFramesMax) return;
  if (std::exchange(closing_, true)) return;
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

void H2Connection::touch() {
  if (closed_ || std::exchange(unflushed_, true)) return;
  state_.unflushed.push_back(shared_from_this());
}

void H2Connection::flush() {
  unflushed_ = false;
  if (closed_) return;
  const bool all_sent = send_waiting();
  if (closed_) return;
  settle();
  if (all_sent) offer_room();
  const bool over = !nghttp2_session_want_read(session_) && !nghttp2_session_want_write(session_);
  if (all_sent && (over || closing_ || (draining_ && streams_.empty()))) return close();
  set_interest(all_sent ? kReading : kReading | EPOLLOUT);
}

void H2Connection::gather() {
  if (reading_ || broken_ || closed_) return;
  while (out_.size() < kSendBytes) {
    const uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    broken_ = size < 0;
    if (size <= 0) return;
    out_.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  }
}

// False: the socket is full, and bytes wait in out_ or under TLS.
bool H2Connection::send_waiting() {
  while (transport_.flush()) {
    gather();
    if (out_.empty() && !broken_) {
      if (out_.capacity() > kKeptBufferBytesMax) std::string().swap(out_);
      socket_full_ = false;
      return true;
    }
    const iovec piece{out_.data(), out_.size()};
    const ssize_t sent = broken_ ? -1 : transport_.send({&piece, 1});
    if (sent < 0) {
      close();
      return false;
    }
    if (sent > 0) progress_ms_ = state_.loop.now_ms();
    out_.erase(0, static_cast<size_t>(sent));
    if (!out_.empty()) break;
  }
  socket_full_ = true;
  return false;
}

void H2Connection::set_interest(uint32_t events) {
  if (events == interest_) return;
  interest_ = events;
  state_.loop.change(transport_.fd(), events, this);
}

void H2Connection::refuse_new() {
  if (closed_ || closing_) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  touch();
}

void H2Connection::reset_later(int32_t stream_id) {
  resets_due_.push_back({state_.loop.now_ms() + kLastWordsMs, stream_id});
  if (!reset_timer_) arm_resets();
}

void H2Connection::arm_resets() {
  const int64_t wait_ms = std::max<int64_t>(1, resets_due_.front().due_ms - state_.loop.now_ms());
  reset_timer_ = state_.loop.after(wait_ms, [this] {
    reset_timer_ = 0;
    const int64_t now_ms = state_.loop.now_ms();
    const auto later = std::find_if(resets_due_.begin(), resets_due_.end(),
                                    [now_ms](const Reset& reset) { return reset.due_ms > now_ms; });
    for (auto due = resets_due_.begin(); due != later; ++due) {
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, due->stream_id, NGHTTP2_INTERNAL_ERROR);
    }
    resets_due_.erase(resets_due_.begin(), later);
    if (!resets_due_.empty()) arm_resets();
    touch();
  });
}

void H2Connection::drain() {
  refuse_new();
  draining_ = true;
}

void H2Connection::close() {
  if (std::exchange(closed_, true)) return;
  const std::shared_ptr<H2Connection> hold = shared_from_this();
  state_.loop.cancel(timer_);
  if (reset_timer_) state_.loop.cancel(reset_timer_);
  state_.loop.unwatch(transport_.fd(), this);
  transport_.discard_input();  // closing over unread bytes would reset the connection under the GOAWAY
  transport_.reset();
  for (auto& [id, stream] : streams_) ended_.push_back(std::move(stream));
  streams_.clear();
  settle();
  state_.h2_connections.erase(this);
}

void H2Connection::arm() {
  const ServerLimits& limits = state_.limits;
  const int64_t shortest_ms = std::min({limits.header_timeout_ms, limits.body_timeout_ms, limits.idle_timeout_ms,
                                        limits.write_timeout_ms, kLookEveryMs});
  timer_ = state_.loop.after(shortest_ms, [this] { on_timer(); });
}

void H2Connection::on_timer() {
  const std::shared_ptr<H2Connection> hold = shared_from_this();
  timer_ = 0;
  const int64_t now_ms = state_.loop.now_ms();
  std::vector<H2Stream*> late;
  for (const auto& [id, stream] : streams_) {
    if (stream->is_late(now_ms)) late.push_back(stream.get());
  }
  for (H2Stream* stream : late) stream->too_late();
  const bool stuck = interest_ & EPOLLOUT && now_ms - progress_ms_ >= state_.limits.write_timeout_ms;
  const bool idle = streams_.empty() && now_ms - active_ms_ >= state_.limits.idle_timeout_ms;
  if (stuck || (closing_ && interest_ & EPOLLOUT)) return close();
  if (idle && !std::exchange(closing_, true)) {
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
    touch();
  }
  arm();
}

}  // namespace millstream::http
