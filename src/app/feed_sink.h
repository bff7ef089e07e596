// app/feed_sink.h: the way of points from outside feeds: the checks, the devices and the log that HTTP uses too.
//
// Thread   any
#pragma once

#include <string>

#include "auth/rate_limits.h"
#include "base/clock.h"
#include "connect/sink.h"
#include "ingest/validator.h"
#include "log/event_log.h"
#include "registry/registry.h"

namespace millstream::app {

class FeedSink final : public connect::Sink {
 public:
  // Everything named outlives it.
  FeedSink(const ingest::Validator& validator, registry::Registry& registry, log::EventLog& log,
           auth::RateLimits& rates, const Clock& clock, model::SiteId default_site)
      : validator_(validator),
        registry_(registry),
        log_(log),
        rates_(rates),
        clock_(clock),
        default_site_(std::move(default_site)) {}

  Checked check(codec::ParsedPoints points, const model::AccountId& account) override;
  Result<model::Event> check(const model::SiteId& site, model::PresenceReport report,
                             const model::AccountId& account) override;
  int64_t wait_ms(const model::AccountId& account) override;
  Status append(std::vector<model::Event> events, std::function<void(Status)> done) override;

 private:
  const ingest::Validator& validator_;
  registry::Registry& registry_;
  log::EventLog& log_;
  auth::RateLimits& rates_;
  const Clock& clock_;
  const model::SiteId default_site_;
};

}  // namespace millstream::app
