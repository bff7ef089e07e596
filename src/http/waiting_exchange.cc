#include "http/waiting_exchange.h"

#include <utility>

namespace millstream::http {

void WaitingExchange::respond(Response response) {
  if (Connection* connection = std::exchange(connection_, nullptr)) connection->respond(request_, std::move(response));
}

std::unique_ptr<ByteSink> WaitingExchange::start_stream(Response head) {
  Connection* connection = std::exchange(connection_, nullptr);
  return connection ? connection->start_stream(request_, std::move(head)) : nullptr;
}

void WaitingExchange::dropped() {
  if (Connection* connection = std::exchange(connection_, nullptr)) connection->abandoned(request_);
}

ExchangePtr make_exchange(std::shared_ptr<WaitingExchange> exchange) {
  WaitingExchange* const raw = exchange.get();
  return ExchangePtr(raw, [owned = std::move(exchange)](WaitingExchange* last) mutable {
    net::Loop& loop = last->loop();
    if (loop.on_thread()) {
      const auto now = std::move(owned);
      now->dropped();
    } else {
      loop.post([later = std::move(owned)] { later->dropped(); });
    }
  });
}

}  // namespace millstream::http
