// app/jwks_fetcher.h: the public keys of one issuer by URL, fetched and kept fresh by a thread of its own.
//
// Flow     start(); each set that differs from the one before goes to `deliver`, and a null one when the last has been
//          kept for too long. When: app/jwks_schedule.h.
// Limits   kFetchMs for a fetch, auth::KeySet::kBytesMax for its body; status 200 alone counts, redirects are not
//          followed. A set that does not parse counts as a failure: the one before stays.
// Errors   none returned: a log line whenever the reason changes, and millstream_jwks_fetches_total{outcome="failed"}.
// Thread   any. One thread an issuer, so that a provider that hangs holds up no other
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "app/issuer_settings.h"
#include "app/jwks_schedule.h"
#include "app/jwt_settings.h"
#include "base/clock.h"
#include "base/result.h"
#include "metrics/registry.h"

namespace millstream::app {

class JwksFetcher {
 public:
  static constexpr int64_t kFetchMs = 5'000;

  // `deliver` is called on the fetcher's thread; null: there are no keys any more.
  JwksFetcher(IssuerSource source, JwksSchedule schedule, const Clock& clock, metrics::Registry& metrics,
              std::function<void(KeySetPtr)> deliver);
  ~JwksFetcher();  // stop()
  JwksFetcher(const JwksFetcher&) = delete;
  JwksFetcher& operator=(const JwksFetcher&) = delete;

  void start();
  // Waits until the first fetch has ended, well or not, but no longer than `ms`. Whether it has.
  bool wait_for_first(int64_t ms);
  // A token names a key that is not in the set: fetches soon, unless it did so for the same reason just before.
  void want();
  void ask_to_stop();  // does not wait
  void stop();         // within about a second, as libcurl asks whether to go on

 private:
  void run();
  void fetch_once();
  Result<std::string> fetch() const;
  Result<bool> take(const std::string& body);
  void report(const Result<bool>& taken);
  void drop();
  bool stopping() const;

  const IssuerSource source_;  // constant after construction
  const Clock& clock_;
  metrics::Counter& ok_;
  metrics::Counter& failed_;
  const std::function<void(KeySetPtr)> deliver_;

  std::string body_digest_;  // of the fetcher's thread: of the set in use
  std::string complaint_;    // of the fetcher's thread: why the last fetch failed, numbers aside; empty: it did not

  mutable std::mutex mu_;
  std::condition_variable wake_;
  JwksSchedule schedule_;         // guarded by mu_
  bool first_has_ended_ = false;  // guarded by mu_
  bool stopping_ = false;         // guarded by mu_
  std::thread thread_;
};

}  // namespace millstream::app
