// app/reconnect.h: what to do when a stream has ended: come back, when, or give up.
//
// Shapes   200 that ended, no answer, 408, 425, 429, 5xx: come back. 204: the server says that is all. Any other
// status,
//          or a 200 that is no event stream: it would answer the same again, so stop with a clear line.
//          The wait is the stream's last "retry:" (3 s before there was one), doubled at every failure in a row up to
//          30 s and drawn at random above the base, so that many clients do not come back in step; Retry-After is kept.
// Thread   one thread at a time
// Source   WHATWG HTML 9.2.3
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>

namespace millstream::app {

struct StreamEnd {
  int status = 0;             // 0: no answer
  bool event_stream = false;  // Content-Type: text/event-stream
  bool received = false;      // bytes came: the failures before it are forgotten
  std::string detail;         // the server's or the network's words
  std::optional<int64_t> retry_ms;
  std::optional<int64_t> retry_after_ms;
};

struct Reconnect {
  bool stop = false;
  int exit_code = 0;    // when stop
  int64_t wait_ms = 0;  // when not
  std::string message;  // one line for standard error
};

class ReconnectPolicy {
 public:
  static constexpr int64_t kBaseMs = 3'000;
  static constexpr int64_t kCeilingMs = 30'000;

  explicit ReconnectPolicy(uint64_t seed) : random_(seed) {}
  Reconnect next(const StreamEnd& end);

 private:
  int64_t wait_ms(const StreamEnd& end);

  std::mt19937_64 random_;
  int failures_ = 0;
};

// Notices that a connection is dead although nobody closed it: a live stream is never silent for long.
class Watchdog {
 public:
  static constexpr int64_t kSilenceMs = 60'000;

  explicit Watchdog(int64_t now_ms) : last_ms_(now_ms) {}
  void bytes_came(int64_t now_ms) { last_ms_ = now_ms; }
  bool barks(int64_t now_ms) const { return now_ms - last_ms_ >= kSilenceMs; }

 private:
  int64_t last_ms_;
};

}  // namespace millstream::app
