// connect/redis_feed.h: one [[redis_feeds]] entry, inwards: a thread that reads a channel of Redis Pub/Sub and stores
// the events that existing services publish there.
//
// Flow     SUBSCRIBE -> read what is there, up to a batch -> parse, check -> append -> wait until it is durable -> read
// on.
// Shapes   At most once: Pub/Sub keeps nothing. What is published while no connection stands is lost, and nobody can
// say
//          how much; each new connection is counted and logged. The publisher's id is kept in the data, its order is
//          not. While may_inject() is false messages are read, dropped and counted: another instance stores them.
// Limits   kBatchMessagesMax messages or kBatchBytesMax bytes of them in memory, kJsonBodyBytesMax a message. While the
//          log takes its time messages wait in Redis, which ends a connection that is too far behind
//          (client-output-buffer-limit pubsub). An account over its rate limit is dropped and counted, not waited for.
// Errors   A message that cannot be stored is counted by reason and logged (complaints.h). A connection that ends, or
//          says nothing for silence_max_ms although it is asked, is made again, with back-off.
// Thread   startup: start(), stop() (before the log stops). The feed's own thread does the rest
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/backoff.h"
#include "base/clock.h"
#include "codec/bridge_event.h"
#include "connect/batch_writer.h"
#include "connect/complaints.h"
#include "connect/sink.h"
#include "metrics/registry.h"
#include "redis/client.h"

namespace millstream::connect {

struct RedisFeedOptions {
  std::string name;
  redis::Options redis;
  std::string channel = "stream-events";
  model::AccountId account;         // whose events alone are taken
  std::string mirror_channel;       // empty: nothing is published (redis_mirror.h)
  int64_t ping_ms = 10'000;         // of silence, after which the server is asked whether it is there
  int64_t silence_max_ms = 30'000;  // after which it is not
  // Of several instances on one channel only one may store its events, and publish those of the log.
  std::function<bool()> may_inject = [] { return true; };
};

class RedisFeed {
 public:
  static constexpr size_t kBatchMessagesMax = 1000;
  static constexpr size_t kBatchBytesMax = 4 << 20;

  RedisFeed(RedisFeedOptions options, Sink& sink, const Clock& clock, metrics::Registry& metrics);
  ~RedisFeed();  // stop()
  RedisFeed(const RedisFeed&) = delete;
  RedisFeed& operator=(const RedisFeed&) = delete;

  void start();
  void ask_to_stop();  // does not wait
  void stop();         // what was read is stored, if the log takes it

 private:
  enum class Refusal { malformed, too_large, account, quota, not_admitted };
  static constexpr std::array<std::string_view, 5> kRefusalNames = {"malformed", "too_large", "account", "quota",
                                                                    "not_admitted"};

  void run();
  Status subscribe();
  Status serve();
  Status read_batch();
  Status keep_alive();
  void take(const redis::Reply& reply);
  void take_message(std::string_view message);
  void take_event(codec::BridgeEvent event);
  void refuse(Refusal why, std::string_view topic, std::string_view detail);
  bool pause(int64_t ms);
  bool stopping() const { return stopping_.load(); }

  const RedisFeedOptions options_;
  Sink& sink_;
  const Clock& clock_;
  metrics::Gauge& connected_;
  metrics::Counter& connects_;
  metrics::Counter& messages_;
  metrics::Counter& skipped_;
  metrics::Counter& retries_;
  std::vector<metrics::Counter*> refused_;  // by Refusal

  redis::Client client_;  // feed's thread, but for interrupt()

  // feed's thread
  Backoff reconnects_;
  Complaints complaints_;
  BatchWriter writer_;
  std::vector<model::Event> batch_;
  size_t batch_messages_ = 0;
  size_t batch_bytes_ = 0;
  int64_t heard_ms_ = 0;  // when the server last said anything
  int64_t asked_ms_ = 0;  // when it was last asked to

  std::atomic<bool> stopping_{false};
  std::mutex mu_;
  std::condition_variable stopped_;
  std::thread thread_;
};

}  // namespace millstream::connect
