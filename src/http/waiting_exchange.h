// http/waiting_exchange.h: the server's side of an Exchange.
//
// Flow     make_exchange() for a handler; whoever drops the last ExchangePtr, on whatever thread, has it destroyed on
//          the loop. Dropped without an answer, the client gets a 500. The loop must outlive every exchange.
// Thread   loop; dropping an ExchangePtr: any
#pragma once

#include <memory>
#include <utility>

#include "http/body_budget.h"
#include "http/server.h"

namespace millstream::http {

// Who can send the answer: a connection of HTTP/1.1, a stream of HTTP/2. Each is called once at most.
class Answerer {
 public:
  virtual void respond(const Request& request, Response response) = 0;
  virtual std::unique_ptr<ByteSink> start_stream(const Request& request, Response head) = 0;
  virtual void abandoned(const Request& request) = 0;  // dropped by its handler without an answer

 protected:
  ~Answerer() = default;
};

class WaitingExchange final : public Exchange {
 public:
  WaitingExchange(Answerer* answerer, net::Loop& loop, Request request, BodyLease lease)
      : answerer_(answerer), loop_(loop), request_(std::move(request)), lease_(std::move(lease)) {}

  const Request& request() const override { return request_; }
  Request& request() override { return request_; }
  net::Loop& loop() override { return loop_; }
  bool open() const override { return answerer_ != nullptr; }
  void respond(Response response) override;
  std::unique_ptr<ByteSink> start_stream(Response head) override;

  void client_gone() { answerer_ = nullptr; }
  void dropped();

 private:
  Answerer* answerer_;  // null once answered or gone
  net::Loop& loop_;
  Request request_;
  const BodyLease lease_;  // of its body, wherever a handler has moved that to
};

// What a handler holds. The connection keeps a weak reference: after the loop has ended, exchanges end where they are
// dropped, perhaps before their connection.
ExchangePtr make_exchange(std::shared_ptr<WaitingExchange> exchange);

}  // namespace millstream::http
