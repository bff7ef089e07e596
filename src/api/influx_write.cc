// Line protocol in, as InfluxDB 1.x, 2.x and 3 take it, each with its own words, shapes and status codes.
// Source: InfluxDB 1.12 httpd handler.go, 2.7 http/points, 3's write_lp (status codes and bodies as clients react to
// them).
#include <algorithm>
#include <functional>

#include "api/credential.h"
#include "api/influx_error.h"
#include "api/problem.h"
#include "api/routes.h"
#include "api/write_points.h"
#include "base/limits.h"
#include "codec/event_json.h"
#include "codec/line_protocol.h"

namespace millstream::api {
namespace {

using Keep = ingest::Validator::Keep;

constexpr size_t kLinesNamedMax = 100;

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

std::string partial_write(const ingest::Validated& validated) {
  return "partial write: " + named_lines(validated) + " dropped=" + std::to_string(validated.rejected_count);
}

void append_line(const codec::Rejected& bad, std::string& out) {
  out += "{\"error_message\":";
  codec::append_json_string(bad.reason, out);
  out += ",\"line_number\":" + std::to_string(bad.index) + ",\"original_line\":";
  codec::append_json_string(bad.original, out);
  out += '}';
}

// What the lines at fault are answered with.
struct BadLines {
  const ingest::Validated& validated;  // at least one is rejected
  std::string_view place;
  bool some_stored = false;
  Keep keep = Keep::good_points;
};

http::Response v1_bad_lines(const BadLines& lines) {
  if (!lines.some_stored) return influx_v1_error(400, named_lines(lines.validated));
  return influx_v1_error(400, partial_write(lines.validated) + " for database: " + std::string(lines.place));
}

http::Response v2_bad_lines(const BadLines& lines) {
  return influx_v2_error(400, lines.some_stored ? partial_write(lines.validated) : named_lines(lines.validated));
}

// Version 3 says the same whether any line was good, and of a batch refused whole names the first bad line. Its clients
// know a partial write by the sentence, in whichever member they look for it.
http::Response v3_bad_lines(const BadLines& lines) {
  const std::vector<codec::Rejected>& rejected = lines.validated.rejected;
  const bool whole = lines.keep == Keep::all_or_nothing;
  const std::string_view error =
      whole ? "parsing failed for write_lp endpoint" : "partial write of line protocol occurred";
  std::string data;
  if (whole) {
    append_line(rejected.front(), data);
  } else {
    data += '[';
    for (size_t i = 0; i < std::min(rejected.size(), kLinesNamedMax); ++i) {
      if (i > 0) data += ',';
      append_line(rejected[i], data);
    }
    data += ']';
  }
  return influx_v3_error(400, error, std::string(error) + ": " + named_lines(lines.validated), data);
}

http::Response v3_error(int status, std::string_view message) { return influx_v3_error(status, message); }

// The versions differ in shapes and words only.
struct Dialect {
  std::string_view place_parameter;
  std::string_view place_missing;
  http::Response (*error)(int status, std::string_view message);
  http::Response (*bad_lines)(const BadLines& lines);
  Result<codec::Precision> (*precision)(std::string_view text);
  bool says_429;
  bool has_options;  // accept_partial and no_sync
};
constexpr Dialect kV1{"db", "database is required", influx_v1_error, v1_bad_lines, codec::parse_precision_v1, false,
                      false};
constexpr Dialect kV2{"bucket", "bucket is required", influx_v2_error, v2_bad_lines, codec::parse_precision_v2, true,
                      false};
constexpr Dialect kV3{"db", "db is required", v3_error, v3_bad_lines, codec::parse_precision_v3, true, true};

// A status Influx clients react to as we mean it: /write must never say 429, and none may say 507 (Telegraf drops the
// batch).
int influx_status(const Dialect& dialect, Code code) {
  if (code == Code::storage_full || (code == Code::rate_limited && !dialect.says_429)) return 503;
  return status_of(code);
}

http::Response error_answer(const Dialect& dialect, const Error& error) {
  return dialect.error(influx_status(dialect, error.code), error.detail);
}

Result<bool> parse_option(const http::Query& query, std::string_view name, bool by_default) {
  const auto text = query.get(name);
  if (!text) return by_default;
  if (*text == "true") return true;
  if (*text == "false") return false;
  return Error{Code::invalid, std::string(name) + ": true or false"};
}

// `no_sync` is checked and passed over: what is answered 204 is always on disk, which is more than was asked for.
Result<Keep> parse_options(const Dialect& dialect, const http::Query& query) {
  if (!dialect.has_options) return Keep::good_points;
  const Result<bool> partial = parse_option(query, "accept_partial", true);
  if (!partial) return partial.error();
  if (const Result<bool> no_sync = parse_option(query, "no_sync", false); !no_sync) return no_sync.error();
  return *partial ? Keep::good_points : Keep::all_or_nothing;
}

std::optional<http::Response> admit_write(Context& context, const Dialect& dialect, const http::Request& request) {
  const auto refuse = [&](const Error& error) { return error_answer(dialect, error); };
  const Result<model::Grants> grants = writing_grants(influx_grants_of(context, request));
  return grants ? refuse_over_quota(context, *grants, refuse) : refuse(grants.error());
}

void handle_write(Context& context, const Dialect& dialect, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const auto refuse = [&](const Error& error) { exchange->respond(error_answer(dialect, error)); };
  Result<model::Grants> grants = writing_grants(influx_grants_of(context, request));
  if (!grants) return refuse(grants.error());
  std::string place(request.query.get(dialect.place_parameter).value_or(""));
  if (place.empty()) return refuse({Code::invalid, std::string(dialect.place_missing)});
  const Result<codec::Precision> precision = dialect.precision(request.query.get("precision").value_or(""));
  if (!precision) return refuse(precision.error());
  const Result<Keep> keep = parse_options(dialect, request.query);
  if (!keep) return refuse(keep.error());

  auto stored = [&dialect, place](const ingest::Validated& validated) {
    if (validated.rejected.empty()) return http::Response{.status = 204};
    return dialect.bad_lines({.validated = validated, .place = place, .some_stored = true});
  };
  auto failed = [&dialect, place, keep = *keep](const Error& error, const ingest::Validated* validated) {
    const bool lines_at_fault = validated && !validated->rejected.empty() && error.code == Code::invalid;
    if (!lines_at_fault) return error_answer(dialect, error);
    return dialect.bad_lines({.validated = *validated, .place = place, .keep = keep});
  };
  auto parse = [precision = *precision](std::string_view body) -> Result<codec::ParsedPoints> {
    return codec::parse_line_protocol(body, precision);
  };
  write_points(context, exchange,
               {.grants = std::move(*grants),
                .body_bytes_max = kLineBodyBytesMax,
                .parse = std::move(parse),
                .quote = dialect.has_options ? codec::quote_lines : nullptr,
                .keep = *keep,
                .stored = std::move(stored),
                .failed = std::move(failed)});
}

}  // namespace

void add_influx_write_routes(http::Router& router, Context& context) {
  const auto handle = [&context](const Dialect& dialect) -> http::Handler {
    return [&context, &dialect](const http::ExchangePtr& e) { handle_write(context, dialect, e); };
  };
  const auto admit = [&context](const Dialect& dialect) {
    return [&context, &dialect](const http::Request& r) { return admit_write(context, dialect, r); };
  };
  router.add("POST", "/write", kLineBodyBytesMax, handle(kV1), admit(kV1));
  router.add("POST", "/api/v2/write", kLineBodyBytesMax, handle(kV2), admit(kV2));
  router.add("POST", "/api/v3/write_lp", kLineBodyBytesMax, handle(kV3), admit(kV3));
}

}  // namespace millstream::api
