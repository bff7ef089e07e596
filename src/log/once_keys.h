// log/once_keys.h: which keys the log knows, and in which hour's file the batch of each is.
//
// Shapes   A key is remembered by eight bytes of its digest: hours_with() says where it may be, and the file whether it
//          is.
// Limits   As many keys as the constructor is told, an account a quarter of them; about 50 bytes of memory each. To
//          forget one before its time could store a batch twice: at the limit new ones are refused instead.
// Errors   Code::rate_limited: the account's share is used up; Code::unavailable: all of it is.
// Thread   log
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "log/event_log.h"

namespace millstream::log {

inline constexpr size_t kOnceKeysMax = 4'000'000;

class OnceKeys {
 public:
  explicit OnceKeys(size_t keys_max) : keys_max_(keys_max) {}

  Status room_for(const Once::Key& key) const;
  void add(int64_t hour, const Once::Key& key);
  void forget(int64_t hour);
  void forget_before(int64_t hour);

  std::vector<int64_t> hours_with(const Once::Key& key) const;
  size_t size() const { return size_; }

 private:
  using Accounts = std::unordered_map<uint64_t, uint64_t>;  // by eight bytes of the key's digest
  using Hours = std::map<int64_t, Accounts>;
  Hours::iterator drop(Hours::iterator hour);

  const size_t keys_max_;
  Hours hours_;
  std::unordered_map<uint64_t, size_t> of_account_;
  size_t size_ = 0;
};

}  // namespace millstream::log
