#include "api/routes.h"

#include "base/check.h"

namespace millstream::api {

const Context::Shard& Context::at(const net::Loop& loop) const {
  for (const Shard& entry : shards) {
    if (entry.loop == &loop) return entry;
  }
  MS_CHECK(false && "every loop that runs handlers has a shard");
  __builtin_unreachable();
}

void add_routes(http::Router& router, Context& context) {
  add_stream_routes(router, context);
  add_ticket_routes(router, context);
  add_ingest_routes(router, context);
  add_influx_routes(router, context);
  add_backfill_routes(router, context);
  add_device_routes(router, context);
  add_series_routes(router, context);
  add_stats_routes(router, context);
  add_operation_routes(router, context);
}

}  // namespace millstream::api
