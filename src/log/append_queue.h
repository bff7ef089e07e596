// log/append_queue.h: what waits for the log thread: batches and checkpoints, in the order they came.
//
// Limits   events_max and bytes_max waiting; beyond, push() refuses with Code::unavailable. A batch with a conclusion
// of
//          the engines is always taken: they are few, and an engine that was refused could only forget. Of the
//          checkpoints of one name only the newest waits.
// Thread   any; take(): log
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "log/event_log.h"

namespace millstream::log {

struct WaitingAppend {
  std::vector<model::Event> events;
  AppendDone done;
  std::optional<Once> once = {};
  size_t bytes = 0;

  size_t weight() const { return std::max<size_t>(1, events.size()); }  // a question is work too
};

struct WaitingCheckpoint {
  std::string name;
  Checkpoint checkpoint;
};

// The appends make one commit; the checkpoints come after it.
struct Work {
  std::vector<WaitingAppend> appends;
  std::vector<WaitingCheckpoint> checkpoints;
  bool last = false;  // the queue was stopped and is empty now
  bool empty() const { return appends.empty() && checkpoints.empty(); }
};

class AppendQueue {
 public:
  // How much one commit takes at most, unless a single batch is larger: keeps the wait of those behind it short.
  static constexpr size_t kCommitEventsMax = 4096;
  static constexpr size_t kCommitBytesMax = 8 << 20;

  AppendQueue(size_t events_max, size_t bytes_max) : events_max_(events_max), bytes_max_(bytes_max) {}

  Status push(WaitingAppend append);
  void push_checkpoint(std::string name, Checkpoint checkpoint);
  void open();
  void stop();  // nothing is taken in from now on

  // Waits until there is work, the deadline passes, or stop().
  Work take(std::chrono::steady_clock::time_point deadline);
  size_t events() const;

 private:
  using Item = std::variant<WaitingAppend, WaitingCheckpoint>;
  bool has_room(const WaitingAppend& append) const;  // precondition: mu_ held

  const size_t events_max_;
  const size_t bytes_max_;
  mutable std::mutex mu_;
  std::condition_variable wake_;
  // guarded by mu_
  std::deque<Item> items_;
  size_t events_ = 0;
  size_t bytes_ = 0;
  bool taking_ = false;
  bool stopping_ = false;
};

}  // namespace millstream::log
