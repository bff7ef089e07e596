// /health, /ready and /metrics.
// These are open on purpose: they carry counts and states, never a tenant's data.
#include "api/problem.h"
#include "api/routes.h"
#include "base/time_text.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

// A shape that Influx clients accept too.
http::Response health(const Context& context) {
  std::string body =
      "{\"name\":\"millstream\",\"message\":\"ready for queries and "
      "writes\",\"status\":\"pass\",\"checks\":[],\"version\":";
  codec::append_json_string(context.version, body);
  body += '}';
  return http::Response::json(200, std::move(body));
}

// Who is known stays known, and streams go on: that its database is away is no reason either.
std::string_view registry_state(const Context& context) { return context.registry.is_reachable() ? "ok" : "away"; }

// A disk that takes nothing more is no reason to take the server out of service: streams and reads go on.
http::Response ready(const Context& context) {
  if (context.draining) return problem(503, "draining");
  if (!context.ready) return problem(503, "starting");
  std::string body = "{\"status\":\"ready\",\"started\":\"" + rfc3339_ms(context.started_at_ms) + "\",\"up\":\"" +
                     duration_text((context.clock.wall_ms() - context.started_at_ms) / 1000 * 1000) +
                     "\",\"storage\":\"" + std::string(log::storage_name(context.log.storage())) +
                     "\",\"registry\":\"" + std::string(registry_state(context)) + "\"";
  if (context.influx_state) {
    const bool is_ok = context.influx_state().health == influx::WriterState::Health::ok;
    body += std::string(",\"influx\":\"") + (is_ok ? "ok" : "degraded") + "\"";
  }
  body += '}';
  return http::Response::json(200, std::move(body));
}

http::Response metrics(const Context& context) {
  return http::Response::text(200, context.metrics.prometheus_text(), "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace

void add_operation_routes(http::Router& router, Context& context) {
  const auto add = [&](std::string path, http::Response (*make)(const Context&)) {
    router.add("GET", std::move(path), 0, [&context, make](const http::ExchangePtr& e) { e->respond(make(context)); });
  };
  add("/health", health);
  add("/api/v2/health", health);
  add("/ready", ready);
  add("/metrics", metrics);
}

}  // namespace millstream::api
