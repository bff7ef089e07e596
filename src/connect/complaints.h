// connect/complaints.h: what a feed could not store, in the log: one line now and then, with how many there were.
//
// Thread   one thread at a time
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log_line.h"

namespace millstream::connect {

class Complaints {
 public:
  static constexpr int64_t kEveryMs = 10'000;

  // "mqtt: not stored" and the feed's name.
  Complaints(std::string line, std::string feed, const Clock& clock)
      : line_(std::move(line)), feed_(std::move(feed)), clock_(clock) {}

  void add(std::string_view topic, std::string_view reason, size_t count) {
    count_ += count;
    const int64_t now_ms = clock_.steady_ms();
    if (told_ms_ && now_ms - *told_ms_ < kEveryMs) return;
    told_ms_ = now_ms;
    log_warning(line_, {{"feed", feed_}, {"topic", topic}, {"reason", reason}, {"refused_since_last_line", count_}});
    count_ = 0;
  }

 private:
  const std::string line_;
  const std::string feed_;
  const Clock& clock_;
  size_t count_ = 0;  // not told yet
  std::optional<int64_t> told_ms_;
};

}  // namespace millstream::connect
