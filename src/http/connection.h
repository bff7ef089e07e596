// http/connection.h: one client connection while it speaks requests and responses.
//
// Flow     on_ready -> read -> parser -> route -> admit -> body -> handler; respond() -> write -> next request.
//          start_stream() hands the socket to a StreamingBody and ends the connection object. One request is in flight
//          at a time; bytes of the next ones wait in pending_ (at most 64 KiB and one read), beyond that in the kernel.
// Limits   ServerLimits and the BodyBudget; one lazy timer a connection (see arm()).
// Errors   What the client did wrong is answered here and the connection closed, after reading on for a while so that
//          the answer is not lost to a reset. A client that closes, or half-closes while a handler works, is gone.
// Thread   loop
#pragma once

#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "http/body_budget.h"
#include "http/request_parser.h"
#include "http/server_state.h"
#include "http/waiting_exchange.h"
#include "net/loop.h"
#include "net/transport.h"

namespace millstream::http {

class Connection final : public net::Watcher, public Answerer, public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerState& state, net::Transport transport, std::string peer);
  ~Connection();

  bool start();  // false: the loop has no room for it
  void on_ready(uint32_t events) override;
  void drain();            // closes when idle, else after the running request
  void close();            // at once; the exchange, if any, is told
  bool has_input() const;  // bytes have come that were not read yet

  void respond(const Request& request, Response response) override;
  std::unique_ptr<ByteSink> start_stream(const Request& request, Response head) override;
  void abandoned(const Request& request) override;

 private:
  enum class Phase : uint8_t { head, body, handling, writing, lingering, closed };
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // reading
  bool room_came();
  void take_first(std::string_view bytes);
  void become_h2(std::string_view bytes);
  void read();
  void take(std::string_view bytes);
  size_t consume(std::string_view bytes);
  void consume_pending();
  void begin_head();
  void head_arrived(bool body_waiting);
  void dispatch();
  void refuse(const Refusal& refusal);
  void answer_error(int status, std::string_view detail);

  // writing
  void send_response(const Request* request, Response response);
  void flush();
  void response_done();
  void linger();

  // time
  void set_deadline(int64_t delay_ms);
  void set_body_deadline();
  void arm();
  void on_timer();
  void on_deadline();

  void drop_body();
  void set_interest(uint32_t events);
  void list_as_idle(bool idle);
  bool is_idle() const { return phase_ == Phase::head && !head_started_; }

  struct Outgoing {
    std::string head;
    std::string body;
    size_t sent = 0;  // of both together
  };

  ServerState& state_;
  net::Transport transport_;
  const std::string peer_;
  RequestParser parser_;
  const Handler* handler_ = nullptr;         // of the request being read
  BodyLease lease_;                          // of the body being read
  std::weak_ptr<WaitingExchange> exchange_;  // while handling
  std::string pending_;  // bytes after the request being handled, or an incomplete head or chunk line
  Outgoing out_;
  std::list<Connection*>
      own_place_;  // holds place_ while it is not in state_.idle, so that moving it allocates nothing
  const std::list<Connection*>::iterator place_;
  net::Loop::TimerId timer_ = 0;
  int64_t deadline_ms_ = kNever;
  int64_t body_deadline_ms_ = kNever;  // no progress moves this one
  uint32_t interest_ = 0;
  Phase phase_ = Phase::head;
  bool fresh_ = true;           // which protocol the client speaks is not known yet
  bool head_started_ = false;   // a byte of the next request has come
  bool listed_idle_ = false;    // place_ is in state_.idle
  bool consuming_ = false;      // inside consume(): whoever answers returns into its loop
  bool close_after_ = false;    // this answer is the last
  bool input_unclear_ = false;  // the rest of this request was not read
};

}  // namespace millstream::http
