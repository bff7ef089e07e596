// log/once_errors.h: what the sender of a batch with a key is told when it is not stored.
//
// Thread   value
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace millstream::log {

inline constexpr size_t kOnceAccountShare = 4;  // an account may have a quarter of all keys

inline Error key_of_other_content() { return {Code::unprocessable, "the key was used before, for another request"}; }
inline Error nothing_under_key() { return {Code::not_found, "nothing is stored under this key"}; }
inline Error no_more_keys() { return {Code::unavailable, "no more idempotency keys can be remembered now"}; }
inline Error no_more_keys_of_account(size_t keys) {
  return {Code::rate_limited,
          "the account's last 24 hours have " + std::to_string(keys) + " idempotency keys, which is the limit"};
}

}  // namespace millstream::log
