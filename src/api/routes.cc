#include "api/routes.h"

#include "api/replays.h"
#include "api/second_look.h"
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

namespace {

// The handlers live as long as the router, which holds them.
void look_twice(http::Router& router, const Context& context) {
  const auto look = std::make_shared<SecondLook>(context);
  router.wrap(
      [look](http::Handler handler) -> http::Handler {
        return [look, handler = std::make_shared<http::Handler>(std::move(handler))](http::ExchangePtr exchange) {
          look->before(*handler, std::move(exchange));
        };
      },
      [look](http::Admit admit) -> http::Admit {
        return [look, admit = std::move(admit)](const http::Request& request) { return look->before(admit, request); };
      });
}

}  // namespace

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
  if (context.registry.is_shared()) look_twice(router, context);
  add_operation_routes(router, context);
}

}  // namespace millstream::api
