// log/append_queue.h: what waits for the log thread: batches, by turns of their accounts, and checkpoints.
//
// Flow     an account's batches are committed in the order they came; accounts take turns by what they send, so that a
//          single event never waits behind another account's backlog. A checkpoint comes after all that was pushed
//          before it.
// Limits   events_max and bytes_max waiting of one account, and less than twice as much of all (base/fair_queue.h);
//          beyond, push() refuses with Code::unavailable. A batch with a conclusion of the engines is always taken:
//          they are few, and an engine that was refused could only forget. Conclusions have turns of their own, since
//          their numbers must stay in order. Of the checkpoints of one name only the newest waits.
// Thread   any; take(): log
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fair_queue.h"
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
  static constexpr size_t kCommitEventsMax = 1024;
  static constexpr size_t kCommitBytesMax = 2 << 20;

  AppendQueue(size_t events_max, size_t bytes_max);

  Status push(WaitingAppend append);
  void push_checkpoint(std::string name, Checkpoint checkpoint);
  void open();
  void stop();  // nothing is taken in from now on

  // Waits until there is work, the deadline passes, or stop().
  Work take(std::chrono::steady_clock::time_point deadline);
  size_t events() const;

 private:
  // `place`: counted over all that was pushed.
  struct Append {
    uint64_t place;
    WaitingAppend waiting;
  };
  struct Placed {
    uint64_t place;
    size_t ahead;  // appends that were pushed before it and wait still
    WaitingCheckpoint waiting;
  };
  // preconditions: mu_ held
  void take_append(Work& work);
  void take_checkpoints(Work& work);

  const size_t bytes_per_event_;  // an event counts as so many at least, so that one limit is both
  mutable std::mutex mu_;
  std::condition_variable wake_;
  // guarded by mu_
  FairQueue<Append> appends_;
  std::vector<Placed> checkpoints_;
  uint64_t pushed_ = 0;
  size_t events_ = 0;
  bool taking_ = false;
  bool stopping_ = false;
};

}  // namespace millstream::log
