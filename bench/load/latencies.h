// load/latencies.h: many durations kept as a histogram of constant size.
//
// Shapes   nanoseconds in, microseconds out; 64 buckets to each doubling, so a percentile is at most 1.6 % too high.
// Thread   value
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace millstream::load {

class Latencies {
 public:
  void add(int64_t ns) {
    ++counts_[bucket_of(ns)];
    ++count_;
    if (ns > max_ns_) max_ns_ = ns;
  }
  void clear() { *this = Latencies(); }

  int64_t count() const { return count_; }
  double max_us() const { return static_cast<double>(max_ns_) / 1000.0; }

  // The smallest duration that `share` (0 < share <= 1) of all are not above; 0 when there is none.
  double percentile_us(double share) const {
    const double wanted = share * static_cast<double>(count_);
    int64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && static_cast<double>(seen) >= wanted) {
        const double upper = static_cast<double>(upper_ns(i)) / 1000.0;
        return upper < max_us() ? upper : max_us();
      }
    }
    return max_us();
  }

 private:
  static constexpr int kBits = 6;
  static constexpr uint64_t kSteps = uint64_t{1} << kBits;

  // Below 64 ns exact; above, the top seven bits: the first of them is always set.
  static size_t bucket_of(int64_t ns) {
    const uint64_t v = ns < 0 ? 0 : static_cast<uint64_t>(ns);
    if (v < kSteps) return v;
    const int shift = static_cast<int>(std::bit_width(v)) - kBits - 1;
    const size_t bucket = (static_cast<size_t>(shift) << kBits) + (v >> shift);
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }
  static uint64_t upper_ns(size_t bucket) {
    if (bucket < 2 * kSteps) return bucket;
    const size_t shift = (bucket >> kBits) - 1;
    return ((bucket - (shift << kBits) + 1) << shift) - 1;
  }

  static constexpr size_t kBuckets = 40 * kSteps;  // up to 2.4 hours
  std::array<int64_t, kBuckets> counts_{};
  int64_t count_ = 0;
  int64_t max_ns_ = 0;
};

}  // namespace millstream::load
