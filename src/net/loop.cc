#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/unique_fd.h"
#include "net/timer_wheel.h"

namespace millstream::net {

namespace {
constexpr int kEventsPerTurnMax = 512;
}

struct Loop::Impl {
  explicit Impl(int64_t now_ms) : wheel(now_ms) {}

  // constant after construction
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  UniqueFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  metrics::Histogram* turn_histogram = nullptr;

  // loop-confined
  TimerWheel wheel;
  std::vector<std::function<void()>> turn_ends;
  std::vector<std::function<void()>> running;
  std::array<epoll_event, kEventsPerTurnMax> events;
  int event_next = 0;  // events[event_next, event_count) are still to be delivered in this turn
  int event_count = 0;
  bool stopping = false;
  bool posted_by_self = false;  // so that the loop does not sleep, though nobody wrote to `wake`

  std::atomic<std::thread::id> runner{};

  std::mutex mu;
  std::vector<std::function<void()>> inbox;  // guarded by mu
  bool wake_sent = false;                    // guarded by mu: one write for all tasks of a turn
  bool ended = false;                        // guarded by mu
};

Loop::Loop(const Clock& clock)
    : clock_(clock),
      now_ms_(clock.steady_ms()),
      last_all_delivered_ms_(now_ms_),
      impl_(std::make_unique<Impl>(now_ms_)) {
  MS_CHECK(impl_->epoll && impl_->wake);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = impl_.get();  // no Watcher has that address
  MS_CHECK(::epoll_ctl(impl_->epoll.get(), EPOLL_CTL_ADD, impl_->wake.get(), &event) == 0);
}

Loop::~Loop() = default;

void Loop::run() {
  Impl& impl = *impl_;
  impl.runner = std::this_thread::get_id();
  while (!impl.stopping) turn();
  impl.runner = std::thread::id();
  std::vector<std::function<void()>> unrun;
  {
    std::lock_guard lock(impl.mu);
    impl.ended = true;
    unrun.swap(impl.inbox);
  }
}

void Loop::stop() {
  post([this] { impl_->stopping = true; });
}

void Loop::post(std::function<void()> task) {
  Impl& impl = *impl_;
  const bool self = on_thread();
  bool wake = false;
  {
    std::lock_guard lock(impl.mu);
    if (impl.ended) return;  // `task` is destroyed by the caller, outside the lock
    impl.inbox.push_back(std::move(task));
    wake = !self && !std::exchange(impl.wake_sent, impl.wake_sent || !self);
  }
  if (self) impl.posted_by_self = true;
  if (wake) ::eventfd_write(impl.wake.get(), 1);
}

bool Loop::on_thread() const { return impl_->runner.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

bool Loop::watch(int fd, uint32_t events, Watcher* watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = watcher;
  return ::epoll_ctl(impl_->epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Loop::change(int fd, uint32_t events, Watcher* watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = watcher;
  MS_CHECK(::epoll_ctl(impl_->epoll.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void Loop::unwatch(int fd, Watcher* watcher) {
  Impl& impl = *impl_;
  MS_CHECK(::epoll_ctl(impl.epoll.get(), EPOLL_CTL_DEL, fd, nullptr) == 0);
  for (int i = impl.event_next; i < impl.event_count; ++i) {
    if (impl.events[i].data.ptr == watcher) impl.events[i].data.ptr = nullptr;
  }
}

Loop::TimerId Loop::after(int64_t delay_ms, std::function<void()> task) {
  // Outside of run() nobody else keeps the time.
  if (impl_->runner.load(std::memory_order_relaxed) == std::thread::id()) now_ms_ = clock_.steady_ms();
  // One more millisecond, because now_ms() is cut to whole ones: never early.
  return impl_->wheel.add(now_ms_ + std::max<int64_t>(delay_ms, 0) + 1, std::move(task));
}

void Loop::cancel(TimerId id) { impl_->wheel.cancel(id); }

void Loop::add_turn_end(std::function<void()> task) { impl_->turn_ends.push_back(std::move(task)); }

void Loop::set_turn_histogram(metrics::Histogram* histogram) { impl_->turn_histogram = histogram; }

void Loop::turn() {
  Impl& impl = *impl_;
  const int count = ::epoll_wait(impl.epoll.get(), impl.events.data(), kEventsPerTurnMax, sleep_ms());
  MS_CHECK(count >= 0 || errno == EINTR);
  const int64_t started_us = clock_.steady_us();
  now_ms_ = started_us / 1000;

  // Events before timers: after a long turn, bytes that have arrived count before the deadline they were late for.
  const bool all_delivered = deliver_events(count, started_us + kEventsTurnUs);
  if (all_delivered) last_all_delivered_ms_ = now_ms_;
  if (all_delivered || now_ms_ - last_all_delivered_ms_ >= kTimersLateMsMax) impl.wheel.run_due(now_ms_);
  run_inbox();
  for (const auto& task : impl.turn_ends) task();
  if (impl.turn_histogram) impl.turn_histogram->observe_us(clock_.steady_us() - started_us);
}

// False: cut short. What was not delivered is still ready, and comes again.
bool Loop::deliver_events(int count, int64_t end_us) {
  Impl& impl = *impl_;
  impl.event_count = std::max(count, 0);
  impl.event_next = 0;
  while (impl.event_next < impl.event_count) {
    const epoll_event& event = impl.events[impl.event_next++];
    if (event.data.ptr == nullptr) continue;  // unwatched earlier in this turn
    if (event.data.ptr == &impl) {
      eventfd_t count_of_wakes = 0;
      ::eventfd_read(impl.wake.get(), &count_of_wakes);
      continue;
    }
    static_cast<Watcher*>(event.data.ptr)->on_ready(event.events);
    if (clock_.steady_us() >= end_us) break;
  }
  const bool all = impl.event_next >= impl.event_count;
  impl.event_count = 0;
  return all;
}

void Loop::run_inbox() {
  Impl& impl = *impl_;
  impl.posted_by_self = false;
  {
    std::lock_guard lock(impl.mu);
    impl.running.swap(impl.inbox);
    impl.wake_sent = false;
  }
  for (auto& task : impl.running) {
    task();
    task = nullptr;  // what it held goes now, in order
  }
  impl.running.clear();
}

int Loop::sleep_ms() const {
  if (impl_->posted_by_self) return 0;
  const int64_t due_ms = impl_->wheel.next_due_ms();
  if (due_ms == TimerWheel::kNever) return -1;
  const int64_t left_ms = due_ms - clock_.steady_ms();
  return static_cast<int>(std::clamp<int64_t>(left_ms, 0, std::numeric_limits<int>::max()));
}

}  // namespace millstream::net
