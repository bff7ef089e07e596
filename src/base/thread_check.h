// base/thread_check.h: asserts in debug builds that loop-confined data is touched by its own thread only.
#pragma once

#include <thread>

#include "base/check.h"

namespace millstream {

class ThreadCheck {
 public:
  // The calling thread becomes the owner.
  void bind() { owner_ = std::this_thread::get_id(); }
  bool on_owner() const { return owner_ == std::thread::id() || owner_ == std::this_thread::get_id(); }

 private:
  std::thread::id owner_;
};

}  // namespace millstream

#define MS_ON_OWNER(check) MS_DCHECK((check).on_owner())
