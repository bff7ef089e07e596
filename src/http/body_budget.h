// http/body_budget.h: how many bytes of request bodies a process holds at once.
//
// Flow     a connection's lease grows with the bytes that arrive, goes over to the exchange and ends with it.
// Limits   bytes_max, over all servers that share the budget. When it is full nobody waits: the request gets a 503.
// Thread   BodyBudget: any; BodyLease: value
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace millstream::http {

class BodyBudget {
 public:
  static constexpr size_t kBytesMax = size_t{256} << 20;

  explicit BodyBudget(size_t bytes_max = kBytesMax) : bytes_max_(bytes_max) {}

  // A hint: room is only certain once a lease has grown into it.
  bool has_room(uint64_t bytes) const { return bytes <= bytes_max_ - held_bytes(); }
  size_t held_bytes() const { return held_.load(std::memory_order_relaxed); }

 private:
  friend class BodyLease;
  bool take(size_t bytes) {
    size_t held = held_bytes();
    do {
      if (bytes > bytes_max_ - held) return false;
    } while (!held_.compare_exchange_weak(held, held + bytes, std::memory_order_relaxed));
    return true;
  }
  void give_back(size_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }

  const size_t bytes_max_;
  std::atomic<size_t> held_{0};  // never above bytes_max_
};

// What one body holds of the budget.
class BodyLease {
 public:
  explicit BodyLease(std::shared_ptr<BodyBudget> budget) : budget_(std::move(budget)) {}
  ~BodyLease() { end(); }
  // The one moved from keeps its budget: it may take room again.
  // NOLINTNEXTLINE(performance-move-constructor-init)
  BodyLease(BodyLease&& other) noexcept : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
  BodyLease& operator=(BodyLease&&) = delete;

  // False: no room; the lease stays as it was.
  [[nodiscard]] bool grow_to(size_t bytes) {
    if (bytes <= bytes_) return true;
    if (!budget_->take(bytes - bytes_)) return false;
    bytes_ = bytes;
    return true;
  }
  void end() { budget_->give_back(std::exchange(bytes_, 0)); }

 private:
  std::shared_ptr<BodyBudget> budget_;
  size_t bytes_ = 0;
};

}  // namespace millstream::http
