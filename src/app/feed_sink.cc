#include "app/feed_sink.h"

#include <utility>

#include "api/idempotency.h"
#include "api/published.h"
#include "codec/event_json.h"
#include "log/once_errors.h"

namespace millstream::app {
namespace {

// Feeds of one account share what the account may send, and what one credential may.
model::Grants grants_of(const model::AccountId& account) {
  model::Grants grants;
  grants.subject = "feed";
  grants.account = account;
  return grants;
}

}  // namespace

connect::Sink::Checked FeedSink::check(codec::ParsedPoints points, const model::AccountId& account) {
  context_.ingest_rates.take(grants_of(account), points.points.size() + points.rejected_count,
                             context_.clock.steady_ms());
  const int64_t now_ms = context_.clock.wall_ms();
  ingest::Validated validated = context_.validator.validate(
      std::move(points), account,
      [&](const model::Topic& topic) { return context_.registry.devices().admit(topic, now_ms); }, now_ms);
  Checked checked{.events = std::move(validated.events), .refused = validated.rejected_count};
  if (!validated.rejected.empty()) checked.first_refusal = std::move(validated.rejected.front().reason);
  return checked;
}

Result<model::Event> FeedSink::check(const model::SiteId& site, model::PresenceReport report,
                                     const model::AccountId& account) {
  const model::Topic topic{account, site.empty() ? default_site_ : site, report.device};
  model::Event event =
      new_event(model::EventType::system, topic, codec::encode_presence_report_data(report), context_.clock.wall_ms());
  if (Status s = context_.registry.devices().admit(event.topic, event.ts_ms); !s) return s.error();
  return event;
}

Result<model::Event> FeedSink::check(codec::PublishedEvent published) {
  context_.ingest_rates.take(grants_of(published.topic.account), 1, context_.clock.steady_ms());
  return api::admit_published(context_, std::move(published));
}

int64_t FeedSink::wait_ms(const model::AccountId& account) {
  return context_.ingest_rates.wait_ms(grants_of(account), context_.clock.steady_ms());
}

Status FeedSink::append(std::vector<model::Event> events, std::function<void(Status)> done) {
  return context_.log.append(std::move(events), [done = std::move(done)](const Result<log::AppendReceipt>& receipt) {
    done(receipt ? Status() : Status(receipt.error()));
  });
}

// What is repeated needs no answer of the first time, and the key says what it is of.
Status FeedSink::append_once(const model::AccountId& account, std::string_view key, std::vector<model::Event> events,
                             std::function<void(Result<bool>)> done) {
  log::Once once{.key = api::once_key(grants_of(account), key), .owner = account, .content = 0, .answer = {}};
  return context_.log.append_once(
      std::move(once), std::move(events), [done = std::move(done)](const Result<log::AppendReceipt>& receipt) {
        if (receipt) return done(receipt->repeated.has_value());
        const bool has_no_room = receipt.error().detail == log::no_more_keys().detail;
        done(has_no_room ? Error{Code::rate_limited, receipt.error().detail} : receipt.error());
      });
}

}  // namespace millstream::app
