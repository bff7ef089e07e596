#include "api/offload.h"

#include "api/problem.h"

namespace millstream::api {

void respond_from(WorkQueue& queue, http::ExchangePtr exchange, std::function<http::Response()> make) {
  net::Loop& loop = exchange->loop();
  // The exchange moves along, so that its last reference is dropped on its own loop.
  auto job = [exchange, make = std::move(make), &loop]() mutable {
    http::Response response = make();
    loop.post([exchange = std::move(exchange), response = std::move(response)]() mutable {
      exchange->respond(std::move(response));
    });
  };
  if (!queue.post(std::move(job))) exchange->respond(problem(503, "too many requests are waiting; try again"));
}

}  // namespace millstream::api
