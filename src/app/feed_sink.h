// app/feed_sink.h: the way of points and events from outside feeds: the checks, the devices and the log that HTTP uses
// too.
//
// Thread   any
#pragma once

#include <string>

#include "api/context.h"
#include "connect/sink.h"

namespace millstream::app {

class FeedSink final : public connect::Sink {
 public:
  FeedSink(const api::Context& context, model::SiteId default_site)  // `context` outlives it
      : context_(context), default_site_(std::move(default_site)) {}

  Checked check(codec::ParsedPoints points, const model::AccountId& account) override;
  Result<model::Event> check(const model::SiteId& site, model::PresenceReport report,
                             const model::AccountId& account) override;
  Result<model::Event> check(codec::PublishedEvent published) override;
  int64_t wait_ms(const model::AccountId& account) override;
  Status append(std::vector<model::Event> events, std::function<void(Status)> done) override;
  Status append_once(const model::AccountId& account, std::string_view key, std::vector<model::Event> events,
                     std::function<void(Result<bool>)> done) override;

 private:
  const api::Context& context_;
  const model::SiteId default_site_;
};

}  // namespace millstream::app
