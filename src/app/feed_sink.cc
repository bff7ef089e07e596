#include "app/feed_sink.h"

#include <utility>

#include "codec/event_json.h"

namespace millstream::app {
namespace {

// Feeds of one account share what the account may send, and what one credential may.
model::Grants grants_of(const model::AccountId& account) {
  model::Grants grants;
  grants.subject = "mqtt";
  grants.account = account;
  return grants;
}

}  // namespace

connect::Sink::Checked FeedSink::check(codec::ParsedPoints points, const model::AccountId& account) {
  rates_.take(grants_of(account), points.points.size() + points.rejected_count, clock_.steady_ms());
  const int64_t now_ms = clock_.wall_ms();
  ingest::Validated validated = validator_.validate(
      std::move(points), account, [&](const model::Topic& topic) { return registry_.devices().admit(topic, now_ms); },
      now_ms);
  Checked checked{.events = std::move(validated.events), .refused = validated.rejected_count};
  if (!validated.rejected.empty()) checked.first_refusal = std::move(validated.rejected.front().reason);
  return checked;
}

Result<model::Event> FeedSink::check(const model::SiteId& site, model::PresenceReport report,
                                     const model::AccountId& account) {
  const model::Topic topic{account, site.empty() ? default_site_ : site, report.device};
  model::Event event =
      new_event(model::EventType::system, topic, codec::encode_presence_report_data(report), clock_.wall_ms());
  if (Status s = registry_.devices().admit(event.topic, event.ts_ms); !s) return s.error();
  return event;
}

int64_t FeedSink::wait_ms(const model::AccountId& account) {
  return rates_.wait_ms(grants_of(account), clock_.steady_ms());
}

Status FeedSink::append(std::vector<model::Event> events, std::function<void(Status)> done) {
  return log_.append(std::move(events), [done = std::move(done)](const Result<log::AppendReceipt>& receipt) {
    done(receipt ? Status() : Status(receipt.error()));
  });
}

}  // namespace millstream::app
