#include "hub/shard_report.h"

#include <algorithm>

#include "hub/shard.h"

namespace millstream::hub {

namespace {
constexpr double kRateSeconds = 5;  // over which rates are smoothed
}  // namespace

void Rate::sample(uint64_t total, int64_t now_ms) {
  if (sampled_at_ms_ != 0 && now_ms > sampled_at_ms_) {
    const double seconds = static_cast<double>(now_ms - sampled_at_ms_) / 1000;
    const double now = static_cast<double>(total - total_) / seconds;
    const double weight = std::min(1.0, seconds / kRateSeconds);
    per_second_ += weight * (now - per_second_);
  }
  total_ = total;
  sampled_at_ms_ = now_ms;
}

ShardStats Shard::stats(const model::AccountId& account) const {
  MS_ON_OWNER(thread_);
  ShardStats out;
  out.events_per_second = event_rate_.per_second();
  out.deliveries_per_second = delivery_rate_.per_second();
  for (const auto& [key, group] : groups_) {
    if (group->patterns.front().account != account) continue;
    ++out.groups;
    for (const model::TopicPattern& pattern : group->patterns) out.fan_out[pattern.text()] += group->members;
  }
  const int64_t now_ms = clock_.steady_ms();
  for (const auto& [id, session] : sessions_) {
    if (session->group_.patterns.front().account != account) continue;
    ++out.streams;
    out.behind += session->place_ == Session::Place::behind ? 1 : 0;
    out.slow += session->collapsed_ ? 1 : 0;
    if (!session->pending_) continue;
    out.queued_bytes += session->pending_->bytes;
    out.oldest_queue_ms = std::max(out.oldest_queue_ms, now_ms - session->pending_->since_ms);
  }
  return out;
}

std::optional<StreamReport> Shard::report(const std::string& stream_id, const model::AccountId& account) const {
  MS_ON_OWNER(thread_);
  const Session* const session = find(stream_id, account);
  if (!session) return std::nullopt;
  const Group& group = session->group_;
  return StreamReport{.patterns = group.patterns,
                      .types = group.types,
                      .min_severity = group.min_severity,
                      .fields = group.view.fields,
                      .interval_ms = group.interval_ms,
                      .live = session->place_ == Session::Place::live,
                      .slow = session->collapsed_,
                      .cursor = position(*session),
                      .head = through_,
                      .queued_bytes = session->pending_ ? session->pending_->bytes : 0};
}

}  // namespace millstream::hub
