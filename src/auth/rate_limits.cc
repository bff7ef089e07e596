#include "auth/rate_limits.h"

#include <algorithm>
#include <cmath>

namespace millstream::auth {
namespace {

double full(int64_t rate) { return static_cast<double>(rate) * RateLimits::kBurstMs / 1000; }

int64_t wait_for(double level, int64_t rate) {
  if (level > 0) return 0;
  return 1 + static_cast<int64_t>(std::ceil(-level * 1000 / static_cast<double>(rate)));
}

}  // namespace

RateLimits::Bucket& RateLimits::filled(Tables& tables, Buckets& buckets, const std::string& name, int64_t rate,
                                       int64_t now_ms) {
  if (buckets.size() >= kTrackedMax && now_ms - tables.swept_ms >= kBurstMs) {
    tables.swept_ms = now_ms;
    // A bucket that has filled up again says no more than one that is not there.
    std::erase_if(buckets, [&](const auto& entry) {
      const double since_ms = static_cast<double>(now_ms - entry.second.at_ms);
      return entry.second.level + since_ms * static_cast<double>(rate) / 1000 >= full(rate);
    });
  }
  const auto [found, fresh] = buckets.try_emplace(name, Bucket{full(rate), now_ms});
  Bucket& bucket = found->second;
  if (!fresh) {
    const double gained =
        static_cast<double>(std::max<int64_t>(0, now_ms - bucket.at_ms)) * static_cast<double>(rate) / 1000;
    bucket.level = std::min(full(rate), bucket.level + gained);
    bucket.at_ms = now_ms;
  }
  return bucket;
}

int64_t RateLimits::wait_ms(const model::Grants& grants, int64_t now_ms) {
  if (options_.per_credential == 0 && options_.per_account == 0) return 0;
  return tables_.with([&](Tables& tables) {
    int64_t wait = 0;
    if (const int64_t rate = options_.per_credential; rate > 0) {
      wait = wait_for(filled(tables, tables.credentials, credential_name(grants), rate, now_ms).level, rate);
    }
    if (const int64_t rate = options_.per_account; rate > 0) {
      wait = std::max(wait, wait_for(filled(tables, tables.accounts, grants.account.text(), rate, now_ms).level, rate));
    }
    return wait;
  });
}

void RateLimits::pay(Bucket& bucket, int64_t rate, size_t units) {
  const double lowest = -static_cast<double>(rate) * kDebtMs / 1000;
  bucket.level = std::max(lowest, bucket.level - static_cast<double>(units));
}

void RateLimits::take(const model::Grants& grants, size_t units, int64_t now_ms) {
  if (options_.per_credential == 0 && options_.per_account == 0) return;
  tables_.with([&](Tables& tables) {
    if (const int64_t rate = options_.per_credential; rate > 0) {
      pay(filled(tables, tables.credentials, credential_name(grants), rate, now_ms), rate, units);
    }
    if (const int64_t rate = options_.per_account; rate > 0) {
      pay(filled(tables, tables.accounts, grants.account.text(), rate, now_ms), rate, units);
    }
  });
}

}  // namespace millstream::auth
