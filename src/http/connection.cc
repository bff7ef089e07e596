#include "http/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "http/h2_connection.h"
#include "http/reception.h"
#include "net/socket.h"

namespace millstream::http {

namespace {

constexpr uint32_t kReading = EPOLLIN | EPOLLRDHUP;
constexpr size_t kPendingBytesMax = 64 << 10;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

constexpr Refusal kPlainHttp{400, "this port speaks HTTPS: the address must begin with https://"};
constexpr Refusal kNoRoom{503, "too many request bodies at once; try again"};

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

Connection::Connection(ServerState& state, net::Transport transport, std::string peer)
    : state_(state),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      parser_(state.limits),
      lease_(state.bodies),
      own_place_{this},
      place_(own_place_.begin()) {
  state_.tally->add(1);
}

Connection::~Connection() { state_.tally->add(-1); }

bool Connection::start() {
  if (!state_.loop.watch(transport_.fd(), kReading, this)) return false;
  interest_ = kReading;
  set_deadline(state_.limits.header_timeout_ms);
  arm();
  return true;
}

void Connection::drain() {
  if (is_idle()) close();
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  list_as_idle(false);
  state_.loop.cancel(timer_);
  if (transport_) {
    state_.loop.unwatch(transport_.fd(), this);
    transport_.reset();
  }
  if (const auto exchange = exchange_.lock()) exchange->client_gone();
  state_.connections.erase(this);  // may free this, unless a caller holds it: every way in from the loop does
}

bool Connection::has_input() const {
  char byte = 0;
  return ::recv(transport_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void Connection::list_as_idle(bool idle) {
  if (idle == listed_idle_) return;
  listed_idle_ = idle;
  if (idle) {
    state_.idle.splice(state_.idle.end(), own_place_, place_);
  } else {
    own_place_.splice(own_place_.end(), state_.idle, place_);
  }
}

void Connection::on_ready(uint32_t events) {
  const std::shared_ptr<Connection> hold = shared_from_this();
  if (events & (EPOLLERR | EPOLLHUP)) return close();
  // While a handler works, a client that half-closes is taken to have left, as proxies do: nothing else would ever
  // tell.
  if (phase_ == Phase::handling && (events & EPOLLRDHUP)) return close();
  if ((events & EPOLLOUT) && !room_came()) return;
  if (phase_ != Phase::closed && phase_ != Phase::writing && (events & (EPOLLIN | EPOLLRDHUP))) read();
}

// False: nothing is to be read now.
bool Connection::room_came() {
  if (phase_ == Phase::writing) {
    flush();
  } else if (transport_.flush()) {
    set_interest(interest_ & ~uint32_t{EPOLLOUT});
  }
  return phase_ != Phase::closed && phase_ != Phase::writing;
}

void Connection::read() {
  if (phase_ == Phase::lingering) {
    const int64_t dropped = transport_.discard_input();
    if (dropped == 0 || (dropped < 0 && !would_block())) close();
    return;
  }
  const ssize_t got = transport_.receive(state_.input.data(), state_.input.size());
  if (got < 0 && transport_.heard_plain_http()) {
    transport_.drop_tls();
    return refuse(kPlainHttp);
  }
  if (got == 0 || (got < 0 && !would_block())) return close();
  if (transport_.has_unsent()) set_interest(interest_ | EPOLLOUT);  // of a handshake
  const std::string_view bytes(state_.input.data(), got > 0 ? static_cast<size_t>(got) : 0);
  if (bytes.empty()) return;
  fresh_ ? take_first(bytes) : take(bytes);
}

// A client of HTTP/2 begins with a preface that no request of HTTP/1.1 begins with.
void Connection::take_first(std::string_view bytes) {
  const std::string seen = pending_ + std::string(bytes.substr(0, kH2Preface.size()));
  const size_t compared = std::min(seen.size(), kH2Preface.size());
  fresh_ = seen.compare(0, compared, kH2Preface, 0, compared) == 0;
  if (!fresh_) return take(bytes);
  if (compared == kH2Preface.size()) return become_h2(pending_ + std::string(bytes));
  if (is_idle()) begin_head();
  pending_.append(bytes);
}

void Connection::become_h2(std::string_view bytes) {
  state_.loop.unwatch(transport_.fd(), this);
  auto next = std::make_shared<H2Connection>(state_, std::move(transport_), peer_);
  close();
  state_.h2_connections.emplace(next.get(), next);
  if (!next->start(bytes)) state_.h2_connections.erase(next.get());
}

void Connection::take(std::string_view bytes) {
  if (phase_ == Phase::handling) {
    pending_.append(bytes);
    if (pending_.size() >= kPendingBytesMax) set_interest(EPOLLRDHUP);
    return;
  }
  if (is_idle()) begin_head();
  if (phase_ == Phase::body) set_body_deadline();
  if (pending_.empty()) {
    const size_t used = consume(bytes);
    if (phase_ != Phase::closed) pending_.assign(bytes.substr(used));
  } else {
    pending_.append(bytes);
    consume_pending();
  }
}

void Connection::consume_pending() {
  const size_t used = consume(pending_);
  if (phase_ != Phase::closed) pending_.erase(0, used);
}

// Runs requests out of `bytes` until they are used up or an answer has to be waited for. Says how many it took.
size_t Connection::consume(std::string_view bytes) {
  using Step = RequestParser::Step;
  size_t used = 0;
  consuming_ = true;
  while (phase_ == Phase::head || phase_ == Phase::body) {
    if (phase_ == Phase::head && used == bytes.size()) break;
    if (is_idle()) begin_head();
    size_t step_used = 0;
    const Step step = parser_.feed(bytes.substr(used), step_used);
    used += step_used;
    if (phase_ == Phase::body && step != Step::refused && !lease_.grow_to(parser_.request().body.size())) {
      refuse(kNoRoom);
      break;
    }
    if (step == Step::more) break;
    if (step == Step::head) head_arrived(used < bytes.size());
    if (step == Step::done) dispatch();
    if (step == Step::refused) refuse(parser_.refusal());
  }
  consuming_ = false;
  return used;
}

void Connection::begin_head() {
  head_started_ = true;
  list_as_idle(false);
  set_deadline(state_.limits.header_timeout_ms);
}

void Connection::head_arrived(bool body_waiting) {
  Request& request = parser_.request();
  input_unclear_ = parser_.has_body();
  Reception reception = receive(state_, request, peer_);
  if (reception.answer) return send_response(&request, std::move(*reception.answer));
  const size_t bytes_max = reception.body_bytes_max;
  if (!parser_.limit_body(bytes_max)) return answer_error(413, body_too_long(bytes_max));
  // Known already, so that it need not be sent in vain; the room is taken as the bytes come.
  if (!state_.bodies->has_room(parser_.content_length().value_or(0))) return refuse(kNoRoom);
  handler_ = reception.handler;
  phase_ = Phase::body;
  if (!parser_.has_body()) return;
  body_deadline_ms_ = state_.loop.now_ms() + state_.limits.body_total_timeout_ms;
  set_body_deadline();
  if (parser_.expects_continue() && !body_waiting) {
    const iovec piece{const_cast<char*>(kContinue.data()), kContinue.size()};
    const ssize_t sent = transport_.send({&piece, 1});
    if (sent != static_cast<ssize_t>(kContinue.size())) close();  // a new connection that cannot take 25 bytes
  }
}

void Connection::dispatch() {
  phase_ = Phase::handling;
  input_unclear_ = false;
  deadline_ms_ = kNever;
  auto exchange = std::make_shared<WaitingExchange>(this, state_.loop, std::move(parser_.request()), std::move(lease_));
  exchange_ = exchange;
  (*handler_)(make_exchange(std::move(exchange)));
}

void Connection::refuse(const Refusal& refusal) {
  input_unclear_ = true;
  close_after_ = true;
  answer_error(refusal.status, refusal.detail);
}

void Connection::answer_error(int status, std::string_view detail) {
  const bool known = phase_ == Phase::body || parser_.head_known();
  const Request* const request = known ? &parser_.request() : nullptr;
  Response response = state_.error(request ? std::string_view(request->path) : std::string_view(), status, detail);
  send_response(request, std::move(response));
}

void Connection::drop_body() {
  std::string().swap(parser_.request().body);  // assigning an empty one would keep the memory
  lease_.end();
}

void Connection::set_interest(uint32_t events) {
  if (events == interest_) return;
  interest_ = events;
  state_.loop.change(transport_.fd(), events, this);
}

void Connection::set_deadline(int64_t delay_ms) { deadline_ms_ = state_.loop.now_ms() + delay_ms; }

void Connection::set_body_deadline() {
  set_deadline(state_.limits.body_timeout_ms);
  deadline_ms_ = std::min(deadline_ms_, body_deadline_ms_);
}

}  // namespace millstream::http
