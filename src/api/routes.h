// api/routes.h: every endpoint, one handler file per resource.
//
// Flow     app/wiring builds the context, this fills the router; handlers run on the I/O loops.
// Thread   startup
#pragma once

#include "api/context.h"
#include "http/server.h"

namespace millstream::api {

void add_routes(http::Router& router, Context& context);

// One function per handler file.
void add_ticket_routes(http::Router& router, Context& context);         // ticket.cc
void add_login_routes(http::Router& router, Context& context);          // login.cc
void add_key_routes(http::Router& router, Context& context);            // keys.cc
void add_user_routes(http::Router& router, Context& context);           // users.cc
void add_stream_routes(http::Router& router, Context& context);         // stream.cc
void add_replay_routes(http::Router& router, Context& context);         // replay.cc
void add_ingest_routes(http::Router& router, Context& context);         // ingest.cc
void add_publish_routes(http::Router& router, Context& context);        // publish.cc
void add_influx_write_routes(http::Router& router, Context& context);   // influx_write.cc
void add_influx_routes(http::Router& router, Context& context);         // influx.cc
void add_backfill_routes(http::Router& router, Context& context);       // backfill.cc
void add_device_routes(http::Router& router, Context& context);         // devices.cc
void add_series_routes(http::Router& router, Context& context);         // series.cc
void add_alert_routes(http::Router& router, Context& context);          // alerts.cc
void add_alert_command_routes(http::Router& router, Context& context);  // alert_commands.cc
void add_silence_routes(http::Router& router, Context& context);        // silences.cc
void add_channel_routes(http::Router& router, Context& context);        // channels.cc
void add_notification_routes(http::Router& router, Context& context);   // notifications.cc
void add_rule_routes(http::Router& router, Context& context);           // rules.cc
void add_backtest_routes(http::Router& router, Context& context);       // rule_backtest.cc
void add_stats_routes(http::Router& router, Context& context);
void add_operation_routes(http::Router& router, Context& context);  // operations.cc

}  // namespace millstream::api
