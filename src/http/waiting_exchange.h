// http/waiting_exchange.h: the server's side of an Exchange.
//
// Flow     make_exchange() for a handler; whoever drops the last ExchangePtr, on whatever thread, has it destroyed on
//          the loop. Dropped without an answer, the client gets a 500. The loop must outlive every exchange.
// Thread   loop; dropping an ExchangePtr: any
#pragma once

#include "http/connection.h"
#include "http/server.h"

namespace millstream::http {

class WaitingExchange final : public Exchange {
 public:
  WaitingExchange(Connection* connection, net::Loop& loop, Request request, BodyLease lease)
      : connection_(connection), loop_(loop), request_(std::move(request)), lease_(std::move(lease)) {}

  const Request& request() const override { return request_; }
  Request& request() override { return request_; }
  net::Loop& loop() override { return loop_; }
  bool open() const override { return connection_ != nullptr; }
  void respond(Response response) override;
  std::unique_ptr<ByteSink> start_stream(Response head) override;

  void client_gone() { connection_ = nullptr; }
  void dropped();

 private:
  Connection* connection_;  // null once answered or gone
  net::Loop& loop_;
  Request request_;
  const BodyLease lease_;  // of its body, wherever a handler has moved that to
};

// What a handler holds. The connection keeps a weak reference: after the loop has ended, exchanges end where they are
// dropped, perhaps before their connection.
ExchangePtr make_exchange(std::shared_ptr<WaitingExchange> exchange);

}  // namespace millstream::http
