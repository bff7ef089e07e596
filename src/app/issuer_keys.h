// app/issuer_keys.h: the issuers of tokens with their keys, from files and by URL, kept fresh while the server runs.
//
// Flow     start() reads the files and begins to fetch; wait_for_first() before the first request is taken;
//          refresh_files() every few seconds; stop() after the last token was verified.
// Errors   start(): Code::invalid, a file that cannot be used. Later what cannot be used is reported and not used.
// Thread   startup, then refresh_files() on the thread that watches over the process
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "app/config.h"
#include "app/issuer_settings.h"
#include "app/jwks_fetcher.h"
#include "app/jwt_settings.h"
#include "auth/issuers.h"
#include "base/clock.h"
#include "base/result.h"
#include "metrics/registry.h"

namespace millstream::app {

class IssuerKeys {
 public:
  static constexpr int64_t kFirstMs = 5'000;  // how long a start waits for all providers together

  IssuerKeys(const Config& config, const Clock& clock, metrics::Registry& metrics);

  const auth::Issuers& issuers() const { return issuers_; }
  Status start();
  // Until every provider was asked once, at most kFirstMs after start(). Without an answer the server starts all the
  // same, and goes on asking.
  void wait_for_first();
  void refresh_files();
  void stop();

 private:
  struct File {
    size_t place;
    JwksFile file;
  };
  void add_fetcher(size_t place, const IssuerSource& source, const Config::Auth& auth, metrics::Registry& metrics);

  const Clock& clock_;
  auth::Issuers issuers_;
  std::vector<File> files_;
  std::vector<std::unique_ptr<JwksFetcher>> fetchers_;  // by place; null: the issuer has a file
  int64_t started_ms_ = 0;
};

}  // namespace millstream::app
