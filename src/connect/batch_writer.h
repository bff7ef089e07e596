// connect/batch_writer.h: events of a feed into the log: handed over, waited for until they are durable, tried again.
//
// Limits   append() is given kAppendEventsMax events at a time.
// Errors   A log that refuses is asked again, with back-off, until the owner stops; `refused` hears of each time.
// Thread   one thread at a time
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "base/backoff.h"
#include "connect/sink.h"

namespace millstream::connect {

class BatchWriter {
 public:
  static constexpr size_t kAppendEventsMax = 4096;
  using Refused = std::function<void(const Error& error)>;
  using Pause = std::function<bool(int64_t ms)>;  // false: the owner stops

  BatchWriter(Sink& sink, uint64_t seed, Refused refused, Pause pause);

  // Until all of them are durable. False: the owner stops, and they are not.
  bool store(const std::vector<model::Event>& events);

 private:
  Status append_once(std::vector<model::Event> events);

  Sink& sink_;
  const Refused refused_;
  const Pause pause_;
  Backoff backoff_;
  std::mutex mu_;
  std::condition_variable answered_;
  std::optional<Status> answer_;  // guarded by mu_
};

}  // namespace millstream::connect
