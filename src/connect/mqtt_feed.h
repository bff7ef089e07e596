// connect/mqtt_feed.h: one [[mqtt]] feed: a thread that reads a broker, stores what it says, and only then acknowledges
// it.
//
// Flow     connect -> read what is there, up to a batch -> decode, check -> append -> wait until it is durable ->
// acknowledge
//          the batch -> read on. While the log takes its time the broker's messages wait in the broker.
// Shapes   At least once (QoS 1): a message that was stored and not acknowledged comes again, and is stored again.
// Limits   kBatchMessagesMax messages or kBatchBytesMax bytes of them in memory.
// Errors   A message that cannot be stored is counted by reason, logged (complaints.h) and acknowledged, so that it
// does not come for ever. A log that refuses is asked again, with back-off, and
//          nothing is acknowledged meanwhile. A connection that ends is made again, with back-off.
// Thread   startup: start(), stop() (before the log stops). The feed's own thread does the rest
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "connect/batch_writer.h"
#include "connect/complaints.h"
#include "connect/feed_decoder.h"
#include "connect/feed_options.h"
#include "connect/mqtt_client.h"
#include "connect/sink.h"
#include "metrics/registry.h"

namespace millstream::connect {

class MqttFeed {
 public:
  static constexpr size_t kBatchMessagesMax = MqttClient::kUnacknowledgedMax;
  static constexpr size_t kBatchBytesMax = 4 << 20;

  MqttFeed(FeedOptions options, Sink& sink, const Clock& clock, metrics::Registry& metrics);
  ~MqttFeed();  // stop()
  MqttFeed(const MqttFeed&) = delete;
  MqttFeed& operator=(const MqttFeed&) = delete;

  void start();
  void ask_to_stop();  // does not wait
  // What was read is stored and acknowledged, if the log takes it; the rest stays with the broker.
  void stop();

 private:
  struct Batch {
    std::vector<model::Event> events;
    std::vector<Outgoing> answers;
    size_t messages = 0;
    size_t bytes = 0;
    int64_t wait_ms = 0;
  };

  void run();
  Status serve(MqttClient& client);
  Status read_batch(MqttClient& client);
  void take(const Message& message);
  void take_reports(std::vector<Report> reports, Intake& intake);
  bool pause(int64_t ms);
  bool stopping() const { return stopping_.load(); }

  const FeedOptions options_;
  Sink& sink_;
  const Clock& clock_;
  metrics::Gauge& connected_;
  metrics::Counter& connects_;
  metrics::Counter& messages_;
  metrics::Counter& batches_;
  metrics::Counter& retries_;
  metrics::Counter& rebirths_;
  std::vector<metrics::Counter*> refused_;  // by Refusal

  // feed's thread
  FeedDecoder decoder_;
  Batch batch_;
  Backoff reconnects_;
  Complaints complaints_;
  BatchWriter writer_;

  UniqueFd wake_;  // readable when stopping
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace millstream::connect
