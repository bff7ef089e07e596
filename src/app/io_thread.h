// app/io_thread.h: one I/O thread: a loop with its hub shard, its replays and its HTTP server.
//
// Thread   startup, except where said
#pragma once

#include <memory>
#include <thread>

#include "api/replays.h"
#include "app/log_replay.h"
#include "http/server.h"
#include "hub/shard.h"
#include "net/loop.h"

namespace millstream::app {

struct IoThreadOptions {
  LogReplayOptions replay;
  hub::ShardOptions shard;
  http::ServerLimits limits;
  http::ServerHooks hooks;
  std::shared_ptr<http::BodyBudget> bodies;  // one for all threads
};

class IoThread {
 public:
  IoThread(const IoThreadOptions& options, model::EventId start, log::EventLog& log, WorkQueue& readers,
           const Clock& clock, metrics::Registry& metrics, const http::Router& router);

  net::Loop& loop() { return loop_; }
  hub::Shard& shard() { return shard_; }
  api::Replays& replays() { return replays_; }
  http::Server& server() { return server_; }

  void run();   // starts the thread
  void join();  // stops the loop and waits

 private:
  void tick();

  net::Loop loop_;
  LogReplay replay_;
  hub::Shard shard_;
  api::Replays replays_;
  http::Server server_;
  std::thread thread_;
};

}  // namespace millstream::app
