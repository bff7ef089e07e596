#include "connect/redis_feed.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/log_line.h"
#include "connect/bridge_check.h"

namespace millstream::connect {
namespace {

constexpr int64_t kTurnMs = 1'000;
constexpr int64_t kCommandMs = 5'000;
constexpr int64_t kReconnectFirstMs = 200;
constexpr int64_t kReconnectMaxMs = 4'000;  // what is published meanwhile is lost

std::string label(const RedisFeedOptions& options) { return "feed=\"" + options.name + "\""; }

// ["message", channel, text]; empty: another reply, as the one to PING.
const std::string* text_of_message(const redis::Reply& reply) {
  const bool message = reply.items.size() == 3 && reply.items[0].text == "message";
  return message ? &reply.items[2].text : nullptr;
}

}  // namespace

RedisFeed::RedisFeed(RedisFeedOptions options, Sink& sink, const Clock& clock, metrics::Registry& metrics)
    : options_(std::move(options)),
      sink_(sink),
      clock_(clock),
      connected_(metrics.gauge("millstream_redis_feed_connected", "1: subscribed to the channel of this feed",
                               label(options_))),
      connects_(metrics.counter("millstream_redis_feed_connects_total",
                                "Subscriptions made; what is published between two is lost", label(options_))),
      messages_(metrics.counter("millstream_redis_feed_messages_total", "Messages read", label(options_))),
      skipped_(metrics.counter("millstream_redis_feed_skipped_total",
                               "Messages dropped because another instance stores them", label(options_))),
      retries_(metrics.counter("millstream_redis_feed_append_retries_total", "Times the log refused a batch",
                               label(options_))),
      client_(options_.redis),
      reconnects_(kReconnectFirstMs, kReconnectMaxMs, static_cast<uint64_t>(clock.steady_us())),
      complaints_("redis feed: not stored", options_.name, clock),
      writer_(
          sink, static_cast<uint64_t>(clock.steady_us()),
          [this](const Error& error) {
            retries_.add();
            complaints_.add("", "the log refuses: " + error.detail, 0);
          },
          [this](int64_t ms) { return pause(ms); }) {
  for (const std::string_view reason : kRefusalNames) {
    refused_.push_back(&metrics.counter("millstream_redis_feed_refused_total", "Messages refused, by reason",
                                        label(options_) + ",reason=\"" + std::string(reason) + "\""));
  }
}

RedisFeed::~RedisFeed() { stop(); }

void RedisFeed::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ms-redis-feed");
    run();
  });
}

void RedisFeed::ask_to_stop() {
  {
    const std::lock_guard lock(mu_);
    stopping_ = true;
  }
  stopped_.notify_all();
  client_.interrupt();
}

void RedisFeed::stop() {
  ask_to_stop();
  if (thread_.joinable()) thread_.join();
}

void RedisFeed::run() {
  std::string complaint;
  while (!stopping()) {
    const Status subscribed = subscribe();
    Status ended = subscribed;
    if (subscribed) {
      connects_.add();
      connected_.set(1);
      reconnects_.succeeded();
      log_info("redis feed: subscribed",
               {{"feed", options_.name}, {"server", client_.server()}, {"channel", options_.channel}});
      complaint.clear();
      ended = serve();
      connected_.set(0);
    }
    client_.close();
    if (stopping()) break;
    if (!ended && ended.error().detail != complaint) {
      complaint = ended.error().detail;
      log_warning(subscribed ? "redis feed: the connection ended; what is published until the next one is lost"
                             : "redis feed: cannot subscribe; trying again",
                  {{"feed", options_.name}, {"reason", complaint}});
    }
    pause(reconnects_.next_ms());
  }
}

Status RedisFeed::subscribe() {
  const Result<redis::Reply> reply = client_.run({"SUBSCRIBE", options_.channel}, kCommandMs);
  if (!reply) return reply.error();
  if (reply->is_error()) return Error{Code::unavailable, reply->text};
  heard_ms_ = asked_ms_ = clock_.steady_ms();
  return {};
}

Status RedisFeed::serve() {
  while (true) {
    const Status read = read_batch();
    const std::vector<model::Event> events = std::exchange(batch_, {});
    batch_messages_ = batch_bytes_ = 0;
    if (!writer_.store(events) || stopping()) return {};
    if (!read) return read;
  }
}

// What there is, up to a batch; waits for the first message only.
Status RedisFeed::read_batch() {
  int64_t wait_ms = std::min(kTurnMs, options_.ping_ms);
  while (batch_messages_ < kBatchMessagesMax && batch_bytes_ < kBatchBytesMax) {
    const Result<std::optional<redis::Reply>> reply = client_.next_message(wait_ms);
    if (!reply) return reply.error();
    if (!*reply) return keep_alive();
    heard_ms_ = clock_.steady_ms();
    take(**reply);
    wait_ms = 0;
  }
  return {};
}

// A server that has gone without a word would else be waited for for ever.
Status RedisFeed::keep_alive() {
  const int64_t now_ms = clock_.steady_ms();
  if (now_ms - heard_ms_ >= options_.silence_max_ms)
    return Error{Code::unavailable, "the server says nothing any more"};
  if (now_ms - std::max(heard_ms_, asked_ms_) < options_.ping_ms) return {};
  asked_ms_ = now_ms;
  return client_.send(redis::Commands().add({"PING"}), kCommandMs);
}

void RedisFeed::take(const redis::Reply& reply) {
  const std::string* message = text_of_message(reply);
  if (!message) return;
  messages_.add();
  ++batch_messages_;
  batch_bytes_ += message->size();
  if (!options_.may_inject()) return skipped_.add();
  take_message(*message);
}

void RedisFeed::take_message(std::string_view message) {
  if (message.size() > kJsonBodyBytesMax) {
    return refuse(Refusal::too_large, "", std::to_string(message.size()) + " bytes");
  }
  Result<codec::BridgeEvent> event = codec::parse_bridge_event(message, options_.name, clock_.wall_ms());
  if (!event) {
    const bool large = event.error().code == Code::too_large;
    return refuse(large ? Refusal::too_large : Refusal::malformed, "", event.error().detail);
  }
  take_event(std::move(*event));
}

void RedisFeed::take_event(codec::BridgeEvent event) {
  const std::string topic = event.topic.text();
  if (event.topic.account != options_.account) return refuse(Refusal::account, topic, "of another account");
  if (sink_.wait_ms(options_.account) > 0) return refuse(Refusal::quota, topic, "the account is over its rate limit");
  Result<std::vector<model::Event>> events = check_bridge_event(sink_, std::move(event));
  if (!events) return refuse(Refusal::not_admitted, topic, events.error().detail);
  for (model::Event& each : *events) batch_.push_back(std::move(each));
}

void RedisFeed::refuse(Refusal why, std::string_view topic, std::string_view detail) {
  refused_[static_cast<size_t>(why)]->add();
  complaints_.add(topic, detail, 1);
}

// False: the feed is to stop.
bool RedisFeed::pause(int64_t ms) {
  std::unique_lock lock(mu_);
  return !stopped_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stopping(); });
}

}  // namespace millstream::connect
