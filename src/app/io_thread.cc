#include "app/io_thread.h"

#include <pthread.h>

namespace millstream::app {

IoThread::IoThread(const IoThreadOptions& options, model::EventId start, log::EventLog& log, WorkQueue& readers,
                   const Clock& clock, metrics::Registry& metrics, const http::Router& router)
    : loop_(clock),
      replay_(options.replay, log, readers, loop_, clock),
      shard_(options.shard, start, replay_, clock, metrics, [this] { loop_.post([] {}); }),
      replays_(options.shard, loop_, replay_, metrics),
      server_(loop_, router, options.limits, options.hooks, metrics, options.bodies) {
  loop_.add_turn_end([this] {
    shard_.turn_end();
    server_.turn_end();
  });
}

void IoThread::run() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ms-io");
    loop_.post([this] { tick(); });
    loop_.run();
  });
}

void IoThread::tick() {
  shard_.tick();
  replays_.tick();
  loop_.after(hub::Shard::kTickMs, [this] { tick(); });
}

void IoThread::join() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

}  // namespace millstream::app
