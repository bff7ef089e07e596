// log/redis/redis_lease.h: the lease as a key in Redis that expires unless its holder renews it.
//
// Flow     a thread of its own asks for it, renews it three times in its life, and gives it back at the end.
// Limits   after a crash of the holder someone else has it within duration_ms * 4 / 3.
// Errors   while Redis is away the lease runs out here as it does there: nobody holds it.
// Thread   start(), stop(): startup. term(): any
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "log/lease.h"
#include "log/redis/redis_store.h"
#include "metrics/registry.h"

namespace millstream::log {

struct RedisLeaseOptions {
  redis::Options server;
  std::string prefix = "millstream";
  std::string node;  // named to people as the holder
  int64_t duration_ms = 3'000;
  int64_t timeout_ms = 1'000;
};

class RedisLease final : public Lease {
 public:
  RedisLease(const RedisLeaseOptions& options, const Clock& clock, metrics::Registry& metrics);
  ~RedisLease() override;

  // Every fence will be above `fence`: some other store may know it, though Redis does not any more.
  void start(uint64_t fence = 0);
  void stop();  // gives it back, so that the next one need not wait
  Term term() const override;

 private:
  void run();
  Status ask();

  const RedisLeaseOptions options_;
  const std::string who_;  // no two processes have the same
  const Clock& clock_;
  metrics::Gauge& held_;
  metrics::Counter& terms_;

  // its thread
  RedisStore store_;

  mutable std::mutex mu_;
  std::condition_variable wake_;
  Term term_;                   // guarded by mu_
  int64_t valid_until_ms_ = 0;  // guarded by mu_; steady
  bool stopping_ = false;       // guarded by mu_

  std::thread thread_;
};

}  // namespace millstream::log
