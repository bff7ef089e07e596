// http/listener.h: accepts connections for a server.
//
// Flow     on_ready -> accept, at most a batch a turn so that a rush of new clients does not starve the others.
// Errors   Out of descriptors: the connection is taken with a descriptor kept in reserve and closed, so that the queue
//          does not stay readable for ever; without even that, accepting pauses for 100 ms. Counted, never fatal.
// Thread   loop
// Source   accept(2); the reserved descriptor is libev's advice ("The special problem of accept()ing when you can't")
#pragma once

#include <functional>
#include <string>

#include "base/unique_fd.h"
#include "metrics/registry.h"
#include "net/loop.h"

namespace millstream::http {

class Listener final : public net::Watcher {
 public:
  using Accepted = std::function<void(UniqueFd, std::string peer)>;

  Listener(net::Loop& loop, UniqueFd fd, metrics::Counter& errors, Accepted accepted);
  ~Listener();

  void on_ready(uint32_t events) override;

 private:
  bool accept_one();  // false: nothing more now
  bool take_failure(int error);
  void shed_one();
  void pause();

  net::Loop& loop_;
  UniqueFd fd_;
  UniqueFd reserve_;
  metrics::Counter& errors_;
  const Accepted accepted_;
  net::Loop::TimerId resume_ = 0;  // not 0: paused and unwatched
};

}  // namespace millstream::http
