#include "http/waiting_exchange.h"

#include <utility>

namespace millstream::http {

void WaitingExchange::respond(Response response) {
  if (Answerer* answerer = std::exchange(answerer_, nullptr)) answerer->respond(request_, std::move(response));
}

std::unique_ptr<ByteSink> WaitingExchange::start_stream(Response head) {
  Answerer* answerer = std::exchange(answerer_, nullptr);
  return answerer ? answerer->start_stream(request_, std::move(head)) : nullptr;
}

void WaitingExchange::dropped() {
  if (Answerer* answerer = std::exchange(answerer_, nullptr)) answerer->abandoned(request_);
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
