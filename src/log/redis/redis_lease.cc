#include "log/redis/redis_lease.h"

#include <pthread.h>

#include <chrono>

#include "base/log_line.h"

namespace millstream::log {
RedisLease::RedisLease(const RedisLeaseOptions& options, const Clock& clock, metrics::Registry& metrics)
    : options_(options),
      who_(options.node + '/' + random_name()),
      clock_(clock),
      held_(metrics.gauge("millstream_lease_held", "1: this instance draws the conclusions of all")),
      terms_(metrics.counter("millstream_lease_terms_total", "Times this instance took the lease")),
      store_(options.server, options.prefix, options.timeout_ms) {}

RedisLease::~RedisLease() { stop(); }

void RedisLease::start(uint64_t fence) {
  term_.fence = fence;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "ms-lease");
    run();
  });
}

void RedisLease::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mu_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Term RedisLease::term() const {
  std::lock_guard lock(mu_);
  Term term = term_;
  term.mine = term.mine && clock_.steady_ms() < valid_until_ms_;
  return term;
}

void RedisLease::run() {
  std::unique_lock lock(mu_);
  while (!stopping_) {
    lock.unlock();
    const Status asked = ask();
    lock.lock();
    if (!asked && term_.mine && clock_.steady_ms() >= valid_until_ms_) {
      log_warning("the lease has run out", {{"reason", asked.error().detail}});
      term_.mine = false;
      held_.set(0);
    }
    wake_.wait_for(lock, std::chrono::milliseconds(options_.duration_ms / 3), [this] { return stopping_; });
  }
  const bool held = std::exchange(term_.mine, false);
  lock.unlock();
  held_.set(0);
  if (held) (void)store_.release_lease(who_);
}

Status RedisLease::ask() {
  const int64_t asked_at_ms = clock_.steady_ms();
  const uint64_t known = term().fence;
  const Result<RedisLeaseAnswer> answer = store_.take_or_renew_lease(who_, options_.duration_ms, known);
  if (!answer) return answer.error();
  const Term heard{.fence = answer->fence,
                   .mine = answer->held,
                   .holder = answer->holder.substr(0, answer->holder.rfind('/')),
                   .attended_until_ms = answer->attended_until_ms,
                   .since_ms = answer->since_ms};
  std::lock_guard lock(mu_);
  if (heard.fence != term_.fence || heard.mine != term_.mine) {
    log_info(heard.mine ? "this instance holds the lease" : "another instance holds the lease",
             {{"fence", heard.fence}, {"holder", heard.holder}});
    if (heard.mine) terms_.add();
  }
  term_ = heard;
  valid_until_ms_ = asked_at_ms + options_.duration_ms;
  held_.set(heard.mine ? 1 : 0);
  return {};
}

}  // namespace millstream::log
