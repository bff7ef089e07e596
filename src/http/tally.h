// http/tally.h: how many connections a server has, streams included. Outlives the server while streams are open.
//
// Thread   counting: loop; reading: any
#pragma once

#include <atomic>
#include <cstddef>

#include "metrics/registry.h"
#include "net/loop.h"

namespace millstream::http {

struct Tally {
  net::Loop& loop;
  metrics::Gauge& connections_gauge;
  metrics::Gauge& streams_gauge;
  metrics::Gauge& http2_gauge;
  std::atomic<size_t> connections{0};

  void add(int n) {
    connections.fetch_add(static_cast<size_t>(n), std::memory_order_relaxed);
    connections_gauge.add(n);
  }
};

}  // namespace millstream::http
