#include "base/work_queue.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace millstream {
namespace {
// On Linux a thread has a niceness of its own; at 10 it has a tenth of the weight of a thread at 0, at 19 a seventieth.
int niceness(WorkQueue::Priority priority) {
  switch (priority) {
    case WorkQueue::Priority::normal: return 0;
    case WorkQueue::Priority::background: return 10;
    case WorkQueue::Priority::last: return 19;
  }
  return 0;
}
}  // namespace

WorkQueue::WorkQueue(std::string name, size_t threads, size_t jobs_max, AtStop at_stop, Priority priority)
    : at_stop_(at_stop), priority_(priority), jobs_(jobs_max) {
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, thread_name = name + "/" + std::to_string(i)] { run(thread_name); });
  }
}

WorkQueue::~WorkQueue() { stop(); }

bool WorkQueue::post(std::function<void()> job, const std::string& owner) {
  {
    std::lock_guard lock(mu_);
    if (stopping_ || !jobs_.has_room(owner, 1)) return false;
    jobs_.push(owner, 1, std::move(job));
  }
  wake_.notify_one();
  return true;
}

size_t WorkQueue::depth() const {
  std::lock_guard lock(mu_);
  return jobs_.size();
}

void WorkQueue::stop() {
  FairQueue<std::function<void()>> dropped(0);  // destroyed without the lock
  {
    std::lock_guard lock(mu_);
    stopping_ = true;
    if (at_stop_ == AtStop::drop) std::swap(dropped, jobs_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WorkQueue::run(const std::string& thread_name) {
  pthread_setname_np(pthread_self(), thread_name.c_str());
  // A kernel that refuses leaves it as it is.
  if (const int nice = niceness(priority_); nice > 0) {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nice);
  }
  std::unique_lock lock(mu_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    std::function<void()> job = jobs_.pop();
    lock.unlock();
    job();
    job = nullptr;  // captured state goes before the lock is taken again
    lock.lock();
  }
}

}  // namespace millstream
