#include "log/once_keys.h"

#include <cstring>

#include "log/once_errors.h"

namespace millstream::log {
namespace {

uint64_t short_of(const Once::Key& key) {
  uint64_t bytes = 0;
  std::memcpy(&bytes, key.text.data(), sizeof(bytes));
  return bytes;
}

}  // namespace

Status OnceKeys::room_for(const Once::Key& key) const {
  const auto found = of_account_.find(key.account);
  const size_t of_account = found == of_account_.end() ? 0 : found->second;
  if (of_account >= keys_max_ / kOnceAccountShare) return no_more_keys_of_account(of_account);
  if (size_ >= keys_max_) return no_more_keys();
  return {};
}

void OnceKeys::add(int64_t hour, const Once::Key& key) {
  if (!hours_[hour].emplace(short_of(key), key.account).second) return;
  ++of_account_[key.account];
  ++size_;
}

OnceKeys::Hours::iterator OnceKeys::drop(Hours::iterator hour) {
  for (const auto& [text, account] : hour->second) {
    const auto found = of_account_.find(account);
    if (--found->second == 0) of_account_.erase(found);
  }
  size_ -= hour->second.size();
  return hours_.erase(hour);
}

void OnceKeys::forget(int64_t hour) {
  if (const auto found = hours_.find(hour); found != hours_.end()) drop(found);
}

void OnceKeys::forget_before(int64_t hour) {
  for (auto at = hours_.begin(); at != hours_.end() && at->first < hour;) at = drop(at);
}

std::vector<int64_t> OnceKeys::hours_with(const Once::Key& key) const {
  std::vector<int64_t> hours;
  for (const auto& [hour, accounts] : hours_) {
    if (accounts.contains(short_of(key))) hours.push_back(hour);
  }
  return hours;
}

}  // namespace millstream::log
