// net/loop.h: one thread's readiness loop: sockets, timers and an inbox.
//
// Flow     run() on its own thread; everything registered here is called on that thread.
// Shapes   times in steady milliseconds (Clock::steady_ms).
// Limits   a turn spends at most kEventsTurnUs on its sockets before tasks, timers and turn ends come; the rest of the
//          sockets follow in the next turn. A rush of requests does not hold up what others wait for.
// Thread   loop, except post(), stop() and on_thread(): any
// Source   epoll(7), eventfd(2). Why not Asio: docs/decisions/own-readiness-loop.md
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "metrics/registry.h"

namespace millstream::net {

// A file descriptor's owner. Events as in epoll (EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR).
class Watcher {
 public:
  virtual void on_ready(uint32_t events) = 0;

 protected:
  ~Watcher() = default;
};

class Loop {
 public:
  using TimerId = uint64_t;  // 0: no timer
  static constexpr int64_t kEventsTurnUs = 1000;
  static constexpr int64_t kTimersLateMsMax = 100;  // so long timers wait for sockets that are ready

  explicit Loop(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();   // until stop(); binds the loop to the calling thread
  void stop();  // any thread

  // Any thread; runs on the loop in posting order, together with everything else waiting then (one wake).
  // Tasks posted after the loop ended are destroyed unrun.
  void post(std::function<void()> task);
  bool on_thread() const;

  // The watcher must outlive its registration. unwatch() may be called from inside on_ready, for any watcher: no event
  // of this turn reaches it after that. False: the kernel has no room for another registration.
  bool watch(int fd, uint32_t events, Watcher* watcher);
  void change(int fd, uint32_t events, Watcher* watcher);
  void unwatch(int fd, Watcher* watcher);

  // Runs once, not before `delay_ms` from now, with the wheel's grain of 16 ms.
  TimerId after(int64_t delay_ms, std::function<void()> task);
  void cancel(TimerId id);  // unknown or expired ids are ignored

  int64_t now_ms() const { return now_ms_; }  // steady, read once a turn
  const Clock& clock() const { return clock_; }

  // Something to run after each turn's events and tasks, before sleeping (for batching writes). At most a few.
  void add_turn_end(std::function<void()> task);

  // How long each turn kept the thread busy goes there (nothing may block a loop: this shows what did).
  // Call before run(); nullptr: not measured.
  void set_turn_histogram(metrics::Histogram* histogram);

 private:
  void turn();
  bool deliver_events(int count, int64_t end_us);
  void run_inbox();
  int sleep_ms() const;

  struct Impl;
  const Clock& clock_;
  int64_t now_ms_ = 0;
  int64_t last_all_delivered_ms_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millstream::net
