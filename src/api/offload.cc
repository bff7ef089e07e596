#include "api/offload.h"

#include "api/problem.h"

namespace millstream::api {

bool ClientWatch::gone() {
  exchange_->loop().post([exchange = exchange_, gone = gone_] {
    if (!exchange->open()) *gone = true;
  });
  return *gone_;
}

void respond_from(WorkQueue& queue, http::ExchangePtr exchange, std::function<http::Response()> make) {
  respond_from(queue, std::move(exchange), [make = std::move(make)](ClientWatch&) { return make(); });
}

void respond_from(WorkQueue& queue, http::ExchangePtr exchange, std::function<http::Response(ClientWatch&)> make) {
  net::Loop& loop = exchange->loop();
  // The exchange moves along, so that its last reference is dropped on its own loop.
  auto job = [exchange, make = std::move(make), &loop]() mutable {
    ClientWatch watch(exchange);
    http::Response response = make(watch);
    loop.post([exchange = std::move(exchange), response = std::move(response)]() mutable {
      exchange->respond(std::move(response));
    });
  };
  if (!queue.post(std::move(job))) exchange->respond(problem(503, "too many requests are waiting; try again"));
}

}  // namespace millstream::api
