// base/guarded.h: data that can only be reached while its lock is held.
//
// Thread   any
#pragma once

#include <mutex>
#include <utility>

namespace millstream {

template <class T>
class Guarded {
 public:
  Guarded() = default;
  explicit Guarded(T value) : value_(std::move(value)) {}

  // Runs f(T&) under the lock and gives back what it gives back. Keep it short; never call out from inside.
  template <class F>
  decltype(auto) with(F&& f) {
    std::lock_guard lock(mu_);
    return std::forward<F>(f)(value_);
  }
  template <class F>
  decltype(auto) with(F&& f) const {
    std::lock_guard lock(mu_);
    return std::forward<F>(f)(value_);
  }

 private:
  mutable std::mutex mu_;
  T value_;  // guarded by mu_
};

}  // namespace millstream
