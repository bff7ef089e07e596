// connect/redis_mirror.h: one [[redis_feeds]] entry, outwards: every event of an account, as the log has committed it,
// is published on a channel of Redis.
//
// Flow     offer() on the log's thread -> a bounded queue of batches -> the mirror's own thread -> JSON -> PUBLISH, in
//          pipelines.
// Shapes   the event object of the wire contract: {id, ts, topic, type, data}; id is the log's. In the order of ids.
// Limits   kQueueEventsMax events or kQueueBytesMax bytes of batches wait. What comes then, and what Redis does not
// take, is
//          dropped and counted: at most once, as Pub/Sub is.
// Thread   startup: start(), stop(); any: offer()
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/backoff.h"
#include "base/clock.h"
#include "connect/redis_feed.h"
#include "metrics/registry.h"
#include "model/event.h"
#include "redis/client.h"

namespace millstream::connect {

class RedisMirror {
 public:
  static constexpr size_t kQueueEventsMax = 50'000;
  static constexpr size_t kQueueBytesMax = 16 << 20;
  static constexpr size_t kPipelineEventsMax = 1000;

  // options.mirror_channel is not empty.
  RedisMirror(const RedisFeedOptions& options, const Clock& clock, metrics::Registry& metrics);
  ~RedisMirror();  // stop()
  RedisMirror(const RedisMirror&) = delete;
  RedisMirror& operator=(const RedisMirror&) = delete;

  void start();
  void ask_to_stop();  // does not wait
  void stop();         // what still waits is dropped

  using Batch = std::shared_ptr<const std::vector<model::Event>>;
  // Keeps the batch until its events of the account are published.
  void offer(const Batch& batch);

 private:
  void run();
  Batch next_batch();
  void publish(const std::vector<model::Event>& events);
  void publish_some(const redis::Commands& commands);
  void drop(size_t count, std::string_view reason);

  const RedisFeedOptions options_;
  metrics::Counter& published_;
  metrics::Counter& dropped_;
  redis::Client client_;  // mirror's thread, but for interrupt()

  // mirror's thread
  Backoff pauses_;
  std::string complaint_;

  std::mutex mu_;
  std::condition_variable changed_;
  std::deque<Batch> queue_;  // guarded by mu_, and so are those below
  size_t queue_events_ = 0;
  size_t queue_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace millstream::connect
