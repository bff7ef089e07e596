#include "app/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace millstream::app {

int64_t raise_descriptor_limit() {
  constexpr int64_t kPosixMin = 20;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kPosixMin;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  constexpr rlim_t kEnough = 1'000'000'000;  // "unlimited" does not fit
  return static_cast<int64_t>(std::min(limit.rlim_cur, kEnough));
}

int64_t connections_within(int64_t limit, int64_t io_threads, int64_t asked) {
  return std::clamp((limit - kStorageDescriptors) / io_threads, int64_t{1}, asked);
}

size_t connections_for_streams(int64_t connections_max) {
  constexpr int64_t kForRequestsMax = 100;
  return static_cast<size_t>(connections_max - std::min(connections_max / 20, kForRequestsMax));
}

}  // namespace millstream::app
