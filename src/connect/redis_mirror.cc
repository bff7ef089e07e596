#include "connect/redis_mirror.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/log_line.h"
#include "codec/event_json.h"

namespace millstream::connect {
namespace {

constexpr int64_t kPublishMs = 5'000;
constexpr int64_t kPauseFirstMs = 200;
constexpr int64_t kPauseMaxMs = 4'000;

std::string label(const RedisFeedOptions& options) { return "feed=\"" + options.name + "\""; }

size_t bytes_of(const std::vector<model::Event>& events) {
  size_t bytes = events.size() * sizeof(model::Event);
  for (const model::Event& event : events) bytes += event.data.size();
  return bytes;
}

}  // namespace

RedisMirror::RedisMirror(const RedisFeedOptions& options, const Clock& clock, metrics::Registry& metrics)
    : options_(options),
      published_(metrics.counter("millstream_redis_mirror_published_total", "Events published on the mirror's channel",
                                 label(options_))),
      dropped_(metrics.counter("millstream_redis_mirror_dropped_total",
                               "Events not published: Redis was away, or too slow", label(options_))),
      client_(options_.redis),
      pauses_(kPauseFirstMs, kPauseMaxMs, static_cast<uint64_t>(clock.steady_us())) {}

RedisMirror::~RedisMirror() { stop(); }

void RedisMirror::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ms-redis-mirror");
    run();
  });
}

void RedisMirror::ask_to_stop() {
  {
    const std::lock_guard lock(mu_);
    stopping_ = true;
  }
  changed_.notify_all();
  client_.interrupt();
}

void RedisMirror::stop() {
  ask_to_stop();
  if (thread_.joinable()) thread_.join();
}

void RedisMirror::offer(const Batch& batch) {
  const auto own = std::count_if(batch->begin(), batch->end(),
                                 [this](const model::Event& event) { return event.topic.account == options_.account; });
  if (own == 0 || !options_.may_inject()) return;
  {
    const std::lock_guard lock(mu_);
    if (queue_events_ >= kQueueEventsMax || queue_bytes_ >= kQueueBytesMax) {
      return dropped_.add(static_cast<uint64_t>(own));
    }
    queue_.push_back(batch);
    queue_events_ += batch->size();
    queue_bytes_ += bytes_of(*batch);
  }
  changed_.notify_one();
}

void RedisMirror::run() {
  while (const Batch batch = next_batch()) publish(*batch);
}

// Waits; null: the mirror is to stop.
RedisMirror::Batch RedisMirror::next_batch() {
  std::unique_lock lock(mu_);
  changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  if (stopping_) return nullptr;
  Batch batch = std::move(queue_.front());
  queue_.pop_front();
  queue_events_ -= batch->size();
  queue_bytes_ -= bytes_of(*batch);
  return batch;
}

void RedisMirror::publish(const std::vector<model::Event>& events) {
  redis::Commands commands;
  std::string message;
  for (const model::Event& event : events) {
    if (event.topic.account != options_.account) continue;
    message.clear();
    codec::append_event_json(event, message);
    commands.add({"PUBLISH", options_.mirror_channel, message});
    if (commands.count() < kPipelineEventsMax) continue;
    publish_some(commands);
    commands.clear();
  }
  if (commands.count() > 0) publish_some(commands);
}

void RedisMirror::publish_some(const redis::Commands& commands) {
  const Result<std::vector<redis::Reply>> replies = client_.run(commands, kPublishMs);
  if (!replies) return drop(commands.count(), replies.error().detail);
  const auto refused = std::find_if(replies->begin(), replies->end(), [](const auto& r) { return r.is_error(); });
  if (refused != replies->end()) return drop(commands.count(), refused->text);
  published_.add(commands.count());
  pauses_.succeeded();
  complaint_.clear();
}

// A Redis that stays away for a day is not worth thousands of lines.
void RedisMirror::drop(size_t count, std::string_view reason) {
  dropped_.add(count);
  std::unique_lock lock(mu_);
  if (stopping_) return;
  if (reason != complaint_) {
    complaint_ = reason;
    log_warning("redis mirror: events are dropped", {{"feed", options_.name}, {"reason", complaint_}});
  }
  changed_.wait_for(lock, std::chrono::milliseconds(pauses_.next_ms()), [this] { return stopping_; });
}

}  // namespace millstream::connect
