// app/jwks_schedule.h: when the public keys of one issuer are fetched, and how long the last ones count.
//
// Flow     app/jwks_fetcher.h asks it what is due, and tells it what happened. It reads no clock and does no I/O.
// Shapes   Times are of the steady clock, in milliseconds.
// Limits   Fetches: one every refresh_ms; after a failure one every kRetryMs while no keys are known, else every
//          kRetryKeptMs; and one more for tokens with an unknown key, at most every refetch_min_ms.
// Thread   value
#pragma once

#include <cstdint>
#include <optional>

namespace millstream::app {

class JwksSchedule {
 public:
  static constexpr int64_t kRetryMs = 5'000;
  static constexpr int64_t kRetryKeptMs = 30'000;
  static constexpr int64_t kKeepMs = 24 * 3'600'000;  // since the last good fetch

  JwksSchedule(int64_t refresh_ms, int64_t refetch_min_ms) : refresh_ms_(refresh_ms), refetch_min_ms_(refetch_min_ms) {}

  enum class Due { nothing, fetch, drop };  // drop: the keys have been kept for long enough, forget them
  Due due(int64_t now_ms) const;
  int64_t next_ms() const;  // when something will be due; may be in the past

  // A token names a key that is not in the set. Whether that brings a fetch forward.
  bool want(int64_t now_ms);

  void began();  // a fetch begins: what is wanted from now on is wanted of a later one
  void succeeded(int64_t now_ms);
  void failed(int64_t now_ms);
  void dropped() { good_ms_.reset(); }
  bool has_keys() const { return good_ms_.has_value(); }

 private:
  const int64_t refresh_ms_;
  const int64_t refetch_min_ms_;
  int64_t regular_ms_ = INT64_MIN;  // the next fetch that nobody asked for
  bool wanted_ = false;
  std::optional<int64_t> wanted_ms_;  // when a fetch was last brought forward
  std::optional<int64_t> good_ms_;    // the last good fetch; none: no keys are known
};

}  // namespace millstream::app
