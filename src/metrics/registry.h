// metrics/registry.h: counters, gauges and histograms, printed as Prometheus text.
//
// Shapes   Made once at start-up by name and fixed labels; after that a Counter is one relaxed add, a Histogram two.
//          Bounded cardinality by construction: labels are given when the metric is made, never per event.
// Thread   making: startup. Using and printing: any.
// Source   Prometheus text exposition format 0.0.4
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace millstream::metrics {

class Counter {
 public:
  void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void set(int64_t v) { value_.store(v, std::memory_order_relaxed); }
  void add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<int64_t> value_{0};
};

// Latencies in microseconds, in buckets of powers of two: 1 us to 67 s.
class Histogram {
 public:
  static constexpr size_t kBuckets = 27;

  void observe_us(int64_t us) {
    const uint64_t v = us < 1 ? 1 : static_cast<uint64_t>(us);
    size_t bucket = static_cast<size_t>(std::bit_width(v - 1));  // smallest i with v <= 2^i
    if (bucket >= kBuckets) bucket = kBuckets;                   // the last one is +Inf
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_us_.fetch_add(v, std::memory_order_relaxed);
  }
  uint64_t bucket(size_t i) const { return counts_[i].load(std::memory_order_relaxed); }
  uint64_t sum_us() const { return sum_us_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::array<std::atomic<uint64_t>, kBuckets + 1> counts_{};
  std::atomic<uint64_t> sum_us_{0};
};

class Registry {
 public:
  // `labels` is ready-made label text such as `endpoint="/write"`, or empty. Asking again for the same name and labels
  // gives the same metric. The reference lives as long as the registry.
  Counter& counter(std::string_view name, std::string_view help, std::string_view labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, std::string_view labels = {});
  // The name must end in _seconds.
  Histogram& histogram(std::string_view name, std::string_view help, std::string_view labels = {});
  // A gauge read when printed; `read` is called on the printing thread. Asking again replaces `read`.
  void gauge_from(std::string_view name, std::string_view help, std::function<int64_t()> read,
                  std::string_view labels = {});

  // Series sorted by name, HELP and TYPE once per name.
  std::string prometheus_text() const;

 private:
  enum class Kind { counter, gauge, histogram, read };
  struct Entry {
    Kind kind;
    std::string name;
    std::string help;
    std::string labels;
    size_t index;
  };
  static std::string_view type_of(Kind kind);
  // Precondition for both: mu_ is held.
  size_t find_or_add(Kind kind, std::string_view name, std::string_view help, std::string_view labels, size_t next);
  void append_entry(const Entry& entry, const std::vector<int64_t>& read_values, std::string& out) const;

  mutable std::mutex mu_;
  std::vector<Entry> entries_;                   // guarded by mu_
  std::deque<Counter> counters_;                 // guarded by mu_ (the metrics themselves are atomic)
  std::deque<Gauge> gauges_;                     // guarded by mu_
  std::deque<Histogram> histograms_;             // guarded by mu_
  std::vector<std::function<int64_t()>> reads_;  // guarded by mu_
};

}  // namespace millstream::metrics
