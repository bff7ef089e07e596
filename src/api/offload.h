// api/offload.h: answers that need a thread that may block.
//
// Flow     handler (I/O loop) -> queue -> `make` on a worker thread -> answer back on the loop the request came from.
// Errors   queue full: 503.
// Thread   loop
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "base/work_queue.h"
#include "http/server.h"

namespace millstream::api {

// `make` must not touch the exchange: take what it needs of the request before.
void respond_from(WorkQueue& queue, http::ExchangePtr exchange, std::function<http::Response()> make);

// Whether the client still waits for its answer, for long work on a worker thread.
class ClientWatch {
 public:
  explicit ClientWatch(http::ExchangePtr exchange) : exchange_(std::move(exchange)) {}
  // What the loop knew when it was last asked; asks it again. Does not wait.
  bool gone();

 private:
  http::ExchangePtr exchange_;
  std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);
};

// The same for long work, which should look at the watch now and then and end early when nobody waits.
void respond_from(WorkQueue& queue, http::ExchangePtr exchange, std::function<http::Response(ClientWatch&)> make);

}  // namespace millstream::api
