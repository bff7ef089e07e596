// What Influx clients ask around their writes, in InfluxDB's own shapes. The writes are in influx_write.cc.
// Source: InfluxDB 1.12 httpd handler.go.
#include <cctype>

#include "api/credential.h"
#include "api/influx_error.h"
#include "api/routes.h"
#include "base/utf8.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

constexpr std::string_view kInfluxVersion = "1.8.10";  // the newest 1.x that clients switch their behaviour on
constexpr std::string_view kDatabase = "millstream";

std::string upper_words(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool space = std::isspace(static_cast<unsigned char>(c)) || c == ';';
    if (space && (out.empty() || out.back() == ' ')) continue;
    out += space ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

// The q of a query or of a form body.
std::string query_text(const http::Request& request) {
  if (const auto q = request.query.get("q")) return std::string(*q);
  const auto form = http::Query::parse(request.body);
  return form ? std::string(form->get("q").value_or("")) : std::string();
}

// Any name is a database here, so the one that the client works with is there: some look for it before they write.
std::string databases(std::string_view asked) {
  std::string body =
      "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"databases\",\"columns\":[\"name\"],\"values\":[[";
  codec::append_json_string(kDatabase, body);
  if (!asked.empty() && asked != kDatabase && is_utf8(asked)) {
    body += "],[";
    codec::append_json_string(asked, body);
  }
  return body += "]]}]}]}\n";
}

void handle_query(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Result<model::Grants> grants = influx_grants_of(context, request); !grants) {
    return exchange->respond(influx_v1_error(401, grants.error().detail));
  }
  const std::string statement = upper_words(query_text(request));
  if (statement.empty()) return exchange->respond(influx_v1_error(400, "missing required parameter \"q\""));
  if (statement.starts_with("CREATE DATABASE ")) {
    return exchange->respond(http::Response::json(200, "{\"results\":[{\"statement_id\":0}]}\n"));
  }
  if (statement == "SHOW DATABASES") {
    return exchange->respond(http::Response::json(200, databases(request.query.get("db").value_or(""))));
  }
  exchange->respond(influx_v1_error(400,
                                    "only CREATE DATABASE and SHOW DATABASES are answered here; read with GET "
                                    "/api/events/backfill and GET /api/series"));
}

void handle_ping(const http::ExchangePtr& exchange) {
  const auto verbose = exchange->request().query.get("verbose");
  http::Response response;
  response.status = 204;
  if (verbose && *verbose != "false" && *verbose != "0") {
    response = http::Response::json(200, "{\"version\":\"" + std::string(kInfluxVersion) + "\"}\n");
  }
  response.headers.add("X-Influxdb-Version", std::string(kInfluxVersion));
  response.headers.add("X-Influxdb-Build", "OSS");
  exchange->respond(std::move(response));
}

}  // namespace

void add_influx_routes(http::Router& router, Context& context) {
  constexpr size_t kStatementBytesMax = 64 << 10;
  router.add("GET", "/query", 0, [&context](const http::ExchangePtr& e) { handle_query(context, e); });
  router.add("POST", "/query", kStatementBytesMax,
             [&context](const http::ExchangePtr& e) { handle_query(context, e); });
  router.add("GET", "/ping", 0, handle_ping);
}

}  // namespace millstream::api
