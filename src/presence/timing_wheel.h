// presence/timing_wheel.h: very many timers over log time, exact to the millisecond.
//
// Flow     schedule() files a timer under the coarsest level that still tells it apart; advance() walks from one
//          occupied slot to the next, refiles coarse slots as they begin, and hands out timers deadline by deadline.
// Shapes   kLevels levels of 256 slots: 1 ms, 256 ms, 65 s, 4.6 h and 49 days wide. A timer is known by its handle, a
//          small number the owner chooses; storage grows with the largest handle.
// Rules    Which timers fire, and in which order of deadlines, does not depend on how often advance() is called.
// Thread   one thread at a time
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace millstream::presence {

class TimingWheel {
 public:
  using Handle = uint32_t;

  TimingWheel() { heads_.fill(kNone); }

  static constexpr size_t bytes_per_timer() { return sizeof(Node); }

  // A timer already scheduled moves. A deadline that has passed fires in the next advance(), as of the time reached.
  void schedule(Handle handle, int64_t deadline_ms) {
    if (handle >= nodes_.size()) nodes_.resize(static_cast<size_t>(handle) + 1);
    cancel(handle);
    nodes_[handle].deadline_ms = std::max(deadline_ms, now_ms_);
    file(handle);
    ++size_;
  }

  void cancel(Handle handle) {
    if (handle >= nodes_.size() || nodes_[handle].slot == kNone) return;
    unlink(handle);
    --size_;
  }

  // None: it is not scheduled.
  std::optional<int64_t> deadline_of(Handle handle) const {
    if (handle >= nodes_.size() || nodes_[handle].slot == kNone) return std::nullopt;
    return nodes_[handle].deadline_ms;
  }

  size_t size() const { return size_; }
  int64_t now_ms() const { return now_ms_; }

  // Calls fire(deadline_ms, handles) once for every distinct deadline up to and including now_ms, ascending. The timers
  // handed out are no longer scheduled; `fire` may reorder the vector and may schedule and cancel.
  template <class Fire>
  void advance(int64_t now_ms, Fire&& fire) {
    while (next_ms_ <= now_ms) {
      const std::optional<Occupied> next = next_occupied();
      next_ms_ = next ? next->starts_ms : kNever;
      if (next_ms_ > now_ms) break;
      now_ms_ = next->starts_ms;
      take_slot(next->slot);
      if (next->level > 0) {
        for (const Handle handle : due_) file(handle);
      } else {
        size_ -= due_.size();
        fire(now_ms_, due_);
      }
    }
    now_ms_ = std::max(now_ms_, now_ms);
  }

 private:
  static constexpr uint32_t kNone = 0xffffffff;
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  static constexpr int kBits = 8;
  static constexpr uint32_t kSlots = 1u << kBits;
  static constexpr int kLevels = 5;

  struct Node {
    int64_t deadline_ms = 0;
    uint32_t next = kNone;
    uint32_t previous = kNone;
    uint32_t slot = kNone;  // level * kSlots + place; kNone: not scheduled
  };
  struct Occupied {
    int64_t starts_ms;
    uint32_t slot;
    int level;
  };

  static int64_t width_index(int64_t ms, int level) { return ms >> (kBits * level); }

  void file(Handle handle) {
    Node& node = nodes_[handle];
    int level = 0;
    while (level < kLevels - 1 && width_index(node.deadline_ms, level) - width_index(now_ms_, level) >= kSlots) ++level;
    // Beyond the last level a timer waits in the furthest slot and is refiled from there.
    const int64_t index = std::min(width_index(node.deadline_ms, level), width_index(now_ms_, level) + kSlots - 1);
    link(handle, static_cast<uint32_t>(level) * kSlots + static_cast<uint32_t>(index & (kSlots - 1)));
    next_ms_ = std::min(next_ms_, index << (kBits * level));
  }

  void link(Handle handle, uint32_t slot) {
    Node& node = nodes_[handle];
    node.slot = slot;
    node.previous = kNone;
    node.next = heads_[slot];
    if (node.next != kNone) nodes_[node.next].previous = handle;
    heads_[slot] = handle;
    occupied_[slot / 64] |= uint64_t{1} << (slot % 64);
  }

  void unlink(Handle handle) {
    Node& node = nodes_[handle];
    if (node.next != kNone) nodes_[node.next].previous = node.previous;
    if (node.previous != kNone) {
      nodes_[node.previous].next = node.next;
    } else {
      heads_[node.slot] = node.next;
      if (node.next == kNone) occupied_[node.slot / 64] &= ~(uint64_t{1} << (node.slot % 64));
    }
    node.slot = kNone;
  }

  void take_slot(uint32_t slot) {
    due_.clear();
    for (Handle handle = heads_[slot]; handle != kNone; handle = nodes_[handle].next) {
      due_.push_back(handle);
      nodes_[handle].slot = kNone;
    }
    heads_[slot] = kNone;
    occupied_[slot / 64] &= ~(uint64_t{1} << (slot % 64));
  }

  // The slot that begins first; of several at one time the coarsest, so that it is refiled before the finest fires.
  std::optional<Occupied> next_occupied() const {
    std::optional<Occupied> best;
    for (int level = 0; level < kLevels; ++level) {
      const int64_t here = width_index(now_ms_, level);
      const std::optional<uint32_t> distance = distance_to_occupied(level, static_cast<uint32_t>(here & (kSlots - 1)));
      if (!distance) continue;
      const int64_t index = here + *distance;
      const int64_t starts_ms = std::max(index << (kBits * level), now_ms_);
      const uint32_t slot = static_cast<uint32_t>(level) * kSlots + static_cast<uint32_t>(index & (kSlots - 1));
      if (!best || starts_ms <= best->starts_ms) best = Occupied{starts_ms, slot, level};
    }
    return best;
  }

  // How many slots on from `place`, going round, the first occupied one of this level is.
  std::optional<uint32_t> distance_to_occupied(int level, uint32_t place) const {
    constexpr uint32_t kWords = kSlots / 64;
    const uint64_t* words = occupied_.data() + static_cast<uint32_t>(level) * kWords;
    for (uint32_t i = 0; i <= kWords; ++i) {
      const uint32_t at = (place / 64 + i) % kWords;
      uint64_t word = words[at];
      const uint64_t below = (uint64_t{1} << (place % 64)) - 1;
      if (i == 0) word &= ~below;
      if (i == kWords) word &= below;
      if (word == 0) continue;
      const uint32_t found = at * 64 + static_cast<uint32_t>(std::countr_zero(word));
      return (found - place) & (kSlots - 1);
    }
    return std::nullopt;
  }

  std::vector<Node> nodes_;  // by handle
  std::array<uint32_t, kLevels * kSlots> heads_;
  std::array<uint64_t, kLevels * kSlots / 64> occupied_{};  // one bit a slot
  std::vector<Handle> due_;
  int64_t now_ms_ = 0;
  int64_t next_ms_ = kNever;  // no slot begins before this, so that most calls of advance() are one comparison
  size_t size_ = 0;
};

}  // namespace millstream::presence
