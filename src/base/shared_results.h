// base/shared_results.h: what many ask for at the same moment is made once.
//
// Flow     get() makes the result for a key, or waits for whoever is making it, or takes the one that was made a moment
//          ago (kept_ms); viewers that all come back after a restart ask the same.
// Limits   results_max keys; beyond, get() just makes. A result stays until the next get() after its moment.
// Thread   any; get() blocks while another thread makes the same
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"

namespace millstream {

template <class Value>
class SharedResults {
 public:
  SharedResults(const Clock& clock, int64_t kept_ms, size_t results_max)
      : clock_(clock), kept_ms_(kept_ms), results_max_(results_max) {}

  // `usable(value)`: whether one made for another suits this one too; `make()` gives a Value.
  template <class Usable, class Make>
  Value get(const std::string& key, Usable&& usable, Make&& make) {
    const std::shared_ptr<Slot> slot = slot_for(key);
    if (!slot) return make();
    const std::lock_guard lock(slot->mu);
    if (slot->value && slot->until_ms > clock_.steady_ms() && usable(*slot->value)) return *slot->value;
    slot->value = make();
    slot->until_ms = clock_.steady_ms() + kept_ms_;
    return *slot->value;
  }

 private:
  struct Slot {
    std::mutex mu;
    std::optional<Value> value;  // guarded by mu
    int64_t until_ms = 0;        // guarded by mu
  };

  std::shared_ptr<Slot> slot_for(const std::string& key) {
    const std::lock_guard lock(mu_);
    // A slot that nobody but the map holds is not being worked on, and nobody can get at it now.
    const int64_t now_ms = clock_.steady_ms();
    std::erase_if(slots_, [&](const auto& entry) {
      return entry.first != key && entry.second.use_count() == 1 && entry.second->until_ms <= now_ms;
    });
    const auto found = slots_.find(key);
    if (found != slots_.end()) return found->second;
    if (slots_.size() >= results_max_) return nullptr;
    return slots_.emplace(key, std::make_shared<Slot>()).first->second;
  }

  const Clock& clock_;
  const int64_t kept_ms_;
  const size_t results_max_;
  std::mutex mu_;
  std::unordered_map<std::string, std::shared_ptr<Slot>> slots_;  // guarded by mu_
};

}  // namespace millstream
