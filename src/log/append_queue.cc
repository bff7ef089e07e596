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

const std::string& owner_of(const WaitingAppend& append) {
  return append.events.empty() ? append.once->owner.text() : append.events.front().topic.account.text();
}

}  // namespace

AppendQueue::AppendQueue(size_t events_max, size_t bytes_max)
    : bytes_per_event_(std::max<size_t>(1, bytes_max / events_max)), appends_(bytes_max) {}

Status AppendQueue::push(WaitingAppend append) {
  if (append.events.empty() && !append.once) return Error{Code::invalid, "log: an empty batch"};
  if (append.events.size() > size_t{model::EventId::kSeqMax} + 1)
    return Error{Code::too_large, "log: more than 1048576 events in one batch"};
  append.bytes = bytes_of(append.events) + (append.once ? sizeof(Once) + append.once->answer.size() : 0);
  const size_t cost = std::max(append.bytes, append.weight() * bytes_per_event_);
  const bool concludes = has_conclusion(append.events);
  const std::string owner = concludes ? std::string() : owner_of(append);
  {
    std::lock_guard lock(mu_);
    if (!taking_) return Error{Code::unavailable, "log: not running"};
    if (!concludes && !appends_.has_room(owner, cost)) {
      return Error{Code::unavailable, "log: " + std::to_string(events_) + " events are waiting to be stored"};
    }
    events_ += append.weight();
    appends_.push(owner, cost, {pushed_++, std::move(append)});
  }
  wake_.notify_one();
  return {};
}

void AppendQueue::push_checkpoint(std::string name, Checkpoint checkpoint) {
  {
    std::lock_guard lock(mu_);
    if (!taking_) return;
    std::erase_if(checkpoints_, [&](const Placed& older) { return older.waiting.name == name; });
    checkpoints_.push_back({pushed_++, appends_.size(), {std::move(name), std::move(checkpoint)}});
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
  wake_.wait_until(lock, deadline, [this] { return stopping_ || !appends_.empty() || !checkpoints_.empty(); });
  size_t events = 0;
  size_t bytes = 0;
  while (!appends_.empty()) {
    const WaitingAppend& next = appends_.front().waiting;
    events += next.weight();
    bytes += next.bytes;
    const bool full = events > kCommitEventsMax || bytes > kCommitBytesMax;
    if (full && !work.appends.empty()) break;
    take_append(work);
  }
  take_checkpoints(work);
  work.last = stopping_ && appends_.empty() && checkpoints_.empty();
  return work;
}

void AppendQueue::take_append(Work& work) {
  Append append = appends_.pop();
  events_ -= append.waiting.weight();
  for (Placed& checkpoint : checkpoints_) {
    if (append.place < checkpoint.place) --checkpoint.ahead;
  }
  work.appends.push_back(std::move(append.waiting));
}

void AppendQueue::take_checkpoints(Work& work) {
  std::erase_if(checkpoints_, [&](Placed& checkpoint) {
    if (checkpoint.ahead > 0) return false;
    work.checkpoints.push_back(std::move(checkpoint.waiting));
    return true;
  });
}

size_t AppendQueue::events() const {
  std::lock_guard lock(mu_);
  return events_;
}

}  // namespace millstream::log
