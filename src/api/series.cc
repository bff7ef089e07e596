// GET /api/series: one device's fields over a span, as buckets with true extremes, or raw.
#include <algorithm>

#include "api/credential.h"
#include "api/listing.h"
#include "api/missing.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/read_series.h"
#include "api/routes.h"
#include "base/limits.h"
#include "base/time_text.h"
#include "codec/csv.h"
#include "codec/event_json.h"
#include "history/series.h"

namespace millstream::api {
namespace {

struct Asked {
  std::vector<model::TopicPattern> patterns;
  history::SeriesRequest series;
  Format format = Format::json;
};

void append_time(std::string_view key, int64_t utc_ms, std::string& out) {
  out += '"';
  out += key;
  out += "\":\"";
  append_rfc3339_ms(utc_ms, out);
  out += '"';
}

void append_point(const history::Bucket& bucket, std::string& out) { append_bucket(bucket, out); }

void append_point(const history::RawPoint& point, std::string& out) {
  out += '{';
  append_time("t", point.t_ms, out);
  out += ",\"v\":";
  codec::append_json_number(point.value, out);
  out += '}';
}

std::string series_csv(const history::SeriesResult& result, bool raw) {
  std::string body = raw ? "time,field,value\r\n" : "time,field,min,max,avg,last,count\r\n";
  codec::CsvWriter out(body);
  for (const auto& [name, points] : result.raw) {
    for (const history::RawPoint& point : points) out.time(point.t_ms).text(name).number(point.value).end_row();
  }
  for (const auto& [name, buckets] : result.buckets) {
    for (const history::Bucket& bucket : buckets) {
      out.time(bucket.t_ms).text(name).number(bucket.min).number(bucket.max).number(bucket.avg).number(bucket.last);
      out.number(bucket.count).end_row();
    }
  }
  return body;
}

template <class Points>
void append_fields(const std::map<std::string, Points>& fields, std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& [name, points] : fields) {
    if (!first) out += ',';
    first = false;
    codec::append_json_string(name, out);
    out += ":[";
    for (size_t i = 0; i < points.size(); ++i) {
      if (i > 0) out += ',';
      append_point(points[i], out);
    }
    out += ']';
  }
  out += '}';
}

Result<Asked> parse_series(const http::Query& query, std::vector<model::TopicPattern> patterns, int64_t now_ms) {
  Asked asked{.patterns = std::move(patterns), .series = {}};
  if (!query.get("deviceId")) return Error{Code::invalid, "deviceId: required"};
  for (std::string_view field : split_list(query.get("fields").value_or(""))) {
    asked.series.fields.emplace_back(field);
  }
  if (asked.series.fields.size() > kSeriesFieldsMax) {
    return Error{Code::unprocessable, "fields: at most " + std::to_string(kSeriesFieldsMax)};
  }
  const auto end = parse_time_field(query, "end");
  if (!end) return end.error();
  const auto start = parse_time_field(query, "start");
  if (!start) return start.error();
  asked.series.end_ms = end->value_or(now_ms + 1);
  asked.series.start_ms = start->value_or(asked.series.end_ms - kHourMs);
  const auto points = parse_number(query, "points", 1, kSeriesPointsMax);
  if (!points) return points.error();
  asked.series.points = static_cast<size_t>(points->value_or(kSeriesPointsDefault));
  const Result<bool> raw = parse_flag(query, "raw");
  if (!raw) return raw.error();
  asked.series.raw = *raw;
  return asked;
}

// A name may stand on several sites; a chart is of one device.
Result<model::Topic> the_device(const Context& context, const std::vector<model::TopicPattern>& patterns) {
  const history::LatestSnapshot latest =
      context.latest.snapshot(patterns, model::EventTypes::none().with(model::EventType::telemetry));
  if (latest.devices.empty()) return Error{Code::not_found, "deviceId: nothing heard of it within the retention"};
  if (latest.devices.size() > 1) return Error{Code::invalid, "deviceId: on several sites; name one with siteId"};
  return latest.devices.front().topic;
}

http::Response make_series(const Context& context, const Asked& asked, ClientWatch& client) {
  Result<history::SeriesBuilder> builder = history::SeriesBuilder::make(asked.series);
  if (!builder) return problem(builder.error());
  const Result<model::Topic> topic = the_device(context, asked.patterns);
  if (!topic) return problem(topic.error());
  const auto wants_more = [&] { return !client.gone() && context.ready; };
  const Result<std::vector<log::Missing>> parts = read_series(context, *topic, asked.series, *builder, wants_more);
  if (!parts) return problem(parts.error());
  std::string missing = missing_json(*parts);
  const history::SeriesResult result = std::move(*builder).result();
  const std::string name = "series-" + topic->device.text();
  if (asked.format == Format::csv) {
    http::Response response = listing(Format::csv, series_csv(result, asked.series.raw), name);
    if (result.truncated) response.headers.add("X-Truncated", "true");
    if (!missing.empty()) response.headers.add("X-Missing", std::move(missing));
    return response;
  }
  std::string body = "{\"deviceId\":\"" + topic->device.text() + "\",\"topic\":\"" + topic->text() + "\",";
  append_time("start", asked.series.start_ms, body);
  body += ',';
  append_time("end", asked.series.end_ms, body);
  body += ",\"stepMs\":" + std::to_string(result.step_ms) + ",\"series\":";
  if (asked.series.raw) {
    append_fields(result.raw, body);
  } else {
    append_fields(result.buckets, body);
  }
  body += ",\"truncated\":";
  body += result.truncated ? "true" : "false";
  if (!missing.empty()) body += ",\"missing\":" + missing;
  body += '}';
  return listing(Format::json, std::move(body), name);
}

void handle_series(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known =
          check_known(request.query, {"deviceId", "siteId", "accountId", "fields", "start", "end", "points", "raw"});
      !known) {
    return exchange->respond(problem(known.error()));
  }
  Result<Reading> reading = authorize_reading(context, request);
  if (!reading) return exchange->respond(problem(reading.error()));
  Result<Asked> asked = parse_series(request.query, std::move(reading->patterns), context.clock.wall_ms());
  if (!asked) return exchange->respond(problem(asked.error()));
  asked->format = format_of(request);
  respond_from(context.series, exchange, [&context, asked = std::move(*asked)](ClientWatch& client) {
    return make_series(context, asked, client);
  });
}

}  // namespace

void add_series_routes(http::Router& router, Context& context) {
  router.add("GET", "/api/series", 0, [&context](const http::ExchangePtr& e) { handle_series(context, e); });
}

}  // namespace millstream::api
