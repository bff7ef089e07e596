// The InfluxDB endpoints: line protocol in, and what Influx clients ask around it, in Influx's own shapes.
// Source: InfluxDB 1.12 httpd handler.go and 2.7 http/points (status codes and bodies as clients react to them).
#include <algorithm>
#include <cctype>
#include <functional>

#include "api/credential.h"
#include "api/influx_error.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "api/write_points.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "codec/event_json.h"
#include "codec/line_protocol.h"

namespace millstream::api {
namespace {

constexpr std::string_view kInfluxVersion = "1.8.10";  // the newest 1.x that clients switch their behaviour on
constexpr size_t kLinesNamedMax = 100;
constexpr std::string_view kDatabase = "millstream";

// Both versions differ in shapes and words only.
struct Dialect {
  std::string_view place_parameter;  // "db" or "bucket"
  http::Response (*error)(int status, std::string_view message);
  Result<codec::Precision> (*precision)(std::string_view text);
  bool names_database;  // v1 ends a partial write with the database's name
  bool says_429;
};
constexpr Dialect kV1{"db", influx_v1_error, codec::parse_precision_v1, true, false};
constexpr Dialect kV2{"bucket", influx_v2_error, codec::parse_precision_v2, false, true};

std::string named_lines(const ingest::Validated& validated) {
  std::string out;
  const size_t named = std::min(validated.rejected.size(), kLinesNamedMax);
  for (size_t i = 0; i < named; ++i) {
    const codec::Rejected& bad = validated.rejected[i];
    if (i > 0) out += '\n';
    out += bad.original.empty() ? "line " + std::to_string(bad.index) + ": "
                                : "unable to parse '" + bad.original + "' (line " + std::to_string(bad.index) + "): ";
    out += bad.reason;
  }
  if (validated.rejected_count > named) out += "\nand " + std::to_string(validated.rejected_count - named) + " more";
  return out;
}

http::Response partial_write(const Dialect& dialect, const std::string& place, const ingest::Validated& validated) {
  std::string message =
      "partial write: " + named_lines(validated) + " dropped=" + std::to_string(validated.rejected_count);
  if (dialect.names_database) message += " for database: " + place;
  return dialect.error(400, message);
}

// A status Influx clients react to as we mean it: /write must never say 429, and neither may say 507 (Telegraf drops
// the batch).
int influx_status(const Dialect& dialect, Code code) {
  if (code == Code::storage_full || (code == Code::rate_limited && !dialect.says_429)) return 503;
  return status_of(code);
}

std::optional<http::Response> admit_write(Context& context, const Dialect& dialect, const http::Request& request) {
  const auto refuse = [&](const Error& error) {
    return dialect.error(influx_status(dialect, error.code), error.detail);
  };
  const Result<model::Grants> grants = writing_grants(influx_grants_of(context, request));
  return grants ? refuse_over_quota(context, *grants, refuse) : refuse(grants.error());
}

void handle_write(Context& context, const Dialect& dialect, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const auto refuse = [&](const Error& error) {
    exchange->respond(dialect.error(influx_status(dialect, error.code), error.detail));
  };
  Result<model::Grants> grants = writing_grants(influx_grants_of(context, request));
  if (!grants) return refuse(grants.error());
  std::string place(request.query.get(dialect.place_parameter).value_or(""));
  if (place.empty()) {
    return refuse({Code::invalid, dialect.names_database ? "database is required" : "bucket is required"});
  }
  const Result<codec::Precision> precision = dialect.precision(request.query.get("precision").value_or(""));
  if (!precision) return refuse(precision.error());

  auto stored = [&dialect, place](const ingest::Validated& validated) {
    return validated.rejected.empty() ? http::Response{.status = 204} : partial_write(dialect, place, validated);
  };
  auto failed = [&dialect](const Error& error, const ingest::Validated* validated) {
    const bool lines_at_fault = validated && !validated->rejected.empty() && error.code == Code::invalid;
    return dialect.error(influx_status(dialect, error.code), lines_at_fault ? named_lines(*validated) : error.detail);
  };
  auto parse = [precision = *precision](std::string_view body) -> Result<codec::ParsedPoints> {
    return codec::parse_line_protocol(body, precision);
  };
  write_points(context, exchange,
               {.grants = std::move(*grants),
                .body_bytes_max = kLineBodyBytesMax,
                .parse = std::move(parse),
                .stored = std::move(stored),
                .failed = std::move(failed)});
}

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
  router.add(
      "POST", "/write", kLineBodyBytesMax, [&context](const http::ExchangePtr& e) { handle_write(context, kV1, e); },
      [&context](const http::Request& r) { return admit_write(context, kV1, r); });
  router.add(
      "POST", "/api/v2/write", kLineBodyBytesMax,
      [&context](const http::ExchangePtr& e) { handle_write(context, kV2, e); },
      [&context](const http::Request& r) { return admit_write(context, kV2, r); });
  constexpr size_t kStatementBytesMax = 64 << 10;
  router.add("GET", "/query", 0, [&context](const http::ExchangePtr& e) { handle_query(context, e); });
  router.add("POST", "/query", kStatementBytesMax,
             [&context](const http::ExchangePtr& e) { handle_query(context, e); });
  router.add("GET", "/ping", 0, handle_ping);
}

}  // namespace millstream::api
