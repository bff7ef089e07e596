// POST /api/ingest: points as JSON, or as NDJSON when the content type says so. POST /api/collectd: what collectd
// sends.
#include "api/credential.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "api/write_points.h"
#include "base/limits.h"
#include "codec/collectd_json.h"
#include "codec/event_json.h"
#include "codec/telemetry_json.h"
#include "http/ascii.h"

namespace millstream::api {
namespace {

// The list, and how many there are in all when it does not name every one.
void append_rejected(const ingest::Validated& validated, std::string& out) {
  out += '[';
  for (size_t i = 0; i < validated.rejected.size(); ++i) {
    if (i > 0) out += ',';
    out += "{\"index\":" + std::to_string(validated.rejected[i].index) + ",\"reason\":";
    codec::append_json_string(validated.rejected[i].reason, out);
    out += '}';
  }
  out += ']';
  if (validated.rejected_count > validated.rejected.size()) {
    out += ",\"rejectedCount\":" + std::to_string(validated.rejected_count);
  }
}

http::Response stored(const ingest::Validated& validated) {
  std::string body = "{\"accepted\":" + std::to_string(validated.points_accepted) + ",\"rejected\":";
  append_rejected(validated, body);
  body += '}';
  return http::Response::json(200, std::move(body));
}

// The problem, and beside it the points by index when it is theirs.
http::Response failed(const Error& error, const ingest::Validated* validated) {
  http::Response response = problem(error);
  if (validated && !validated->rejected.empty()) {
    response.body.pop_back();
    response.body += ",\"errors\":";
    append_rejected(*validated, response.body);
    response.body += '}';
  }
  return response;
}

std::optional<http::Response> admit_ingest(Context& context, const http::Request& request) {
  const Result<model::Grants> grants = writing_grants(grants_of(context, request));
  if (!grants) return problem(grants.error());
  return refuse_over_quota(context, *grants, [](const Error& error) { return problem(error); });
}

bool is_ndjson(const http::Request& request) {
  const std::string_view type = media_type(request);
  return http::iequals(type, "application/x-ndjson") || http::iequals(type, "application/jsonl");
}

// Points that name no site.
Result<codec::ParsedPoints> at_site(const std::string& site, Result<codec::ParsedPoints> parsed) {
  if (!parsed || site.empty()) return parsed;
  for (model::Point& point : parsed->points) {
    if (point.site.empty()) point.site = site;
  }
  return parsed;
}

void write_json(Context& context, const http::ExchangePtr& exchange, model::Grants grants,
                std::function<Result<codec::ParsedPoints>(std::string_view)> parse) {
  write_points(context, exchange,
               {.grants = std::move(grants),
                .body_bytes_max = kJsonBodyBytesMax,
                .parse = std::move(parse),
                .stored = stored,
                .failed = failed});
}

void handle_ingest(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {"deviceId", "siteId"}); !known) {
    return exchange->respond(problem(known.error()));
  }
  Result<model::Grants> grants = writing_grants(grants_of(context, request));
  if (!grants) return exchange->respond(problem(grants.error()));
  std::string device(request.query.get("deviceId").value_or(""));
  std::string site(request.query.get("siteId").value_or(""));
  auto parse = [device = std::move(device), site = std::move(site), lines = is_ndjson(request)](std::string_view body) {
    Result<codec::ParsedPoints> parsed =
        lines ? codec::parse_telemetry_ndjson(body, device) : codec::parse_telemetry_json(body, device);
    return at_site(site, std::move(parsed));
  };
  write_json(context, exchange, std::move(*grants), std::move(parse));
}

// collectd gives its password once it has been asked for it, and knows of the ways to ask only Basic.
http::Response ask_collectd(const Error& error) {
  http::Response response = problem(error);
  if (response.status == 401) response.headers.set("WWW-Authenticate", "Basic realm=\"Millstream\"");
  return response;
}

std::optional<http::Response> admit_collectd(Context& context, const http::Request& request) {
  const Result<model::Grants> grants = writing_grants(influx_grants_of(context, request));
  return grants ? refuse_over_quota(context, *grants, ask_collectd) : ask_collectd(grants.error());
}

void handle_collectd(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {"siteId"}); !known) {
    return exchange->respond(problem(known.error()));
  }
  Result<model::Grants> grants = writing_grants(influx_grants_of(context, request));
  if (!grants) return exchange->respond(ask_collectd(grants.error()));
  auto parse = [site = std::string(request.query.get("siteId").value_or(""))](std::string_view body) {
    return at_site(site, codec::parse_collectd_json(body));
  };
  write_json(context, exchange, std::move(*grants), std::move(parse));
}

}  // namespace

void add_ingest_routes(http::Router& router, Context& context) {
  router.add(
      "POST", "/api/ingest", kJsonBodyBytesMax,
      [&context](const http::ExchangePtr& exchange) { handle_ingest(context, exchange); },
      [&context](const http::Request& request) { return admit_ingest(context, request); });
  router.add(
      "POST", "/api/collectd", kJsonBodyBytesMax,
      [&context](const http::ExchangePtr& exchange) { handle_collectd(context, exchange); },
      [&context](const http::Request& request) { return admit_collectd(context, request); });
}

}  // namespace millstream::api
