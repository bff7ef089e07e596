// auth/rate_limits.h: how much a credential, and an account with all its credentials, may send in a second.
//
// Flow     wait_ms() before a body is read; take() when it is known how much it held. A batch is taken whole or not at
// all,
//          so it may run into debt, and what comes next waits until the debt is paid, kDebtMs at most.
// Limits   RateOptions; what was not used in the last kBurstMs may be used at once.
// Thread   any (locks inside)
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/guarded.h"
#include "model/grants.h"

namespace millstream::auth {

struct RateOptions {
  int64_t per_credential = 0;  // units a second; 0: no limit
  int64_t per_account = 0;
};

class RateLimits {
 public:
  static constexpr int64_t kBurstMs = 5'000;
  static constexpr int64_t kDebtMs = 60'000;  // no batch makes what comes next wait for longer
  static constexpr size_t kTrackedMax = 100'000;

  explicit RateLimits(RateOptions options) : options_(options) {}

  // 0: go on. Else how long until more is taken. `now_ms`: steady.
  int64_t wait_ms(const model::Grants& grants, int64_t now_ms);
  void take(const model::Grants& grants, size_t units, int64_t now_ms);

 private:
  struct Bucket {
    double level = 0;  // below 0: in debt
    int64_t at_ms = 0;
  };
  using Buckets = std::unordered_map<std::string, Bucket>;
  struct Tables {
    Buckets credentials;
    Buckets accounts;
    int64_t swept_ms = 0;
  };
  static Bucket& filled(Tables& tables, Buckets& buckets, const std::string& name, int64_t rate, int64_t now_ms);
  static void pay(Bucket& bucket, int64_t rate, size_t units);

  const RateOptions options_;
  Guarded<Tables> tables_;
};

// Whose a limit is: subjects of different accounts may have the same name.
inline std::string credential_name(const model::Grants& grants) { return grants.account.text() + '/' + grants.subject; }

}  // namespace millstream::auth
