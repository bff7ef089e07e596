// app/channel_sender.h: sends what is pending for one channel, by a thread of its own.
//
// Flow     the delivery book says what is pending; one notification at a time is sent; how that went is appended to the
//          log, comes round, and takes it out of the book.
// Rules    Notifications of a group go in the order they were decided; one that must wait holds up no other group.
//          At least once: what the receiver took is sent again only if the process ends before the log has the result.
//          Tries again after retry_min, doubled up to retry_max and drawn at random below, or Retry-After if that is
//          longer; gives up once the decision is give_up_after old.
// Limits   those of the book; one connection a channel, so that a dead receiver holds up no other.
// Errors   none returned: "notification_result" events (of tries that failed: the first, and when the reason changes),
// a
//          log line with each of those, and metrics.
// Thread   any
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "app/channel_options.h"
#include "app/channel_transfer.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/guarded.h"
#include "base/result.h"
#include "log/event_log.h"
#include "metrics/registry.h"
#include "notify/channels.h"
#include "notify/delivery_book.h"

namespace millstream::app {

class ChannelSender {
 public:
  // Everything named here outlives it, and so does the log's thread outlive run().
  ChannelSender(ChannelOptions channel, std::string external_url, const notify::Channels& channels,
                notify::DeliveryBook& book, log::EventLog& log, const Clock& clock, metrics::Registry& metrics);
  ~ChannelSender();  // stop()
  ChannelSender(const ChannelSender&) = delete;
  ChannelSender& operator=(const ChannelSender&) = delete;

  // Not before the engines have caught up with the log: until then what was sent long ago seems to be pending.
  void start();
  void ask_to_stop();  // does not wait
  void stop();         // within about a second, as libcurl asks whether to go on

 private:
  struct Attempts {
    Backoff backoff;
    uint32_t made = 0;
    int64_t next_ms = 0;
    std::string told = {};  // the reason that was told last
    // The receiver has answered for good: until the log has it, nothing else is to be done.
    std::optional<model::DeliveryResult> ended = {};
    bool in_flight = false;  // the log is being asked to take it
  };
  using ById = std::map<std::pair<model::AccountId, std::string>, Attempts>;

  void run();
  void take_answers();
  void forget_gone(const std::vector<notify::Delivery>& pending);
  // The next to be sent; nullptr: none is due before `until_ms`.
  const notify::Delivery* choose(const std::vector<notify::Delivery>& pending, int64_t now_ms, int64_t& until_ms);
  Attempts& attempts_for(const notify::Delivery& delivery);
  void attempt(const notify::Delivery& delivery, Attempts& attempts, int64_t now_ms);
  void report(const model::Notification& notification, const Outcome& outcome);
  void failed(const model::Notification& notification, Attempts& attempts, const Outcome& outcome, int64_t now_ms);
  void end(const model::Notification& notification, Attempts& attempts, model::DeliveryState state,
           const std::string& reason);
  void append(const model::Notification& notification, const model::DeliveryResult& result, bool is_final);

  const ChannelOptions channel_;
  const notify::Channels& channels_;
  notify::DeliveryBook& book_;
  log::EventLog& log_;
  const Clock& clock_;
  metrics::Counter& sent_;
  metrics::Counter& failed_;
  metrics::Counter& retries_;
  metrics::Gauge& pending_gauge_;

  ChannelTransfer transfer_;  // of the sender's thread
  ById attempts_;             // of the sender's thread
  uint64_t seed_ = 0;         // of the sender's thread
  std::string complaint_;     // of the sender's thread: why the last try failed; empty: it did not

  // What the log has answered to results: of the log's thread, for the sender's.
  struct Answer {
    std::pair<model::AccountId, std::string> id;
    bool stored = false;
  };
  Guarded<std::vector<Answer>> answers_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace millstream::app
