#include "net/timer_wheel.h"

#include <algorithm>
#include <utility>

namespace millstream::net {

TimerWheel::TimerWheel(int64_t now_ms) : tick_done_(now_ms / kGrainMs) {}

TimerWheel::Id TimerWheel::add(int64_t due_ms, std::function<void()> task) {
  uint32_t index = free_;
  if (index == kNil) {
    index = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back();
  } else {
    free_ = nodes_[index].next;
  }
  Node& node = nodes_[index];
  node.task = std::move(task);
  node.tick = std::max((due_ms + kGrainMs - 1) / kGrainMs, tick_done_ + 1);

  Slot& slot = slot_of(slots_, node.tick);
  node.next = kNil;
  node.previous = slot.last;
  node.linked = true;
  if (slot.last == kNil) {
    slot.first = index;
  } else {
    nodes_[slot.last].next = index;
  }
  slot.last = index;
  slot.tick_min = std::min(slot.tick_min, node.tick);
  tick_next_min_ = std::min(tick_next_min_, node.tick);
  ++size_;
  return (static_cast<Id>(node.generation) << 32) | (index + 1);
}

void TimerWheel::cancel(Id id) {
  Node* node = find(id);
  if (!node) return;
  if (node->linked) unlink(*node);
  release(static_cast<uint32_t>(node - nodes_.data()));
}

void TimerWheel::run_due(int64_t now_ms) {
  const int64_t tick_now = now_ms / kGrainMs;
  if (tick_now <= tick_done_) return;
  if (tick_next_min_ > tick_now) {
    tick_done_ = tick_now;
    return;
  }
  const int64_t ticks = std::min<int64_t>(tick_now - tick_done_, kSlots);
  for (int64_t i = 1; i <= ticks; ++i) collect(slot_of(slots_, tick_done_ + i), tick_now);
  // Only a thread that was away for more than a revolution finds its slots out of order.
  if (tick_now - tick_done_ > static_cast<int64_t>(kSlots)) {
    std::stable_sort(due_.begin(), due_.end(), [](const Due& a, const Due& b) { return a.tick < b.tick; });
  }
  tick_done_ = tick_now;
  tick_next_min_ = kNever;
  for (const Slot& slot : slots_) tick_next_min_ = std::min(tick_next_min_, slot.tick_min);

  for (const Due& due : due_) {
    Node* node = find(due.id);
    if (!node) continue;  // cancelled by a task that ran just before
    const std::function<void()> task = std::move(node->task);
    release(static_cast<uint32_t>(node - nodes_.data()));
    task();
  }
  due_.clear();
}

int64_t TimerWheel::next_due_ms() const { return tick_next_min_ == kNever ? kNever : tick_next_min_ * kGrainMs; }

TimerWheel::Node* TimerWheel::find(Id id) {
  const uint64_t index = (id & UINT32_MAX) - 1;
  if (id == 0 || index >= nodes_.size()) return nullptr;
  Node& node = nodes_[index];
  return node.generation == id >> 32 && node.task ? &node : nullptr;
}

void TimerWheel::unlink(Node& node) {
  Slot& slot = slot_of(slots_, node.tick);
  (node.previous == kNil ? slot.first : nodes_[node.previous].next) = node.next;
  (node.next == kNil ? slot.last : nodes_[node.next].previous) = node.previous;
  if (slot.first == kNil) slot.tick_min = kNever;
  node.linked = false;
}

void TimerWheel::release(uint32_t index) {
  Node& node = nodes_[index];
  node.task = nullptr;
  ++node.generation;
  node.next = free_;
  free_ = index;
  --size_;
}

void TimerWheel::collect(Slot& slot, int64_t tick_now) {
  if (slot.tick_min > tick_now) return;
  int64_t tick_min = kNever;
  for (uint32_t index = slot.first; index != kNil;) {
    Node& node = nodes_[index];
    const uint32_t next = node.next;
    if (node.tick <= tick_now) {
      unlink(node);
      due_.push_back({node.tick, (static_cast<Id>(node.generation) << 32) | (index + 1)});
    } else {
      tick_min = std::min(tick_min, node.tick);
    }
    index = next;
  }
  slot.tick_min = tick_min;
}

}  // namespace millstream::net
