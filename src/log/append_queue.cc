#include "log/append_queue.h"

#include <algorithm>
#include <utility>

namespace millstream::log {
namespace {

size_t bytes_of(const std::vector<model::Event>& events) {
  size_t bytes = 0;
  for (const model::Event& event : events) bytes += sizeof(model::Event) + event.data.size();
  return bytes;
}

bool has_conclusion(const std::vector<model::Event>& events) {
  return std::any_of(events.begin(), events.end(), [](const model::Event& event) { return event.conclusion > 0; });
}

}  // namespace

bool AppendQueue::has_room(const WaitingAppend& append) const {
  if (events_ == 0) return true;  // one large batch alone must be able to pass
  return events_ + append.weight() <= events_max_ && bytes_ + append.bytes <= bytes_max_;
}

Status AppendQueue::push(WaitingAppend append) {
  if (append.events.empty() && !append.once) return Error{Code::invalid, "log: an empty batch"};
  if (append.events.size() > size_t{model::EventId::kSeqMax} + 1)
    return Error{Code::too_large, "log: more than 1048576 events in one batch"};
  append.bytes = bytes_of(append.events) + (append.once ? sizeof(Once) + append.once->answer.size() : 0);
  {
    std::lock_guard lock(mu_);
    if (!taking_) return Error{Code::unavailable, "log: not running"};
    if (!has_room(append) && !has_conclusion(append.events)) {
      return Error{Code::unavailable, "log: " + std::to_string(events_) + " events are waiting to be stored"};
    }
    events_ += append.weight();
    bytes_ += append.bytes;
    items_.emplace_back(std::move(append));
  }
  wake_.notify_one();
  return {};
}

void AppendQueue::push_checkpoint(std::string name, Checkpoint checkpoint) {
  {
    std::lock_guard lock(mu_);
    if (!taking_) return;
    std::erase_if(items_, [&](const Item& item) {
      const auto* waiting = std::get_if<WaitingCheckpoint>(&item);
      return waiting && waiting->name == name;
    });
    items_.emplace_back(WaitingCheckpoint{std::move(name), std::move(checkpoint)});
  }
  wake_.notify_one();
}

void AppendQueue::open() {
  std::lock_guard lock(mu_);
  taking_ = true;
}

void AppendQueue::stop() {
  {
    std::lock_guard lock(mu_);
    taking_ = false;
    stopping_ = true;
  }
  wake_.notify_one();
}

Work AppendQueue::take(std::chrono::steady_clock::time_point deadline) {
  Work work;
  std::unique_lock lock(mu_);
  wake_.wait_until(lock, deadline, [this] { return stopping_ || !items_.empty(); });
  size_t events = 0;
  size_t bytes = 0;
  while (!items_.empty()) {
    if (auto* checkpoint = std::get_if<WaitingCheckpoint>(&items_.front())) {
      work.checkpoints.push_back(std::move(*checkpoint));
    } else {
      auto& append = std::get<WaitingAppend>(items_.front());
      const bool full = events + append.weight() > kCommitEventsMax || bytes + append.bytes > kCommitBytesMax;
      if (!work.checkpoints.empty() || (full && events > 0)) break;
      events += append.weight();
      bytes += append.bytes;
      work.appends.push_back(std::move(append));
    }
    items_.pop_front();
  }
  events_ -= events;
  bytes_ -= bytes;
  work.last = stopping_ && items_.empty();
  return work;
}

size_t AppendQueue::events() const {
  std::lock_guard lock(mu_);
  return events_;
}

}  // namespace millstream::log
