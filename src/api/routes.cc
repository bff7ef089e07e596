#include "api/routes.h"

#include "api/replays.h"
#include "base/check.h"

namespace millstream::api {

const Context::Shard& Context::at(const net::Loop& loop) const {
  for (const Shard& entry : shards) {
    if (entry.loop == &loop) return entry;
  }
  MS_CHECK(false && "every loop that runs handlers has a shard");
  __builtin_unreachable();
}

void Context::end_streams(const std::vector<uint64_t>& credentials) const {
  if (credentials.empty()) return;
  for (const Shard& entry : shards) {
    entry.loop->post([shard = entry.shard, replays = entry.replays, credentials] {
      shard->end_credentials(credentials);
      if (replays) replays->end_credentials(credentials);
    });
  }
}

void add_routes(http::Router& router, Context& context) {
  add_stream_routes(router, context);
  add_replay_routes(router, context);
  add_ticket_routes(router, context);
  add_login_routes(router, context);
  add_key_routes(router, context);
  add_user_routes(router, context);
  add_rule_routes(router, context);
  add_ingest_routes(router, context);
  add_publish_routes(router, context);
  add_influx_write_routes(router, context);
  add_influx_routes(router, context);
  add_backfill_routes(router, context);
  add_device_routes(router, context);
  add_series_routes(router, context);
  add_alert_routes(router, context);
  add_alert_command_routes(router, context);
  add_silence_routes(router, context);
  add_channel_routes(router, context);
  add_notification_routes(router, context);
  add_backtest_routes(router, context);
  add_stats_routes(router, context);
  add_operation_routes(router, context);
}

}  // namespace millstream::api
