// api/offload.h: answers that need a thread that may block.
//
// Flow     handler (I/O loop) -> queue -> `make` on a worker thread -> answer back on the loop the request came from.
// Errors   queue full: 503.
// Thread   loop
#pragma once

#include <functional>

#include "base/work_queue.h"
#include "http/server.h"

namespace millstream::api {

// `make` must not touch the exchange: take what it needs of the request before.
void respond_from(WorkQueue& queue, http::ExchangePtr exchange, std::function<http::Response()> make);

}  // namespace millstream::api
