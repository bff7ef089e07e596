// net/timer_wheel.h: one-shot timers in a hashed wheel: adding and cancelling cost the same however many there are.
//
// Shapes   times in steady milliseconds; a grain of 16 ms, 512 slots (one revolution: 8.2 s). A timer further away
// stays
//          in its slot until its revolution comes.
// Thread   loop
// Source   Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", scheme 6
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace millstream::net {

class TimerWheel {
 public:
  using Id = uint64_t;  // 0: no timer
  static constexpr int64_t kGrainMs = 16;
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  explicit TimerWheel(int64_t now_ms);

  // Runs in the first run_due() at or after `due_ms`, rounded up to the grain; never in one that is already running.
  Id add(int64_t due_ms, std::function<void()> task);
  void cancel(Id id);  // unknown, expired and cancelled ids are ignored
  // Runs what is due, in order of time. Tasks may add and cancel timers, also each other's.
  void run_due(int64_t now_ms);
  // No timer is due before that time; kNever when there is none. May be early after a cancel.
  int64_t next_due_ms() const;
  size_t size() const { return size_; }

 private:
  static constexpr size_t kSlots = 512;
  static constexpr uint32_t kNil = UINT32_MAX;

  struct Node {
    std::function<void()> task;
    int64_t tick = 0;
    uint32_t next = kNil;  // in its slot, or in the free list
    uint32_t previous = kNil;
    uint32_t generation = 0;  // grows when the node is freed, so that old ids miss
    bool linked = false;
  };
  struct Slot {
    uint32_t first = kNil;
    uint32_t last = kNil;
    int64_t tick_min = kNever;  // no node of the slot is earlier
  };
  struct Due {
    int64_t tick;
    Id id;
  };

  Node* find(Id id);
  void unlink(Node& node);
  void release(uint32_t index);
  void collect(Slot& slot, int64_t tick_now);
  static Slot& slot_of(std::array<Slot, kSlots>& slots, int64_t tick) {
    return slots[static_cast<size_t>(tick) % kSlots];
  }

  std::array<Slot, kSlots> slots_;
  std::vector<Node> nodes_;
  std::vector<Due> due_;  // scratch of run_due()
  uint32_t free_ = kNil;
  size_t size_ = 0;
  int64_t tick_done_;               // every timer of this tick or earlier has run
  int64_t tick_next_min_ = kNever;  // no timer is earlier
};

}  // namespace millstream::net
