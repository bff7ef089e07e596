// base/work_queue.h: a few threads that run jobs which may block (disk, hashing, large bodies).
//
// Limits   jobs_max waiting jobs of one owner, and less than twice as many of all (base/fair_queue.h); when full,
// post()
//          refuses and the caller answers "not now". Owners take turns.
// Thread   any
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fair_queue.h"

namespace millstream {

class WorkQueue {
 public:
  enum class AtStop { run, drop };  // what stop() does with the jobs that wait
  // background: gives way to other threads where cores are few. last: to all others, for work that strangers cause.
  enum class Priority { normal, background, last };

  // `name` (at most 12 characters) names the threads for the operator's tools.
  // `drop`: waiting jobs are destroyed unrun, so that stopping takes no longer than the jobs that run. Whoever waits
  // for such a job learns of it by what the job held.
  WorkQueue(std::string name, size_t threads, size_t jobs_max, AtStop at_stop = AtStop::run,
            Priority priority = Priority::normal);
  ~WorkQueue();  // stop()
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // False when there is no room or after stop(); the job is then not run. `owner`: on whose behalf; empty: nobody's in
  // particular.
  [[nodiscard]] bool post(std::function<void()> job, const std::string& owner = {});
  size_t depth() const;
  void stop();  // runs or drops what is queued, joins; later posts are refused

 private:
  void run(const std::string& thread_name);

  const AtStop at_stop_;
  const Priority priority_;
  mutable std::mutex mu_;
  std::condition_variable wake_;
  FairQueue<std::function<void()>> jobs_;  // guarded by mu_
  bool stopping_ = false;                  // guarded by mu_
  std::vector<std::thread> threads_;
};

}  // namespace millstream
