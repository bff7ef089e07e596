// The half of a connection that answers: responses, streams, endings and deadlines.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "http/connection.h"
#include "http/streaming_body.h"
#include "http/waiting_exchange.h"

namespace millstream::http {

namespace {

// How long a connection is read on after its last answer when the client may still be sending: closing over unread
// bytes would reset the connection and could take the answer with it (RFC 9112 9.6).
constexpr int64_t kLingerMs = 2000;

bool has_no_body(int status) { return status == 204 || status == 304 || status < 200; }

}  // namespace

void Connection::respond(const Request& request, Response response) {
  const std::shared_ptr<Connection> hold = shared_from_this();
  exchange_.reset();
  send_response(&request, std::move(response));
}

void Connection::abandoned(const Request& request) {
  const std::shared_ptr<Connection> hold = shared_from_this();
  exchange_.reset();
  send_response(&request, state_.error(request.path, 500, "the request was dropped unanswered"));
}

std::unique_ptr<ByteSink> Connection::start_stream(const Request& request, Response head) {
  const std::shared_ptr<Connection> hold = shared_from_this();
  exchange_.reset();
  const bool chunked = parser_.version() >= 11;
  if (state_.hooks.decorate) state_.hooks.decorate(request, head);
  state_.count_answer(head.status);
  const BodyFraming framing = chunked ? BodyFraming::chunked : BodyFraming::until_close;
  const std::string_view date = state_.date.at(state_.loop.clock().wall_ms());
  if (request.method == "HEAD") {
    close_after_ = close_after_ || !parser_.keep_alive() || state_.draining;
    append_head(head, framing, 0, close_after_, date, out_.head);
    phase_ = Phase::writing;
    set_deadline(state_.limits.write_timeout_ms);
    flush();
    return nullptr;
  }
  std::string text;
  append_head(head, framing, 0, true, date, text);  // a stream is the last thing on its connection
  state_.loop.unwatch(transport_.fd(), this);
  auto body = std::make_unique<StreamingBody>(state_.tally, std::move(transport_), std::move(text), chunked);
  close();
  return body;
}

void Connection::send_response(const Request* request, Response response) {
  if (request && state_.hooks.decorate) state_.hooks.decorate(*request, response);
  if (input_unclear_) drop_body();  // nobody will read it, and the answer may take its time
  const bool reusable = request && parser_.keep_alive() && !input_unclear_ && !state_.draining;
  close_after_ = close_after_ || !reusable;
  state_.count_answer(response.status);
  const BodyFraming framing = has_no_body(response.status) ? BodyFraming::none : BodyFraming::length;
  append_head(response, framing, response.body.size(), close_after_, state_.date.at(state_.loop.clock().wall_ms()),
              out_.head);
  const bool is_head = request && request->method == "HEAD";
  if (framing == BodyFraming::length && !is_head) out_.body = std::move(response.body);
  phase_ = Phase::writing;
  set_deadline(state_.limits.write_timeout_ms);
  flush();
}

void Connection::flush() {
  const size_t total = out_.head.size() + out_.body.size();
  while (out_.sent < total) {
    const size_t head_sent = std::min(out_.sent, out_.head.size());
    const size_t body_sent = out_.sent - head_sent;
    std::array<iovec, 2> pieces{iovec{out_.head.data() + head_sent, out_.head.size() - head_sent},
                                iovec{out_.body.data() + body_sent, out_.body.size() - body_sent}};
    const ssize_t sent = transport_.send(pieces);
    if (sent < 0) return close();
    if (sent == 0) break;
    out_.sent += static_cast<size_t>(sent);
    set_deadline(state_.limits.write_timeout_ms);
  }
  // Neither more requests nor a half-close matter until the answer is out; errors are always told.
  if (out_.sent < total || !transport_.flush()) return set_interest(EPOLLOUT);
  response_done();
}

void Connection::response_done() {
  // Assigning empty strings would keep their memory, for as long as a connection is idle.
  std::string().swap(out_.body);
  out_.head.clear();
  out_.sent = 0;
  if (close_after_) return linger();
  set_interest(EPOLLIN | EPOLLRDHUP);
  phase_ = Phase::head;
  head_started_ = false;
  list_as_idle(true);
  parser_.reset();
  set_deadline(state_.limits.idle_timeout_ms);
  if (!consuming_ && !pending_.empty()) consume_pending();
}

void Connection::linger() {
  // Everything the client sent was read: nothing is lost by closing at once.
  if (!input_unclear_ && pending_.empty() && !consuming_) return close();
  transport_.end_sending();
  std::string().swap(pending_);
  phase_ = Phase::lingering;
  set_interest(EPOLLIN);
  set_deadline(kLingerMs);
}

// The timer is lazy: it runs at most one shortest limit ahead and looks at the deadline then. A request moves the
// deadline only, and that never makes it earlier than the timer, because no limit is shorter than the shortest.
void Connection::arm() {
  const ServerLimits& limits = state_.limits;
  const int64_t shortest_ms = std::min({limits.header_timeout_ms, limits.body_timeout_ms, limits.body_total_timeout_ms,
                                        limits.idle_timeout_ms, limits.write_timeout_ms, kLingerMs});
  const int64_t delay_ms = std::min(shortest_ms, deadline_ms_ - state_.loop.now_ms());
  timer_ = state_.loop.after(delay_ms, [this] { on_timer(); });
}

void Connection::on_timer() {
  const std::shared_ptr<Connection> hold = shared_from_this();
  timer_ = 0;
  if (state_.loop.now_ms() >= deadline_ms_) on_deadline();
  if (phase_ != Phase::closed) arm();
}

void Connection::on_deadline() {
  const bool in_request = (phase_ == Phase::head && head_started_) || phase_ == Phase::body;
  if (!in_request) return close();
  input_unclear_ = true;
  close_after_ = true;
  answer_error(408, "the request did not arrive in time");
}

}  // namespace millstream::http
