#include "api/published.h"

#include "base/limits.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

// Open alerts are kept in memory and shown in every snapshot, and only their publisher can end them.
Status check_open_alerts(const Context& context, const codec::PublishedEvent& published) {
  if (!published.opens_alert) return {};
  const size_t open = context.latest.published_alerts(published.topic.account);
  if (open < history::kPublishedAlertsMax) return {};
  return Error{Code::unprocessable, "the account has " + std::to_string(open) +
                                        " published alerts open, which is the limit: publish \"resolved\" for some"};
}

// Who acknowledged an alert stays on it, whatever its publisher tells of it: viewers take the newest event for all
// there is.
void keep_ack(const Context& context, codec::PublishedEvent& published) {
  if (published.type != model::EventType::alert) return;
  std::optional<model::AlertAck> ack = context.alerts.ack_of(published.topic, published.alert_id);
  if (!ack) return;
  Result<model::Alert> alert = codec::decode_alert_data(published.data);
  if (!alert || alert->state == model::AlertState::unacknowledged) return;
  alert->ack = std::move(ack);
  std::string data = codec::encode_alert_data(*alert);
  if (data.size() <= kEventBytesMax) published.data = std::move(data);
}

}  // namespace

Result<model::Event> admit_published(const Context& context, codec::PublishedEvent published) {
  const int64_t now_ms = context.clock.wall_ms();
  const int64_t ts_ms = published.ts_ms.value_or(now_ms);
  if (const Status time = ingest::check_time(ts_ms, now_ms, context.retention_ms); !time) return time.error();
  if (const Status room = check_open_alerts(context, published); !room) return room.error();
  keep_ack(context, published);
  return model::new_event(published.type, std::move(published.topic), std::move(published.data), ts_ms);
}

}  // namespace millstream::api
